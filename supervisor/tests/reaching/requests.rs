use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use regrow_runtime::{MailboxPolicy, SpawnOptions, monotonic_time, self_pid, spawn};
use regrow_supervisor::{RequestIds, ResponseTimeout};

use super::*;

#[test]
fn a_response_is_received_by_pid_name_and_via() {
    run(|| async {
        for (_, server) in start_known().await {
            let request = server.send_request(|reply| Command::Echo(5, reply));
            assert_eq!(request.receive_response(secs(5)).await, Ok(5));
        }
    });
}

#[test]
fn two_outstanding_requests_are_answered_separately() {
    run(|| async {
        let server = start().await;
        let mut one = server.send_request(Command::Keep);
        let mut two = server.send_request(Command::Keep);
        answer(&server, [1, 0]).await;
        assert_eq!(one.wait_response(secs(5)).await, Some(Ok(0)));
        assert_eq!(two.wait_response(secs(5)).await, Some(Ok(1)));
    });
}

#[test]
fn a_request_that_was_waited_for_in_vain_can_be_waited_for_again() {
    run(|| async {
        let server = start().await;
        let mut request = server.send_request(Command::Keep);
        assert_eq!(request.wait_response(millis(0)).await, None);
        assert_eq!(request.wait_response(millis(1)).await, None);
        assert_eq!(wanted(&server).await, 1);
        answer(&server, [0]).await;
        assert_eq!(request.wait_response(millis(0)).await, Some(Ok(0)));
    });
}

/// A reply that came in this turn, behind a message that this turn has not taken, is given in the
/// next; which a wait of no time is not too short for.
#[test]
fn a_wait_of_no_time_finds_what_is_there() {
    run(|| async {
        for received in [false, true] {
            let me = Ref::from_pid(self_pid());
            let mut requests = RequestIds::new();
            let mut handles = Vec::new();
            let mut request = me.send_request(|reply| {
                handles.push(reply);
                Command::Wait
            });
            requests.send_request(
                &me,
                |reply| {
                    handles.push(reply);
                    Command::Wait
                },
                "label",
            );
            handles.into_iter().for_each(|reply| reply.send(3));
            let response = match received {
                true => Some(request.receive_response(millis(0)).await),
                false => request.wait_response(millis(0)).await,
            };
            assert_eq!(response, Some(Ok(3)));
            regrow_runtime::send(self_pid(), ());
            let response = match received {
                true => requests.receive_response(millis(0), true).await,
                false => requests.wait_response(millis(0), true).await,
            };
            assert_eq!(response, Ok(Some((Ok(3), "label"))));
        }
    });
}

#[test]
fn a_wait_that_is_dropped_has_taken_nothing() {
    run(|| async {
        let server = start().await;
        let mut request = server.send_request(Command::Keep);
        {
            let mut wait = pin!(request.wait_response(None));
            let polled = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
        }
        answer(&server, [0]).await;
        assert_eq!(request.wait_response(None).await, Some(Ok(0)));
    });
}

#[test]
fn a_request_that_is_received_in_vain_is_abandoned() {
    run(|| async {
        let server = start().await;
        let request = server.send_request(Command::Keep);
        let late = request.receive_response(millis(1)).await;
        assert_eq!(late, Err(CallError::Timeout((&server).into())));
        assert_eq!(wanted(&server).await, 0);
        answer(&server, [0]).await; // dropped
    });
}

#[test]
fn a_request_that_is_dropped_is_abandoned() {
    run(|| async {
        let server = start().await;
        drop(server.send_request(Command::Keep));
        let kept = server.send_request(Command::Keep);
        assert_eq!(wanted(&server).await, 1);
        drop(kept);
        assert_eq!(wanted(&server).await, 0);
    });
}

#[test]
fn a_look_finds_the_response_or_nothing_and_does_not_wait() {
    run(|| async {
        let server = start().await;
        let mut request = server.send_request(Command::Keep);
        handled(&server).await;
        assert_eq!(request.check_response(), None);
        assert_eq!(request.check_response(), None);
        answer(&server, [0]).await;
        // Not even a process that has spent its reductions is told otherwise.
        regrow_runtime::consume_reductions(1_000_000);
        assert_eq!(request.check_response(), Some(Ok(0)));
    });
}

#[test]
fn a_look_does_not_keep_who_waits_afterwards_from_being_woken() {
    run(|| async {
        let server = start().await;
        let mut request = server.send_request(Command::Keep);
        assert_eq!(request.wait_response(millis(0)).await, None);
        assert_eq!(request.check_response(), None);
        server.cast(Command::Answer(0, 3));
        assert_eq!(request.wait_response(None).await, Some(Ok(3)));
    });
}

#[test]
fn a_request_to_a_missing_name_is_answered_noproc() {
    run(|| async {
        let nobody = NOBODY.server_ref();
        let mut request = nobody.send_request(Command::Keep);
        assert_eq!(request.check_response(), Some(Err(CallError::NoProc)));
        let request = nobody.send_request(Command::Keep);
        assert_eq!(request.receive_response(None).await, Err(CallError::NoProc));
        let mut request = dead().await.send_request(Command::Keep);
        assert_eq!(
            request.wait_response(None).await,
            Some(Err(CallError::NoProc))
        );
    });
}

/// Or a process that asks again and again would keep the others from running, and from coming
/// to have the name.
#[test]
fn a_process_that_asks_for_a_missing_name_in_a_loop_lets_others_run() {
    run(|| async {
        spawn(async { drop(Server::start(()).name(NAME).await) });
        loop {
            match NAME
                .server_ref()
                .call(|reply| Command::Echo(1, reply))
                .await
            {
                Ok(n) => break assert_eq!(n, 1),
                Err(error) => assert_eq!(error, CallError::NoProc),
            }
        }
    });
}

#[test]
fn a_request_is_answered_with_what_the_server_ends_with() {
    run(|| async {
        for reason in [ExitReason::Normal, ExitReason::Shutdown, died()] {
            let server = start().await;
            let request = server.send_request(|reply| Command::StopWith(reason.clone(), reply));
            let queued = server.send_request(Command::Keep);
            assert_eq!(
                request.receive_response(None).await,
                Err(CallError::Exit(reason.clone()))
            );
            assert_eq!(
                queued.receive_response(None).await,
                Err(CallError::Exit(reason))
            );
        }
        let request = start().await.send_request(Command::Panic);
        let crash = request.receive_response(None).await;
        assert!(matches!(crash, Err(CallError::Exit(ExitReason::Panic(_)))));
        let request = start().await.send_request(Command::Drop);
        assert_eq!(
            request.receive_response(None).await,
            Err(CallError::NoReply)
        );
    });
}

#[test]
fn a_request_to_a_full_mailbox_is_answered_so() {
    run(|| async {
        let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Refuse);
        let full = options.spawn(std::future::pending::<()>()).unwrap().pid;
        let full = Ref::from_pid(full);
        let mut first = full.send_request(Command::Keep);
        let second = full.send_request(Command::Keep);
        assert_eq!(
            second.receive_response(None).await,
            Err(CallError::MailboxFull)
        );
        assert_eq!(first.check_response(), None);
    });
}

/// As in OTP, and other than a call.
#[test]
fn a_process_may_send_a_request_to_itself() {
    run(|| async {
        let me = Ref::from_pid(self_pid());
        let mut request = me.send_request(Command::Keep);
        assert_eq!(request.wait_response(millis(1)).await, None);
        let Command::Keep(reply) = receive().await else {
            panic!("another command");
        };
        reply.send(8);
        assert_eq!(request.receive_response(None).await, Ok(8));
    });
}

#[test]
fn a_deadline_is_the_same_for_several_waits() {
    run(|| async {
        let server = start().await;
        let mut one = server.send_request(Command::Keep);
        let two = server.send_request(Command::Keep);
        let begin = monotonic_time();
        let deadline = ResponseTimeout::At(begin + millis(20));
        assert_eq!(one.wait_response(deadline).await, None);
        let waited = monotonic_time() - begin;
        assert!(waited >= millis(20), "{waited:?}");
        // It is past now: one that is there is still given, one that is not is not waited for.
        answer(&server, [0]).await;
        assert_eq!(one.wait_response(deadline).await, Some(Ok(0)));
        let before = monotonic_time();
        let late = two.receive_response(deadline).await;
        assert_eq!(late, Err(CallError::Timeout((&server).into())));
        if regrow_runtime::simulation::seed().is_some() {
            assert!(monotonic_time() - before < millis(1));
        }
    });
}

#[test]
fn a_time_counts_from_the_first_poll() {
    run(|| async {
        let server = start().await;
        let mut request = server.send_request(Command::Keep);
        let wait = request.wait_response(millis(20));
        regrow_runtime::sleep(millis(30)).await;
        let begin = monotonic_time();
        assert_eq!(wait.await, None);
        assert!(monotonic_time() - begin >= millis(20));
    });
}

#[test]
#[should_panic(expected = "the response to this request has been taken already")]
fn a_response_is_taken_once() {
    regrow_runtime::simulate(1, async {
        let mut request = NOBODY.server_ref().send_request(Command::Keep);
        assert!(request.check_response().is_some());
        let _ = request.check_response();
    });
}

#[test]
fn a_request_says_who_was_asked() {
    run(|| async {
        let mut request = NOBODY.server_ref().send_request(Command::Keep);
        assert_eq!(format!("{request:?}"), "RequestId(nobody)");
        assert!(request.check_response().is_some());
        assert_eq!(format!("{request:?}"), "RequestId(done)");
    });
}
