use regrow_runtime::{ExitReason, monotonic_time, receive, self_pid, send, spawn};
use regrow_supervisor::sys::{self, TraceEvent, Traced};

use super::*;
use crate::probe::{self, Do, Foreign};
use crate::reports::Collector;

#[test]
fn statistics_count_from_zero_when_they_are_turned_on() {
    run(|| async {
        let server = counter(0).await;
        assert_eq!(sys::get_statistics(&server).await, Ok(None));
        server.cast(Command::Add(1));
        let before = monotonic_time();
        sys::statistics(&server, true).await.unwrap();
        assert!(sys::get_status(&server).await.unwrap().statistics);
        for _ in 0..3 {
            server.cast(Command::Add(1));
        }
        send(server.pid().unwrap(), "unexpected");
        let seen = sys::get_statistics(&server).await.unwrap().unwrap();
        assert_eq!(seen.messages_in, 4);
        assert!(seen.reductions > 0);
        assert!(before <= seen.start_time && seen.start_time <= seen.current_time);
        sys::statistics(&server, true).await.unwrap();
        let again = sys::get_statistics(&server).await.unwrap().unwrap();
        assert_eq!(again.messages_in, 0);
        assert!(again.start_time >= seen.start_time);
        sys::statistics(&server, false).await.unwrap();
        assert_eq!(sys::get_statistics(&server).await, Ok(None));
    });
}

async fn traced() -> Traced {
    receive::<TraceEvent>().await.what
}

fn took(message: &str) -> Traced {
    Traced::In(message.to_owned())
}

fn answered(next: &str) -> Traced {
    Traced::Next(next.to_owned())
}

#[test]
fn a_trace_tells_each_message_and_each_answer_in_order() {
    run(|| async {
        let server = probe::started().await;
        let pid = server.pid().unwrap();
        let whole = std::any::type_name::<Do>();
        sys::trace_to(&server, self_pid(), true).await.unwrap();
        assert!(sys::get_status(&server).await.unwrap().traced);

        let before = monotonic_time();
        server.cast(probe::answer(Next::Timeout(millis(1))));
        let event = receive::<TraceEvent>().await;
        assert_eq!((event.pid, event.what), (pid, took(whole)));
        assert!(event.time >= before);
        assert_eq!(traced().await, answered("timeout 1ms"));
        assert_eq!(traced().await, took("timeout"));
        assert_eq!(traced().await, answered("continue"));
        send(pid, Foreign("x"));
        assert_eq!(traced().await, took(std::any::type_name::<Foreign>()));
        assert_eq!(traced().await, answered("continue"));
        server.cast(probe::answer(Next::HandleContinue));
        assert_eq!(traced().await, took(whole));
        assert_eq!(traced().await, answered("handle_continue"));
        assert_eq!(traced().await, took("handle_continue"));
        assert_eq!(traced().await, answered("handle_continue"));
        assert_eq!(traced().await, took("handle_continue"));
        assert_eq!(traced().await, answered("continue"));
        server.cast(probe::answer(Next::Hibernate));
        assert_eq!(traced().await, took(whole));
        assert_eq!(traced().await, answered("hibernate"));
        server.cast(probe::answer(Next::Stop(ExitReason::Shutdown)));
        assert_eq!(traced().await, took(whole));
        assert_eq!(traced().await, answered("stop: shutdown"));
        exited(pid).await;
        assert_none::<TraceEvent>().await;
    });
}

#[test]
fn any_number_of_processes_are_told_until_they_are_taken_off_or_end() {
    run(|| async {
        let server = counter(0).await;
        let test = self_pid();
        let once = spawn(async move {
            let event = receive::<TraceEvent>().await;
            send(test, (self_pid(), event));
        });
        sys::trace_to(&server, once, true).await.unwrap();
        // Twice is once.
        sys::trace_to(&server, test, true).await.unwrap();
        sys::trace_to(&server, test, true).await.unwrap();
        server.cast(Command::Add(1));
        let (who, event) = receive::<(regrow_runtime::Pid, TraceEvent)>().await;
        assert_eq!((who, event.what.clone()), (once, traced().await));
        assert_eq!(traced().await, answered("continue"));
        down(once).await;
        sys::trace_to(&server, test, false).await.unwrap();
        server.cast(Command::Add(1));
        assert_eq!(server.call(Command::Get).await, Ok(2));
        assert_none::<TraceEvent>().await;
        // It has found out that the other is gone.
        assert!(!sys::get_status(&server).await.unwrap().traced);
    });
}

#[test]
fn a_trace_is_events_until_it_is_turned_off() {
    let collector = Collector::new();
    run_with_threads(async move {
        let server = counter(0).await;
        let of_server = || {
            let mut events = collector.with("pid", &server.pid().unwrap().to_string());
            events.retain(|it| it["target"] == "regrow::sys");
            events
        };
        server.cast(Command::Add(1));
        sys::trace(&server, true).await.unwrap();
        server.cast(Command::Add(1));
        sys::trace(&server, false).await.unwrap();
        server.cast(Command::Add(1));
        assert_eq!(server.call(Command::Get).await, Ok(3));
        let events = of_server();
        let told: Vec<(&str, &str)> = (events.iter())
            .map(|it| (&*it["event"], &*it["message"]))
            .collect();
        let message = std::any::type_name::<Command>();
        assert_eq!(told, [("in", message), ("next", "continue")]);
        assert!(events.iter().all(|it| it["level"] == "INFO"));
    });
}

#[test]
fn a_reason_that_cannot_be_shown_does_not_end_who_is_traced_before_its_time() {
    run(|| async {
        struct Unspeakable;
        impl std::fmt::Debug for Unspeakable {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("in Debug")
            }
        }
        impl std::fmt::Display for Unspeakable {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("in Display")
            }
        }
        impl std::error::Error for Unspeakable {}
        let server = probe::started().await;
        sys::trace_to(&server, self_pid(), true).await.unwrap();
        let stop = Next::Stop(ExitReason::shutdown_with(Unspeakable));
        server.cast(probe::act(|probe, _| {
            probe.terminate = || {};
            stop
        }));
        assert!(matches!(traced().await, Traced::In(_)));
        assert_eq!(traced().await, answered("an answer that cannot be shown"));
        let reason = exited(server.pid().unwrap()).await;
        assert!(
            matches!(reason, ExitReason::Panic(_)),
            "its terminate shows it"
        );
    });
}

async fn logged(server: &ServerRef<Command>) -> Vec<Traced> {
    let log = sys::get_log(server).await.unwrap();
    assert!(log.iter().all(|step| Some(step.pid) == server.pid()));
    assert!(log.is_sorted_by_key(|step| step.time));
    log.into_iter().map(|step| step.what).collect()
}

#[test]
fn a_log_keeps_the_last_steps_until_it_is_turned_off() {
    run(|| async {
        let server = counter(0).await;
        let message = std::any::type_name::<Command>();
        assert!(logged(&server).await.is_empty());
        server.cast(Command::Add(1));
        assert!(logged(&server).await.is_empty(), "nobody asked for one");
        sys::log(&server, 3).await.unwrap();
        assert!(sys::get_status(&server).await.unwrap().logged);
        server.cast(Command::Add(1));
        assert_eq!(logged(&server).await, [took(message), answered("continue")]);
        server.cast(Command::Add(1));
        let three = [answered("continue"), took(message), answered("continue")];
        assert_eq!(logged(&server).await, three);
        // Looking takes nothing away, and a larger one begins with what there is.
        sys::log(&server, 100).await.unwrap();
        assert_eq!(logged(&server).await, three);
        sys::log(&server, 1).await.unwrap();
        assert_eq!(logged(&server).await, three[2..]);
        sys::log(&server, 0).await.unwrap();
        server.cast(Command::Add(1));
        assert!(logged(&server).await.is_empty());
        assert!(!sys::get_status(&server).await.unwrap().logged);
        assert_eq!(server.call(Command::Get).await, Ok(4));
    });
}

#[test]
fn a_log_and_a_trace_are_told_the_same() {
    run(|| async {
        let server = counter(0).await;
        sys::trace_to(&server, self_pid(), true).await.unwrap();
        sys::log(&server, 10).await.unwrap();
        server.cast(Command::Add(1));
        let log = sys::get_log(&server).await.unwrap();
        for step in log {
            assert_eq!(receive::<TraceEvent>().await, step);
        }
        assert_none::<TraceEvent>().await;
        sys::trace_to(&server, self_pid(), false).await.unwrap();
        server.cast(Command::Add(1));
        assert_eq!(logged(&server).await.len(), 4);
    });
}
