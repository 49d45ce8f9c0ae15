//! What `init` may answer, and how a server may be born.

use std::time::Duration;

use regrow_runtime::{
    Down, Exit, ExitReason, MailboxPolicy, Priority, exit_with, process_info, receive,
    receive_down, register, self_pid, send, spawn_monitor, unregister, whereis,
};
use regrow_supervisor::{
    ChildSpec, ChildState, Next, ServerRef, StartChildError, StartError, Strategy,
};

use crate::common::*;
use crate::probe::{self, Do, Probe, act, probe, step};

type Refusal = fn(&probe::Context) -> ExitReason;

/// All that `init` may say on purpose.
const REFUSALS: [Refusal; 2] = [|cx| cx.ignore(), |cx| cx.fail(ExitReason::error("foobar"))];

fn expected(refusal: usize) -> StartError {
    match refusal {
        0 => StartError::Ignored,
        _ => StartError::Exit(ExitReason::error("foobar")),
    }
}

#[test]
fn ignore_and_fail_end_the_process_as_normal_with_the_name_free_and_nothing_left() {
    run(|| async {
        for round in 0..100 {
            let refusal = REFUSALS[round % 2];
            let args = (
                self_pid(),
                Box::new(move |cx: &mut probe::Context| Err(refusal(cx))) as _,
            );
            let error = match round % 4 {
                0 | 1 => Probe::start(args).name("refuses").await.unwrap_err(),
                2 => Probe::start_link(args).name("refuses").await.unwrap_err(),
                _ => Probe::start_monitor(args)
                    .name("refuses")
                    .await
                    .unwrap_err(),
            };
            assert_eq!(error, expected(round % 2));
            assert_eq!(whereis("refuses"), None);
        }
        assert_none::<Exit>().await;
        assert_none::<Down>().await;
        assert_none::<probe::Step>().await;
        alone().await;
    });
}

#[test]
fn a_starter_that_does_not_trap_survives_ignore_and_fail() {
    run(|| async {
        for (at, refusal) in REFUSALS.into_iter().enumerate() {
            let test = self_pid();
            let (_, monitor) = spawn_monitor(async move {
                let error = probe(move |cx| Err(refusal(cx))).await.unwrap_err();
                send(test, error);
            });
            assert_eq!(receive_down(monitor).await.reason, ExitReason::Normal);
            assert_eq!(receive::<StartError>().await, expected(at));
        }
    });
}

#[test]
fn ignore_leaves_init_by_exit_with_as_well() {
    run(|| async {
        let start = probe(|cx| exit_with(cx.ignore()));
        assert_eq!(start.await.unwrap_err(), StartError::Ignored);
    });
}

#[test]
fn a_server_that_ends_later_with_what_ignore_made_has_failed() {
    run(|| async {
        let server = probe::started().await;
        server.cast(act(|_, cx| Next::Stop(cx.ignore())));
        assert!(step().await.starts_with("terminate init has chosen"));
        let reason = exited(server.pid().unwrap()).await;
        assert!(matches!(reason, ExitReason::Error(_)));
    });
}

#[test]
fn a_supervisor_goes_on_without_a_child_that_is_ignored() {
    run(|| async {
        let test = self_pid();
        let ignored = move || {
            let init = |cx: &mut probe::Context| Err(cx.ignore());
            Probe::start_link((test, Box::new(init)))
        };
        let sup = supervisor(Strategy::OneForOne)
            .child(ChildSpec::new("ignored", ignored))
            .child(worker("one"))
            .start_link()
            .await
            .unwrap();
        assert_eq!(state(&sup, "ignored").await, ChildState::Stopped);
        assert_eq!(counts(&sup).await, [2, 1, 0, 2]);
        let started = sup.start_child(ChildSpec::new("more", ignored)).await;
        assert_eq!(started, Err(StartChildError::Ignored));
        // Also when the start function says so by `?`, as an error of its own making.
        let wrapped = ChildSpec::new("wrapped", move || async move {
            let server = ignored().await?;
            Ok::<_, ExitReason>(server)
        });
        assert_eq!(
            sup.start_child(wrapped).await,
            Err(StartChildError::Ignored)
        );
    });
}

#[test]
fn start_monitor_has_the_monitor_from_the_first_moment_and_no_link() {
    run(|| async {
        let args = (self_pid(), Box::new(|_: &mut probe::Context| Ok(())) as _);
        let (server, monitor) = Probe::start_monitor(args).name("watched").await.unwrap();
        let info = process_info(server.pid().unwrap()).await.unwrap();
        assert_eq!(info.monitored_by, [self_pid()]);
        assert!(info.links.is_empty());
        server.cast(probe::answer(Next::Stop(died())));
        assert_eq!(receive_down(monitor).await.reason, died());
        assert_none::<Exit>().await;
    });
}

#[test]
fn start_monitor_fails_as_start_does_and_leaves_no_down() {
    run(|| async {
        let first = probe(|_| Ok(())).name("taken").await.unwrap();
        let args = |init: probe::Init| (self_pid(), init);
        let fine = Probe::start_monitor(args(Box::new(|_| Ok(()))));
        let taken = fine.name("taken").await.unwrap_err();
        assert_eq!(taken, StartError::AlreadyStarted(first.pid().unwrap()));
        let fails = Probe::start_monitor(args(Box::new(|_| Err(died())))).await;
        assert_eq!(fails.unwrap_err(), StartError::Exit(died()));
        let limit = Duration::from_millis(5);
        let late = Hangs::start_monitor(()).timeout(limit).await.unwrap_err();
        assert_eq!(late, StartError::Timeout);
        assert_none::<Down>().await;
    });
}

/// A server whose `init` never ends.
struct Hangs;

impl GenServer for Hangs {
    type Args = ();
    type Message = ();

    async fn init(_: (), _: &mut super::Context<Self>) -> Result<Self, ExitReason> {
        std::future::pending().await
    }

    async fn handle(&mut self, _: (), _: &mut super::Context<Self>) -> Next {
        Next::Continue
    }
}

#[test]
fn what_a_server_is_born_with_holds_in_init_already() {
    run(|| async {
        struct Born(regrow_runtime::ProcessInfo);
        impl GenServer for Born {
            type Args = ();
            type Message = regrow_runtime::ReplyTo<regrow_runtime::ProcessInfo>;
            async fn init(_: (), _: &mut super::Context<Self>) -> Result<Self, ExitReason> {
                Ok(Born(process_info(self_pid()).await.unwrap()))
            }
            async fn handle(&mut self, reply: Self::Message, _: &mut super::Context<Self>) -> Next {
                reply.send(self.0.clone());
                Next::Continue
            }
        }
        let server = Born::start_link(())
            .name("born")
            .label("with it all")
            .priority(Priority::High)
            .mailbox_limit(7, MailboxPolicy::Refuse)
            .trap_exit(true)
            .await
            .unwrap();
        let info = server.call(|reply| reply).await.unwrap();
        assert_eq!(info.name.as_deref(), Some("born"));
        assert_eq!(info.label.as_deref(), Some("with it all"));
        assert_eq!(info.priority, Priority::High);
        assert_eq!(info.mailbox_limit.unwrap().max, 7);
        assert!(info.trap_exit);
        assert_eq!(info.parent, Some(self_pid()));
    });
}

#[test]
fn init_may_register_a_name_if_the_server_has_none() {
    run(|| async {
        let server = probe(|_| {
            register("by itself", self_pid())?;
            Ok(())
        });
        let server = server.await.unwrap();
        assert_eq!(whereis("by itself"), server.pid());
        server.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(whereis("by itself"), None);
        // A second name is refused to it, and that is the error of its start.
        let twice = probe(|_| {
            register("another", self_pid())?;
            Ok(())
        });
        let error = twice.name("one").await.unwrap_err();
        assert!(matches!(error, StartError::Exit(_)), "{error:?}");
        assert_eq!((whereis("one"), whereis("another")), (None, None));
        // It may change it, and starts under the new one.
        let renamed = probe(|_| {
            unregister("one").unwrap();
            register("another", self_pid())?;
            Ok(())
        });
        let renamed = renamed.name("one").await.unwrap();
        assert_eq!((whereis("one"), whereis("another")), (None, renamed.pid()));
    });
}

#[test]
fn what_init_sends_to_itself_is_handled_when_it_is_done() {
    run(|| async {
        let server = probe(|cx| {
            send(cx.pid(), Do::Mark("to itself"));
            cx.server_ref().cast(Do::Mark("to its reference"));
            Ok(())
        });
        server.await.unwrap();
        assert_eq!(probe::steps(2).await, ["to itself", "to its reference"]);
    });
}

#[test]
fn enter_loop_makes_a_process_a_server_whose_parent_spawned_it() {
    run(|| async {
        let test = self_pid();
        let enter = move |first| {
            regrow_runtime::proc_lib::start_link(move |ready| async move {
                regrow_runtime::trap_exit(true);
                ready.ack(());
                let probe = Probe {
                    test,
                    continues: vec![("first", Next::Continue)],
                    terminate: || {},
                    hibernate: || {},
                };
                probe.enter_loop(first).await
            })
        };
        let pid = enter(Next::HandleContinue).await.unwrap().pid;
        let server = ServerRef::<Do>::from_pid(pid);
        server.cast(Do::Mark("handled"));
        assert_eq!(probe::steps(2).await, ["first", "handled"]);
        server.cast(probe::answer(Next::Stop(died())));
        assert_eq!(step().await, "terminate died");
        assert_eq!(exited(pid).await, died());
        // The exit of its parent ends it, normal or not, and is no info.
        let pid = enter(Next::Continue).await.unwrap().pid;
        regrow_runtime::exit(pid, ExitReason::Normal);
        assert_eq!(step().await, "terminate normal");
        assert_eq!(exited(pid).await, ExitReason::Normal);
        let pid = enter(Next::Timeout(millis(1))).await.unwrap().pid;
        assert_eq!(step().await, "timeout");
        assert_eq!(regrow_runtime::proc_lib::stop(pid).await, Ok(()));
        assert_eq!(step().await, "terminate normal");
        assert_eq!(exited(pid).await, ExitReason::Normal);
    });
}
