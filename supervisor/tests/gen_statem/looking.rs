//! What is seen from outside, and hibernation.

use regrow_supervisor::sys::{self, SysError, TraceEvent, Traced};

use super::*;
use crate::reports::Collector;

/// A machine whose data can be seen.
#[derive(Clone, Debug, PartialEq)]
struct Lamp {
    lit: u32,
}

impl StateMachine for Lamp {
    type Args = ();
    type State = bool;
    type Message = ();
    type Timer = ();

    async fn init((): (), _: &mut Context<Self>) -> Result<(bool, Self), ExitReason> {
        Ok((false, Lamp { lit: 0 }))
    }

    async fn handle(
        &mut self,
        event: Event<()>,
        on: &bool,
        _: &mut Context<Self>,
    ) -> Transition<bool> {
        match event {
            Event::Message(()) => {
                self.lit += u32::from(!on);
                Transition::NextState(!on)
            }
            _ => panic!("no lamp"),
        }
    }

    fn format_status(&self, _: &bool, status: &mut sys::FormatStatus) {
        status.state = format!("lit {} times, now {}", self.lit, status.state);
    }
}

#[test]
fn the_state_and_the_data_are_read_and_replaced_while_it_runs_and_while_it_is_suspended() {
    run(|| async {
        let lamp = Lamp::start_link(()).await.unwrap();
        lamp.cast(());
        for suspended in [false, true] {
            if suspended {
                sys::suspend(&lamp).await.unwrap();
            }
            let whole = sys::get_state::<(bool, Lamp)>(&lamp).await.unwrap();
            assert_eq!(whole, (true, Lamp { lit: 1 }));
            sys::replace_state(&lamp, |_: &(bool, Lamp)| (false, Lamp { lit: 7 }))
                .await
                .unwrap();
            let lit = sys::get_state_with(&lamp, |(on, lamp): &(bool, Lamp)| (*on, lamp.lit));
            assert_eq!(lit.await, Ok((false, 7)));
            sys::replace_state(&lamp, |_: &(bool, Lamp)| (true, Lamp { lit: 1 }))
                .await
                .unwrap();
        }
    });
}

#[test]
fn a_failing_replacement_changes_nothing_and_another_type_is_told() {
    run(|| async {
        let lamp = Lamp::start_link(()).await.unwrap();
        let failed = sys::replace_state(&lamp, |_: &(bool, Lamp)| panic!("no")).await;
        assert!(matches!(failed, Err(SysError::CallbackFailed(_))));
        let wrong = sys::get_state::<Lamp>(&lamp).await;
        assert!(matches!(wrong, Err(SysError::WrongState { .. })));
        let whole = sys::get_state::<(bool, Lamp)>(&lamp).await.unwrap();
        assert_eq!(whole, (false, Lamp { lit: 0 }));
    });
}

#[test]
fn while_it_is_suspended_events_and_timeouts_wait() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.state_timeout(millis(1), Message::Note("late"));
            cx.timeout("long", secs(600), Message::Note("never"));
            Transition::KeepState
        });
        let asked = machine.call(Message::Ask); // postponed
        sys::suspend(&machine).await.unwrap();
        machine.cast(Message::Note("waits"));
        sleep(millis(5)).await;
        assert_none::<Seen>().await;
        let status = sys::get_status(&machine).await.unwrap();
        assert!(status.suspended);
        assert_eq!(status.behaviour, "gen_statem");
        assert_eq!(status.state, "Idle, postponed: 1, timeouts: 2");
        assert!(status.module.ends_with("Machine"), "{}", status.module);
        sys::resume(&machine).await.unwrap();
        let mut both: [String; 2] = all_seen().await;
        both.sort();
        assert_eq!(both, ["message waits Idle", "state timeout late Idle"]);
        go(&machine, State::Busy);
        assert_eq!(asked.await, Ok(State::Busy));
    });
}

#[test]
fn a_suspended_machine_ends_as_ever() {
    run(|| async {
        let machine = start(Init::Fine).await;
        sys::suspend(&machine).await.unwrap();
        machine.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(in_terminate().await, (ExitReason::Normal, State::Idle));
    });
}

#[test]
fn a_machine_says_how_its_state_is_shown() {
    run(|| async {
        let lamp = Lamp::start_link(()).await.unwrap();
        lamp.cast(());
        let status = sys::get_status(&lamp).await.unwrap();
        assert_eq!(status.state, "lit 1 times, now true");
    });
}

#[test]
fn events_and_transitions_are_traced_and_counted() {
    run(|| async {
        let machine = start(Init::Fine).await;
        sys::trace_to(&machine, self_pid(), true).await.unwrap();
        sys::statistics(&machine, true).await.unwrap();
        tell(&machine, |cx| {
            cx.next_event(Event::Internal(Message::Note("note")));
            Transition::NextState(State::Busy)
        });
        send(machine.pid().unwrap(), Foreign);
        let mut texts = Vec::new();
        for _ in 0..6 {
            texts.push(match receive::<TraceEvent>().await.what {
                Traced::In(text) => format!("in {}", text.rsplit("::").next().unwrap()),
                Traced::Next(text) => text,
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(
            texts,
            [
                "in Message",
                "next_state: Busy",
                "in note",
                "keep_state",
                "in Foreign",
                "keep_state"
            ]
        );
        let statistics = sys::get_statistics(&machine).await.unwrap().unwrap();
        assert_eq!(statistics.messages_in, 3);
    });
}

#[test]
fn an_abnormal_end_is_reported_with_the_state_and_the_last_message() {
    let collector = Collector::new();
    run_with_threads(async move {
        let of = |name: &str| {
            let mut reports = collector.with("name", name);
            reports.retain(|it| it["target"] == "regrow::gen_statem");
            reports
        };
        let lamp = Lamp::start(()).name("lamp that fails").await.unwrap();
        sys::log(&lamp, 9).await.unwrap();
        lamp.cast(());
        send(lamp.pid().unwrap(), Foreign);
        down(lamp.pid().unwrap()).await;
        let [report] = of("lamp that fails").try_into().unwrap();
        assert_eq!(report["level"], "ERROR");
        assert_eq!(report["state"], "lit 1 times, now true");
        assert!(report["reason"].ends_with("no lamp"), "{report:?}");
        assert!(report["last_message"].ends_with("Foreign"), "{report:?}");
        // The handler that panicked has answered nothing.
        let log = &report["log"];
        assert!(log.starts_with("in: ()"), "{log}");
        assert!(log.ends_with("Foreign"), "{log}");

        let lamp = Lamp::start(()).name("lamp that ends").await.unwrap();
        let reason = ExitReason::shutdown_with("x");
        lamp.stop(reason, None).await.unwrap();
        assert!(of("lamp that ends").is_empty());
    });
}

#[test]
fn a_hibernating_machine_is_woken_by_messages_and_timeouts() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.timeout("name", millis(5), Message::Note("wakes"));
            cx.hibernate();
            Transition::NextState(State::Busy)
        });
        let Hibernates(state) = receive().await;
        assert_eq!(state, State::Busy);
        let status = sys::get_status(&machine).await.unwrap();
        assert!(status.hibernating);
        receive::<Hibernates>().await; // and back to it
        assert_eq!(
            all_seen().await,
            ["enter Idle Busy", "timeout name wakes Busy"]
        );
        assert!(!sys::get_status(&machine).await.unwrap().hibernating);
        assert_none::<Hibernates>().await;
    });
}

#[test]
fn a_machine_that_is_idle_for_long_hibernates_by_itself() {
    run(|| async {
        let start = Machine::start((self_pid(), Init::Fine)).hibernate_after(millis(5));
        let machine = start.await.unwrap();
        receive::<Hibernates>().await;
        go(&machine, State::Busy);
        let Hibernates(state) = receive().await;
        assert_eq!(state, State::Busy);
        assert_eq!(which(&machine).await, Ok(State::Busy));
    });
}
