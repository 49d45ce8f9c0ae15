//! What may happen at the same time. Each of these ends, and with one of the answers that the
//! rules allow; which one differs from run to run.

use std::time::Duration;

use regrow_runtime::{Down, exit, is_alive, processes, self_pid, sleep, spawn, yield_now};
use regrow_supervisor::{ChildSpec, RequestIds, Strategy};

use super::*;

const ROUNDS: u32 = 100;

/// To let others get in at one time or another.
async fn moment(round: u32) {
    for _ in 0..round % 4 {
        yield_now().await;
    }
}

#[test]
fn a_call_against_the_end_of_the_server_is_answered_or_told_why_not() {
    run(|| async {
        for round in 0..ROUNDS {
            let server = start().await;
            let ends = server.clone();
            spawn(async move {
                moment(round).await;
                match round % 3 {
                    0 => exit(ends.pid().unwrap(), ExitReason::Kill),
                    1 => drop(ends.stop(died(), None).await),
                    _ => ends.cast(Command::Panic(regrow_runtime::reply_channel().0)),
                }
            });
            moment(round / 4).await;
            loop {
                let answer = server.call(|reply| Command::Echo(round, reply));
                match answer.no_timeout().await {
                    Ok(n) => assert_eq!(n, round),
                    Err(CallError::NoProc) => break,
                    Err(CallError::Exit(reason)) => match round % 3 {
                        0 => assert_eq!(reason, ExitReason::Killed),
                        1 => assert_eq!(reason, died()),
                        _ => assert!(matches!(reason, ExitReason::Panic(_))),
                    },
                    Err(other) => panic!("{other}"),
                }
            }
        }
    });
}

/// The signals of one process keep their order, so the request comes second.
#[test]
fn a_call_to_a_process_that_was_just_sent_an_exit_gets_that_reason_or_noproc() {
    run(|| async {
        for _ in 0..ROUNDS {
            for (pid, server) in start_known().await {
                exit(pid, ExitReason::Kill);
                match server
                    .call(|reply| Command::Echo(1, reply))
                    .no_timeout()
                    .await
                {
                    Err(CallError::NoProc | CallError::Exit(ExitReason::Killed)) => {}
                    other => panic!("{server}: {other:?}"),
                }
                while is_alive(pid).await {}
            }
        }
    });
}

#[test]
fn a_reply_against_the_death_of_the_caller_harms_nobody() {
    run(|| async {
        let server = start().await;
        for round in 0..ROUNDS {
            let calls = server.clone();
            let caller = spawn(async move {
                let mut requests = RequestIds::new();
                requests.send_request(&calls, Command::Keep, 0);
                let _ = calls.call(|reply| Command::Echo(round, reply)).await;
                let _ = requests.receive_response(None, true).await;
            });
            moment(round).await;
            exit(caller, ExitReason::Kill);
            server.cast(Command::AnswerAll(round));
            while is_alive(caller).await {}
            handled(&server).await;
            assert_eq!(wanted(&server).await, 0);
        }
        assert_eq!(processes().len(), 2);
    });
}

#[test]
fn a_reply_against_the_timeout_comes_or_is_dropped() {
    run(|| async {
        let server = start().await;
        for round in 0..30 {
            let mut request = server.send_request(Command::Keep);
            let answers = server.clone();
            spawn(async move {
                sleep(Duration::from_millis(2)).await;
                answers.cast(Command::Answer(round, round as u32));
            });
            let first = request.wait_response(millis(round as u64 % 4)).await;
            let answer = match first {
                Some(answer) => answer,
                None => request.receive_response(millis(round as u64 % 3)).await,
            };
            match answer {
                Ok(n) => assert_eq!(n, round as u32),
                Err(error) => assert_eq!(error, CallError::Timeout((&server).into())),
            }
            while wanted(&server).await > 0 {
                yield_now().await;
            }
        }
        assert_none::<u32>().await;
    });
}

#[test]
fn a_name_against_restarts_reaches_some_incarnation_or_says_why_not() {
    run(|| async {
        let start = || Server::start_link(()).name(NAME);
        regrow_supervisor::Supervisor::new(Strategy::OneForOne)
            .intensity(1_000, secs(3600))
            .child(ChildSpec::new("server", start))
            .start_link()
            .await
            .unwrap();
        let test = self_pid();
        for caller in 0..3_u32 {
            spawn(async move {
                let server = NAME.server_ref();
                let mut answered = 0;
                while answered < ROUNDS {
                    let answer = server.call(|reply| Command::Echo(caller, reply));
                    match answer.no_timeout().await {
                        Ok(n) => {
                            assert_eq!(n, caller);
                            answered += 1;
                            server.cast(Command::Panic(regrow_runtime::reply_channel().0));
                        }
                        Err(CallError::NoProc) => yield_now().await,
                        Err(CallError::Exit(ExitReason::Panic(_))) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                regrow_runtime::send(test, caller);
            });
        }
        for _ in 0..3 {
            receive::<u32>().await;
        }
        assert_none::<Down>().await;
    });
}
