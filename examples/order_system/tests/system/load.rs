//! The load program, at a size that fits every machine. The full size is run by hand; its
//! documentation has the commands.

use std::process::Command;

fn load(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_order-load"))
        .args(arguments)
        .args(["--server", env!("CARGO_BIN_EXE_order-system")])
        .output()
        .expect("the load program runs");
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{said}{complained}");
    assert!(output.status.success(), "{}", output.status);
}

#[test]
fn a_hundred_kills_a_second_lose_no_order_and_none_is_paid_twice() {
    load(&["--seconds", "4", "--kills", "100"]);
}

#[test]
fn kills_of_the_whole_shop_lose_no_order_and_none_is_paid_twice() {
    load(&["--kill-9", "5", "--seconds", "1", "--bank-faults", "30"]);
}

#[test]
fn an_end_during_the_load_is_orderly_and_loses_no_order() {
    load(&["--seconds", "2", "--term"]);
}
