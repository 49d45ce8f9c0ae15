//! What is the user's may panic when it is dropped, wherever that happens: it ends nobody who only
//! had it by the way.

use std::fmt;
use std::sync::Arc;

use regrow_runtime::{
    ExitReason, Pid, exit, is_alive, receive, reply_channel, self_pid, send, sleep, spawn,
    spawn_link, whereis,
};
use regrow_supervisor::gen_event::{self, EventManager, Handler};
use regrow_supervisor::gen_statem::{self, Event, StateMachine, Transition};
use regrow_supervisor::{
    Applications, Child, ChildSpec, Context, DynamicSupervisor, DynamicSupervisorRef, Next,
    Registry, Restart, ServerRef, Strategy, SupervisorRef, Task, Unique, pg, sys,
};

use crate::common::*;

#[derive(Debug)]
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("boom");
    }
}

/// An error that panics when it is dropped.
#[derive(Debug)]
struct Explosive {
    _bomb: Bomb,
}

impl fmt::Display for Explosive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handle with care")
    }
}

impl std::error::Error for Explosive {}

/// A spec whose start function has captured a bomb.
fn armed(id: &'static str) -> ChildSpec {
    let (test, bomb) = (self_pid(), Bomb);
    ChildSpec::new(id, move || {
        let _ = &bomb;
        Worker::start_link((id, test))
    })
}

async fn with_a_worker() -> SupervisorRef {
    let sup = supervisor(Strategy::OneForOne).child(worker("a"));
    let sup = sup.start_link().await.unwrap();
    started("a").await;
    sup
}

async fn dynamic() -> DynamicSupervisorRef {
    DynamicSupervisor::new().start_link().await.unwrap()
}

async fn shut_down(pid: Pid) {
    exit(pid, ExitReason::Shutdown);
    assert_eq!(exited(pid).await, ExitReason::Shutdown);
}

#[test]
fn a_stray_message_ends_no_supervisor() {
    run(|| async {
        let sup = with_a_worker().await;
        send(sup.pid().unwrap(), Bomb);
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
        let dynamic = dynamic().await;
        send(dynamic.pid().unwrap(), Bomb);
        assert_eq!(tuple(dynamic.count_children().await.unwrap()), [0; 4]);
        shut_down(sup.pid().unwrap()).await;
        shut_down(dynamic.pid().unwrap()).await;
    });
}

#[test]
fn a_stray_message_ends_no_other_process_of_this_library() {
    const REGISTRY: Registry<u32, (), Unique> = Registry::unique("numbers");
    const SCOPE: pg::Scope<u32> = pg::Scope::new("numbers_too");
    run(|| async {
        let registry = REGISTRY.start_link().await.unwrap();
        let partitions = registry.which_children().await.unwrap();
        let scope = SCOPE.start_link().await.unwrap();
        let applications = Applications::start_link().await.unwrap();
        let all = [
            partitions[0].state.pid().unwrap(),
            scope,
            applications.pid().unwrap(),
        ];
        for pid in all {
            send(pid, Bomb);
            // Behind the message.
            sys::get_status(&ServerRef::<()>::from_pid(pid))
                .await
                .unwrap();
        }
    });
}

#[test]
fn messages_that_came_too_late_are_dropped_one_by_one() {
    run(|| async {
        let sup = dynamic().await;
        sup.start_child(worker("a")).await.unwrap();
        let pid = sup.pid().unwrap();
        sys::suspend(&ServerRef::<()>::from_pid(pid)).await.unwrap();
        for _ in 0..3 {
            send(pid, Bomb);
        }
        shut_down(pid).await;
        assert_eq!(terminations(1).await, ["a"]);
    });
}

#[test]
fn a_child_whose_reason_panics_is_treated_as_any_other() {
    run(|| async {
        let sup = with_a_worker().await;
        end(
            pid(&sup, "a").await,
            ExitReason::error(Explosive { _bomb: Bomb }),
        );
        started("a").await;
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);

        let sup = dynamic().await;
        let crash = || async { ExitReason::error(Explosive { _bomb: Bomb }) };
        let start = move || async move { Ok::<_, ExitReason>(spawn_link(crash())) };
        let spec = ChildSpec::new("brief", start).restart(Restart::Temporary);
        sup.start_child(spec).await.unwrap();
        while sup.count_children().await.unwrap().active > 0 {
            sleep(millis(1)).await;
        }
    });
}

#[test]
fn a_spec_that_is_forgotten_ends_no_supervisor() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let dynamic = dynamic().await;
        for restart in RESTARTS {
            sup.start_child(armed("a").restart(restart)).await.unwrap();
            sup.terminate_child("a").await.unwrap();
            if restart != Restart::Temporary {
                sup.delete_child("a").await.unwrap();
            }
            let child = dynamic.start_child(armed("b").restart(restart)).await;
            dynamic.terminate_child(child.unwrap()).await.unwrap();
        }
        assert_eq!(counts(&sup).await, [0; 4]);
    });
}

#[test]
fn specs_are_dropped_with_their_supervisor_one_by_one() {
    run(|| async {
        let sup = supervisor(Strategy::OneForOne);
        let sup = sup.children([armed("a"), armed("b"), armed("c")]);
        let sup = sup.start_link().await.unwrap();
        let dynamic = dynamic().await;
        for _ in 0..3 {
            dynamic.start_child(armed("d")).await.unwrap();
        }
        shut_down(sup.pid().unwrap()).await;
        shut_down(dynamic.pid().unwrap()).await;
    });
}

#[test]
fn an_info_that_nobody_has_asked_for_ends_no_supervisor() {
    run(|| async {
        let test = self_pid();
        let start = move || async move {
            let worker = Worker::start_link(("a", test)).await?;
            Ok::<_, ExitReason>(Child::from(worker).with_info(Bomb))
        };
        let sup = supervisor(Strategy::OneForOne).child(ChildSpec::new("a", start));
        let sup = sup.start_link().await.unwrap();
        end(started("a").await, died());
        started("a").await;
        assert_eq!(counts(&sup).await, [1, 1, 0, 1]);
    });
}

#[test]
fn what_the_dead_had_registered_harms_no_other_owner() {
    const REGISTRY: Registry<u32, Arc<Bomb>, Unique> = Registry::unique("bombs");
    fn owner(keys: std::ops::Range<u32>) -> Pid {
        spawn(async move {
            for key in keys {
                REGISTRY.register(key, Arc::new(Bomb)).unwrap();
            }
            receive::<()>().await;
        })
    }
    run(|| async {
        REGISTRY.start_link().await.unwrap();
        let (one, other) = (owner(0..3), owner(3..4));
        while REGISTRY.count() < 4 {
            sleep(millis(1)).await;
        }
        exit(one, ExitReason::Kill);
        while REGISTRY.count() > 1 {
            sleep(millis(1)).await;
        }
        assert!(is_alive(other).await);
        assert_eq!(REGISTRY.whereis(&3), Some(other));
    });
}

/// A server that keeps nothing.
struct Empty;

impl GenServer for Empty {
    type Args = ();
    type Message = fn(&mut Context<Self>) -> Next;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Empty)
    }

    async fn handle(&mut self, work: Self::Message, cx: &mut Context<Self>) -> Next {
        work(cx)
    }
}

#[test]
fn a_stray_message_ends_no_server_that_does_not_want_it() {
    run(|| async {
        let server = Empty::start_link(()).await.unwrap();
        let pid = server.pid().unwrap();
        send(pid, Bomb);
        sys::get_status(&server).await.unwrap();
    });
}

#[test]
fn a_late_reply_that_nobody_waits_for_changes_no_reason() {
    run(|| async {
        let server = Empty::start_link(()).name("empty").await.unwrap();
        server.cast(|cx| {
            let (reply, gone) = reply_channel();
            drop(gone);
            cx.stop_and_reply(ExitReason::Shutdown, reply, Bomb)
        });
        assert_eq!(exited(server.pid().unwrap()).await, ExitReason::Shutdown);
        assert_eq!(whereis("empty"), None);
    });
}

/// A machine that postpones everything until it is told to go on.
struct Machine(Pid);

/// A state that can neither be dropped nor compared without a panic, if it is said so.
#[derive(Debug)]
struct Mood {
    comparable: bool,
    droppable: bool,
}

const CALM: Mood = Mood {
    comparable: true,
    droppable: true,
};

impl PartialEq for Mood {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.comparable && other.comparable, "do not compare");
        self.droppable == other.droppable
    }
}

impl Drop for Mood {
    fn drop(&mut self) {
        assert!(self.droppable, "do not drop");
    }
}

enum Input {
    Become(Mood),
    Postpone(Bomb),
}

impl StateMachine for Machine {
    type Args = Pid;
    type State = Mood;
    type Message = Input;
    type Timer = ();

    async fn init(
        test: Pid,
        _: &mut gen_statem::Context<Self>,
    ) -> Result<(Mood, Self), ExitReason> {
        Ok((CALM, Machine(test)))
    }

    async fn handle(
        &mut self,
        event: Event<Input>,
        _: &Mood,
        cx: &mut gen_statem::Context<Self>,
    ) -> Transition<Mood> {
        match event {
            Event::Message(Input::Become(mood)) => return Transition::NextState(mood),
            other => cx.postpone(other),
        }
        Transition::KeepState
    }

    async fn terminate(
        &mut self,
        reason: &ExitReason,
        _: &Mood,
        _: &mut gen_statem::Context<Self>,
    ) {
        send(self.0, reason.clone());
    }
}

#[test]
fn a_state_that_cannot_be_compared_or_dropped_is_a_panic_and_terminate_runs() {
    run(|| async {
        let machine = Machine::start_link(self_pid()).await.unwrap();
        let comparable = false;
        machine.cast(Input::Become(Mood { comparable, ..CALM }));
        let reason = receive::<ExitReason>().await;
        assert!(reason.to_string().ends_with("do not compare"), "{reason}");
        assert_eq!(exited(machine.pid().unwrap()).await, reason);

        let machine = Machine::start_link(self_pid()).await.unwrap();
        let droppable = false;
        machine.cast(Input::Become(Mood { droppable, ..CALM }));
        machine.cast(Input::Become(CALM));
        let reason = receive::<ExitReason>().await;
        assert!(reason.to_string().ends_with("do not drop"), "{reason}");
        assert_eq!(exited(machine.pid().unwrap()).await, reason);
    });
}

#[test]
fn what_a_machine_has_postponed_is_dropped_one_by_one() {
    run(|| async {
        for kill in [false, true] {
            let machine = Machine::start_link(self_pid()).await.unwrap();
            for _ in 0..3 {
                machine.cast(Input::Postpone(Bomb));
            }
            sys::get_status(&machine).await.unwrap();
            let pid = machine.pid().unwrap();
            if kill {
                exit(pid, ExitReason::Kill);
                assert_eq!(exited(pid).await, ExitReason::Killed);
            } else {
                shut_down(pid).await;
            }
        }
    });
}

/// A handler that does nothing.
struct Idle {
    _bomb: Bomb,
}

#[derive(Clone)]
struct Happened(#[expect(dead_code, reason = "for its drop")] Arc<Bomb>);

impl Handler<Happened> for Idle {
    type Request = ();

    async fn handle_event(&mut self, _: Happened) -> gen_event::Next {
        gen_event::Next::Continue
    }
}

#[test]
fn neither_events_nor_messages_nor_handlers_end_a_manager() {
    run(|| async {
        let manager = EventManager::new().start_link().await.unwrap();
        let pid = manager.pid().unwrap();
        manager.notify(Happened(Arc::new(Bomb)));
        send(pid, Bomb);
        for id in ["a", "b", "c"] {
            let added = manager.add_handler(id, || async { Ok(Idle { _bomb: Bomb }) });
            added.await.unwrap();
        }
        send(pid, Bomb);
        assert_eq!(manager.which_handlers().await.unwrap().len(), 3);
        exit(pid, ExitReason::Kill);
        assert_eq!(exited(pid).await, ExitReason::Killed);
    });
}

#[test]
fn what_a_stream_has_ready_is_dropped_one_by_one() {
    run(|| async {
        let all = (0..8).map(|_| ());
        let mut stream = Task::async_stream(all, |()| async { Bomb }).max_concurrency(8);
        std::mem::forget(stream.next().await);
        sleep(millis(5)).await;
        drop(stream);
        alone().await;
    });
}
