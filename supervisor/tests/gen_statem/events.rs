use super::*;

#[test]
fn a_postponed_request_is_answered_when_the_state_has_changed() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let asked = machine.call(Message::Ask);
        assert_eq!(which(&machine).await, Ok(State::Idle));
        go(&machine, State::Busy);
        assert_eq!(asked.await, Ok(State::Busy));
    });
}

#[test]
fn a_request_that_is_postponed_when_the_machine_ends_is_told_the_reason() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let asked = machine.call(Message::Ask);
        tell(&machine, |_| Transition::Stop(died()));
        assert_eq!(asked.await, Err(CallError::Exit(died())));
    });
}

#[test]
fn requests_of_a_collection_are_answered_as_the_states_let_them() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let mut requests = RequestIds::new();
        requests.send_request(&machine, Message::Ask, "postponed");
        requests.send_request(&machine, Message::Which, "at once");
        let first = requests.receive_response(secs(5), true).await;
        assert_eq!(first, Ok(Some((Ok(State::Idle), "at once"))));
        go(&machine, State::Busy);
        let second = requests.receive_response(secs(5), true).await;
        assert_eq!(second, Ok(Some((Ok(State::Busy), "postponed"))));
        assert!(requests.is_empty());
    });
}

#[test]
fn inserted_events_come_in_their_order_and_before_those_from_outside() {
    run(|| async {
        let machine = start_with(|cx| {
            cx.server_ref().cast(Message::Note("outside"));
            cx.next_event(Event::Internal(Message::Note("one")));
            cx.next_event(Event::Internal(Message::Note("two")));
        })
        .await;
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Idle",
                "internal one Idle",
                "internal two Idle",
                "message outside Idle"
            ]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn what_is_inserted_comes_before_what_was_inserted_earlier() {
    run(|| async {
        let machine = start_with(|cx| {
            cx.next_event(Event::Internal(Message::Do(Box::new(|cx| {
                cx.next_event(Event::Internal(Message::Note("new")));
                Transition::KeepState
            }))));
            cx.next_event(Event::Internal(Message::Note("old")));
        })
        .await;
        assert_eq!(
            all_seen().await,
            ["enter Idle Idle", "internal new Idle", "internal old Idle"]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn on_a_change_inserted_events_come_first_then_postponed_ones_from_the_oldest_on() {
    run(|| async {
        let machine = start_with(|cx| {
            let me = cx.server_ref();
            for note in ["first", "second"] {
                tell(&me, move |cx| {
                    cx.postpone(Event::Message(Message::Note(note)));
                    Transition::KeepState
                });
            }
            tell(&me, |cx| {
                cx.next_event(Event::Internal(Message::Note("inserted")));
                // Other events come, so this one does not.
                cx.event_timeout(Duration::ZERO, Message::Note("cancelled"));
                Transition::NextState(State::Busy)
            });
            me.cast(Message::Note("last"));
        })
        .await;
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Idle",
                "enter Idle Busy",
                "internal inserted Busy",
                "message first Busy",
                "message second Busy",
                "message last Busy"
            ]
        );
        nothing_seen(&machine).await;
    });
}

#[test]
fn an_event_that_changes_the_state_can_be_postponed_into_it() {
    run(|| async {
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.postpone(Event::Message(Message::Note("again")));
            Transition::NextState(State::Busy)
        });
        assert_eq!(all_seen().await, ["enter Idle Busy", "message again Busy"]);
    });
}

#[test]
fn an_event_of_any_kind_can_be_inserted_and_looks_like_it() {
    run(|| async {
        let machine = start(Init::Fine).await;
        let asked = machine.call(|reply| {
            Message::Do(Box::new(move |cx: &mut Cx| {
                cx.next_event(Event::Internal(Message::Note("a")));
                cx.next_event(Event::StateTimeout(Message::Note("b")));
                cx.next_event(Event::EventTimeout(Message::Note("c")));
                cx.next_event(Event::Timeout("name", Message::Note("d")));
                cx.next_event(Event::Message(Message::Note("e")));
                cx.next_event(Event::Message(Message::Which(reply)));
                Transition::NextState(State::Busy)
            }))
        });
        assert_eq!(
            all_seen().await,
            [
                "enter Idle Busy",
                "internal a Busy",
                "state timeout b Busy",
                "event timeout c Busy",
                "timeout name d Busy",
                "message e Busy"
            ]
        );
        assert_eq!(asked.await, Ok(State::Busy));
    });
}

#[test]
fn messages_of_other_types_exits_and_downs_are_info() {
    run(|| async {
        let machine = start(Init::TrapExit).await;
        let pid = machine.pid().unwrap();
        send(pid, Foreign);
        exit(pid, died());
        tell(&machine, |_| {
            monitor(regrow_runtime::self_pid());
            monitor(spawn(async {}));
            Transition::KeepState
        });
        assert_eq!(
            all_seen().await,
            ["info foreign Idle", "info exit died Idle"]
        );
        let down = seen().await;
        assert!(down.starts_with("info down no"), "{down}");
    });
}

#[test]
fn info_can_be_postponed() {
    run(|| async {
        let machine = start(Init::Fine).await;
        send(machine.pid().unwrap(), Postpone);
        nothing_seen(&machine).await;
        go(&machine, State::Busy);
        assert_eq!(all_seen().await, ["enter Idle Busy", "info put off Busy"]);
    });
}

#[test]
fn a_machine_that_keeps_itself_busy_lets_others_run_and_can_be_killed() {
    run(|| async {
        fn again() -> Event<Message, &'static str> {
            Event::Internal(Message::Do(Box::new(|cx| {
                cx.next_event(again());
                Transition::KeepState
            })))
        }
        let machine = start(Init::Fine).await;
        tell(&machine, |cx| {
            cx.next_event(Event::Internal(Message::Note("busy")));
            cx.next_event(again());
            Transition::KeepState
        });
        assert_eq!(seen().await, "internal busy Idle");
        let pid = machine.pid().unwrap();
        let end = watch(pid);
        exit(pid, ExitReason::Kill);
        assert_eq!(end.await, ExitReason::Killed);
    });
}
