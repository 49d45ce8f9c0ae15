//! How a server goes on after a callback: `handle_continue` and timeouts.

use regrow_runtime::{
    ExitReason, exit, monotonic_time, process_info, receive_down, send, simulate_seeds, sleep,
    trap_exit,
};
use regrow_supervisor::{Next, sys};

use crate::common::*;
use crate::probe::{Do, Foreign, Step, act, answer, probe, started, step, steps};

#[test]
fn handle_continue_runs_before_queued_messages_and_may_be_chained() {
    run(|| async {
        let server = started().await;
        server.cast(answer(Next::HandleContinue));
        server.cast(Do::Mark("queued"));
        assert_eq!(steps(3).await, ["first", "second", "queued"]);
    });
}

#[test]
fn after_init_handle_continue_runs_when_the_starter_goes_on_and_before_any_message() {
    run(|| async {
        let server = probe(|cx| {
            send(cx.pid(), Do::Mark("sent to itself in init"));
            cx.after_init(Next::HandleContinue);
            Ok(())
        });
        server.await.unwrap();
        let wanted = ["first", "second", "sent to itself in init"];
        assert_eq!(steps(3).await, wanted);
    });
}

#[test]
fn a_start_does_not_wait_for_handle_continue() {
    run(|| async {
        let hangs = Hangs::start_link(()).await.unwrap();
        let late = sys::get_status(&hangs).timeout(millis(5)).await;
        assert!(late.is_err(), "it is still at it: {late:?}");
    });
}

/// A server whose `handle_continue` never ends.
struct Hangs;

impl GenServer for Hangs {
    type Args = ();
    type Message = ();

    async fn init(_: (), cx: &mut super::Context<Self>) -> Result<Self, ExitReason> {
        cx.after_init(Next::HandleContinue);
        Ok(Hangs)
    }

    async fn handle(&mut self, _: (), _: &mut super::Context<Self>) -> Next {
        Next::Continue
    }

    async fn handle_continue(&mut self, _: &mut super::Context<Self>) -> Next {
        std::future::pending().await
    }
}

#[test]
fn a_reply_is_sent_before_handle_continue_runs() {
    run(|| async {
        let server = started().await;
        let call = server.call(|reply| {
            act(|probe, _| {
                probe.continues = vec![("end", Next::Stop(died()))];
                reply.send(());
                Next::HandleContinue
            })
        });
        assert_eq!(call.await, Ok(()));
        assert_eq!(steps(2).await, ["end", "terminate died"]);
    });
}

#[test]
fn a_chain_of_handle_continue_without_an_end_can_be_killed() {
    run(|| async {
        struct Forever;
        impl GenServer for Forever {
            type Args = ();
            type Message = ();
            async fn init(_: (), cx: &mut super::Context<Self>) -> Result<Self, ExitReason> {
                cx.after_init(Next::HandleContinue);
                Ok(Forever)
            }
            async fn handle(&mut self, _: (), _: &mut super::Context<Self>) -> Next {
                Next::Continue
            }
            async fn handle_continue(&mut self, _: &mut super::Context<Self>) -> Next {
                Next::HandleContinue
            }
        }
        let (server, monitor) = Forever::start_monitor(()).await.unwrap();
        exit(server.pid().unwrap(), ExitReason::Kill);
        assert_eq!(receive_down(monitor).await.reason, ExitReason::Killed);
    });
}

#[test]
fn a_server_without_handle_continue_that_answers_it_ends() {
    run(|| async {
        struct Without;
        impl GenServer for Without {
            type Args = ();
            type Message = ();
            async fn init(_: (), _: &mut super::Context<Self>) -> Result<Self, ExitReason> {
                Ok(Without)
            }
            async fn handle(&mut self, _: (), _: &mut super::Context<Self>) -> Next {
                Next::HandleContinue
            }
        }
        let (server, monitor) = Without::start_monitor(()).await.unwrap();
        server.cast(());
        let reason = receive_down(monitor).await.reason.to_string();
        assert!(reason.contains("has no `handle_continue`"), "{reason}");
    });
}

#[test]
fn after_init_takes_a_timeout_and_a_stop() {
    run(|| async {
        let idle = probe(|cx| {
            cx.after_init(Next::Timeout(millis(1)));
            Ok(())
        });
        idle.await.unwrap();
        assert_eq!(step().await, "timeout");
        let stops = probe(|cx| {
            cx.after_init(Next::Stop(ExitReason::Shutdown));
            Ok(())
        });
        let stops = stops.await.unwrap();
        assert_eq!(step().await, "terminate shutdown");
        assert_eq!(exited(stops.pid().unwrap()).await, ExitReason::Shutdown);
    });
}

#[test]
fn a_system_message_begins_an_idle_timeout_anew() {
    run(|| async {
        let server = started().await;
        let begin = monotonic_time();
        server.cast(answer(Next::Timeout(millis(60))));
        sleep(millis(30)).await;
        sys::get_status(&server).await.unwrap();
        let asked = monotonic_time();
        assert_eq!(step().await, "timeout");
        assert!(monotonic_time() - asked >= millis(55), "the time in full");
        assert!(asked - begin >= millis(30));
    });
}

#[test]
fn an_event_timeout_gives_its_message_to_handle_info_or_handle_by_its_type() {
    run(|| async {
        let server = started().await;
        server.cast(act(|_, cx| cx.timeout(millis(1), Foreign("late"))));
        assert_eq!(step().await, "foreign late");
        server.cast(act(|_, cx| cx.timeout(millis(1), Do::Mark("own"))));
        assert_eq!(step().await, "own");
        let init = probe(|cx| {
            cx.timeout(millis(1), Foreign("from init"));
            Ok(())
        });
        init.await.unwrap();
        assert_eq!(step().await, "foreign from init");
    });
}

#[test]
fn any_message_cancels_an_event_timeout_for_good() {
    run(|| async {
        let server = started().await;
        server.cast(act(|_, cx| cx.timeout(millis(5), Foreign("late"))));
        server.cast(Do::Mark("cancels it"));
        assert_eq!(step().await, "cancels it");
        sleep(millis(20)).await;
        assert_none::<Step>().await;
    });
}

#[test]
fn a_zero_event_timeout_comes_before_queued_messages_and_a_zero_timeout_after() {
    run(|| async {
        let server = started().await;
        sys::suspend(&server).await.unwrap(); // so that all of these wait together
        server.cast(act(|_, cx| cx.timeout(millis(0), Foreign("zero"))));
        server.cast(Do::Mark("queued"));
        server.cast(answer(Next::Timeout(millis(0))));
        server.cast(Do::Mark("queued too"));
        server.cast(act(|_, cx| cx.timeout_at(millis(0), Foreign("has passed"))));
        server.cast(Do::Mark("last"));
        sys::resume(&server).await.unwrap();
        assert_eq!(
            steps(4).await,
            ["foreign zero", "queued", "queued too", "last"]
        );
        assert_none::<Step>().await;
    });
}

#[test]
fn a_moment_that_has_passed_comes_when_nothing_is_queued() {
    run(|| async {
        let server = started().await;
        server.cast(act(|_, cx| cx.timeout_at(millis(0), Foreign("passed"))));
        assert_eq!(step().await, "foreign passed");
    });
}

#[test]
fn a_deadline_stays_where_it_is_whatever_system_messages_come() {
    run(|| async {
        let server = started().await;
        let begin = monotonic_time();
        let at = begin + millis(40);
        server.cast(act(move |_, cx| cx.timeout_at(at, Foreign("due"))));
        while monotonic_time() < begin + millis(30) {
            sys::get_status(&server).await.unwrap();
            sleep(millis(1)).await;
        }
        assert_eq!(step().await, "foreign due");
        assert!(monotonic_time() >= at);
    });
}

#[test]
fn a_system_message_gives_an_event_timeout_no_more_time() {
    // In virtual time, which is exact.
    simulate_seeds(0..20, || async {
        trap_exit(true);
        let server = started().await;
        server.cast(act(|_, cx| cx.timeout(secs(40), Foreign("due"))));
        let begin = monotonic_time();
        sleep(secs(30)).await;
        sys::get_status(&server).await.unwrap();
        assert_eq!(step().await, "foreign due");
        let took = monotonic_time() - begin;
        assert!(took < secs(41), "{took:?}");
    });
}

#[test]
fn a_timeout_that_is_returned_takes_the_place_of_an_event_timeout() {
    run(|| async {
        let server = started().await;
        server.cast(act(|_, cx| {
            let _ = cx.timeout(millis(1), Foreign("dropped"));
            Next::Timeout(millis(5))
        }));
        assert_eq!(step().await, "timeout");
        sleep(millis(10)).await;
        assert_none::<Step>().await;
    });
}

#[test]
fn an_event_timeout_for_ever_never_comes_and_does_not_overflow() {
    run(|| async {
        let server = started().await;
        server.cast(act(|_, cx| {
            cx.timeout(std::time::Duration::MAX, Foreign("never"))
        }));
        server.cast(Do::Mark("alive"));
        assert_eq!(step().await, "alive");
    });
}

/// A message whose drop panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom");
    }
}

#[test]
fn the_drop_of_a_cancelled_event_is_contained() {
    run(|| async {
        let server = started().await;
        server.cast(act(|_, cx| cx.timeout(secs(60), Bomb)));
        server.cast(Do::Mark("cancels it"));
        server.cast(act(|_, cx| {
            let _ = cx.timeout(secs(60), Bomb);
            Next::Timeout(secs(60))
        }));
        server.cast(Do::Mark("alive"));
        assert_eq!(steps(2).await, ["cancels it", "alive"]);
    });
}

#[test]
fn a_server_that_waits_is_small() {
    run_with_threads(async {
        let server = Counter::start_link(7).await.unwrap();
        let info = process_info(server.pid().unwrap()).await.unwrap();
        assert!(info.memory <= 336, "{}", info.memory);
    });
}

/// With a state, arguments and messages of a word.
struct Counter(u64);

impl GenServer for Counter {
    type Args = u64;
    type Message = u64;

    async fn init(value: u64, _: &mut super::Context<Self>) -> Result<Self, ExitReason> {
        Ok(Counter(value))
    }

    async fn handle(&mut self, more: u64, _: &mut super::Context<Self>) -> Next {
        self.0 += more;
        Next::Continue
    }
}
