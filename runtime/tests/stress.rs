//! Each round of the stress program, briefly and with fixed seeds. The program itself
//! (`cargo run --release -p regrow-benches --bin stress`) repeats them for as long as it is told to.

mod stress_rounds;

use std::sync::Arc;

use regrow_runtime::Runtime;
use stress_rounds::{Ledger, ROUNDS, Watchdog};

fn run(name: &str) {
    let runtime = Runtime::builder()
        .workers(2)
        .build()
        .expect("the runtime starts");
    let ledger = Arc::new(Ledger::default());
    let _watchdog = Watchdog::start(runtime.handle(), Arc::clone(&ledger));
    let round = ROUNDS
        .iter()
        .find(|round| round.name == name)
        .expect("there is such a round");
    for seed in 1..=3 {
        round.run(&runtime, &ledger, seed, round.operations / 20);
    }
    println!(
        "{name}: {} steps, {} payloads",
        ledger.progress(),
        ledger.payloads()
    );
    assert!(ledger.progress() > 0);
}

#[test]
fn pairs_pass_every_payload_to_and_fro() {
    run("ping-pong");
}

#[test]
fn messages_of_each_sender_stay_in_order() {
    run("fan-in");
}

#[test]
fn a_process_that_yields_to_itself_misses_no_foreign_message() {
    run("self-yield");
}

#[test]
fn a_reused_slot_never_sees_what_was_meant_for_its_former_tenant() {
    run("storm");
}

#[test]
fn a_join_with_own_wakers_loses_no_wake_up() {
    run("join");
}

#[test]
fn both_ends_agree_about_their_link() {
    run("links");
}

#[test]
fn every_call_ends_with_a_reply_or_a_reason() {
    run("calls");
}
