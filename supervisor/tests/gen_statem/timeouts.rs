use regrow_runtime::monotonic_time;

use super::*;

const SOON: Duration = Duration::from_millis(5);
const NEVER: Duration = Duration::from_secs(600);

#[test]
fn a_state_timeout_comes_when_the_state_has_lasted() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.state_timeout(SOON, Message::Note("late"));
            Transition::NextState(State::Busy)
        });
        // Events that keep the state do not touch it.
        machine.cast(Message::Note("meanwhile"));
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Busy",
                "message meanwhile Busy",
                "state timeout late Busy"
            ]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn a_change_of_state_cancels_the_state_timeout() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.state_timeout(SOON, Message::Note("never"));
            cx.timeout("later", 2 * SOON, Message::Note("now"));
            Transition::KeepState
        });
        go(&machine, State::Busy);
        assert_eq!(
            all_seen().await,
            ["enter Idle Busy", "timeout later now Busy"]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn a_state_timeout_whose_time_is_over_is_cancelled_by_a_change_all_the_same() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.state_timeout(SOON, Message::Note("never"));
            Transition::KeepState
        });
        machine.cast(Message::Wait);
        go(&machine, State::Busy);
        sleep(4 * SOON).await; // its timer has fired, behind what is to come
        send(machine.pid().unwrap(), Go);
        assert_eq!(seen().await, "enter Idle Busy");
        nothing_seen(&machine).await;
    });
}

#[test]
fn any_event_cancels_the_event_timeout() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.event_timeout(SOON, Message::Note("never"));
            cx.timeout("later", 2 * SOON, Message::Note("now"));
            Transition::KeepState
        });
        send(machine.pid().unwrap(), Foreign);
        assert_eq!(
            all_seen().await,
            ["info foreign Idle", "timeout later now Idle"]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn an_event_timeout_comes_once_if_nothing_else_does() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.event_timeout(SOON, Message::Note("quiet"));
            Transition::KeepState
        });
        assert_eq!(seen().await, "event timeout quiet Idle");
        sleep(2 * SOON).await;
        nothing_seen(&machine).await;
    });
}

#[test]
fn timeouts_of_no_time_come_in_their_order_after_what_is_inserted_and_before_messages() {
    run(|| async {
        let machine = start_with(|cx| {
            cx.server_ref().cast(Message::Note("outside"));
            cx.state_timeout(Duration::ZERO, Message::Note("one"));
            cx.timeout("name", Duration::ZERO, Message::Note("two"));
            cx.next_event(Event::Internal(Message::Note("inserted")));
        })
        .await;
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Idle",
                "internal inserted Idle",
                "state timeout one Idle",
                "timeout name two Idle",
                "message outside Idle"
            ]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn an_event_timeout_of_no_time_comes_only_if_nothing_waits() {
    run(|| async {
        let machine = start_with(|cx| {
            cx.server_ref().cast(Message::Note("outside"));
            cx.event_timeout(Duration::ZERO, Message::Note("quiet"));
        })
        .await;
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Idle",
                "event timeout quiet Idle",
                "message outside Idle"
            ]
        );
        tell(&machine, |cx| {
            cx.event_timeout(Duration::ZERO, Message::Note("never"));
            cx.next_event(Event::Internal(Message::Note("inserted")));
            Transition::KeepState
        });
        assert_eq!(seen().await, "internal inserted Idle");
        nothing_seen(&machine).await;
    });
}

#[test]
fn named_timeouts_outlive_states_and_do_not_disturb_each_other() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.timeout("b", 2 * SOON, Message::Note("two"));
            cx.timeout("a", SOON, Message::Note("one"));
            cx.timeout("c", NEVER, Message::Note("never"));
            cx.timeout("a", SOON, Message::Note("the last counts"));
            Transition::NextState(State::Busy)
        });
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Busy",
                "timeout a the last counts Busy",
                "timeout b two Busy"
            ]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn a_cancelled_timeout_does_not_come() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.state_timeout(SOON, Message::Note("never"));
            cx.timeout("never", SOON, Message::Note("never"));
            cx.timeout("later", 2 * SOON, Message::Note("now"));
            Transition::KeepState
        });
        tell(&machine, |cx| {
            cx.cancel_state_timeout();
            cx.cancel_timeout("never");
            cx.cancel_timeout("nobody"); // no error
            Transition::KeepState
        });
        assert_eq!(seen().await, "timeout later now Idle");
        nothing_seen(&machine).await;
    });
}

#[test]
fn an_update_changes_the_message_and_not_the_time() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.state_timeout(SOON, Message::Note("old"));
            cx.timeout("name", 2 * SOON, Message::Note("old"));
            cx.timeout("never", NEVER, Message::Note("old"));
            Transition::KeepState
        });
        tell(&machine, |cx| {
            cx.update_state_timeout(Message::Note("new"));
            cx.update_timeout("name", Message::Note("new"));
            cx.update_timeout("never", Message::Note("new"));
            Transition::KeepState
        });
        assert_eq!(
            all_seen().await,
            ["state timeout new Idle", "timeout name new Idle"]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn an_update_of_what_does_not_run_comes_at_once() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.state_timeout(NEVER, Message::Note("never"));
            Transition::KeepState
        });
        tell(&machine, |cx| {
            cx.update_timeout("name", Message::Note("one"));
            // Of the state that begins, and so it does not run.
            cx.update_state_timeout(Message::Note("two"));
            Transition::NextState(State::Busy)
        });
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Busy",
                "timeout name one Busy",
                "state timeout two Busy"
            ]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn absolute_timeouts_come_at_their_time_and_are_cancelled_like_others() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let began = monotonic_time();
        tell(&machine, move |cx| {
            cx.state_timeout_at(began + 20 * SOON, Message::Note("never"));
            cx.event_timeout_at(began + 20 * SOON, Message::Note("never"));
            cx.timeout_at("b", began + 24 * SOON, Message::Note("two"));
            cx.timeout_at("a", began + 22 * SOON, Message::Note("one"));
            Transition::KeepState
        });
        tell(&machine, move |cx| {
            cx.state_timeout_at(began + 26 * SOON, Message::Note("three"));
            Transition::NextState(State::Busy)
        });
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Busy",
                "timeout a one Busy",
                "timeout b two Busy",
                "state timeout three Busy"
            ]
        );
        assert!(monotonic_time() >= began + 26 * SOON);
        nothing_seen(&machine).await;
    });
}

#[test]
fn a_deadline_that_is_set_again_does_not_move() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let ends = monotonic_time() + 20 * SOON;
        for state in [State::Busy, State::Idle] {
            sleep(SOON).await;
            tell(&machine, move |cx| {
                cx.state_timeout_at(ends, Message::Note("over"));
                cx.timeout("relative", 40 * SOON, Message::Note("later"));
                Transition::NextState(state)
            });
        }
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Busy",
                "enter Busy Idle",
                "state timeout over Idle",
                "timeout relative later Idle"
            ]
        );
    });
}

/// As in OTP: only a relative time of zero is no time.
#[test]
fn an_absolute_timeout_that_has_passed_comes_behind_the_messages_that_wait() {
    run(|| async {
        let machine = start_with(|cx| {
            cx.server_ref().cast(Message::Note("waits"));
            cx.timeout_at("passed", Duration::ZERO, Message::Note("over"));
            cx.timeout("zero", Duration::ZERO, Message::Note("at once"));
        })
        .await;
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Idle",
                "timeout zero at once Idle",
                "message waits Idle",
                "timeout passed over Idle"
            ]
        );
        nothing_seen(&machine).await;
    });
}
