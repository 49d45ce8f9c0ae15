use regrow_runtime::{ExitReason, exit, process_info, receive, self_pid};
use regrow_supervisor::{
    CallError, ChildSpec, ChildState, DynamicSupervisor, DynamicSupervisorRef, GenServer, NodeKind,
    Restart, Shutdown, Strategy, Supervisor, print_tree,
};

use crate::common::*;

/// A tree of all kinds: static, dynamic, workers, one of them stopped.
async fn plant() -> regrow_supervisor::SupervisorRef {
    let test = self_pid();
    let store = move || {
        Supervisor::new(Strategy::RestForOne)
            .child(ChildSpec::new("table", move || {
                Worker::start_link(("table", test))
            }))
            .child(ChildSpec::new("index", move || {
                Worker::start_link(("index", test))
            }))
            .start_link()
    };
    let sup = supervisor(Strategy::OneForOne)
        .name("app")
        .child(ChildSpec::supervisor("store", store))
        .child(ChildSpec::supervisor("rooms", || {
            DynamicSupervisor::new().name("rooms").start_link()
        }))
        .child(
            ChildSpec::new("clock", move || {
                Worker::start_link(("clock", test)).name("wall")
            })
            .restart(Restart::Transient),
        )
        .child(worker("stopped"))
        .start_link()
        .await
        .unwrap();
    sup.terminate_child("stopped").await.unwrap();
    let rooms = DynamicSupervisorRef::named("rooms");
    rooms
        .start_child(worker("lobby").restart(Restart::Temporary))
        .await
        .unwrap();
    sup
}

#[test]
fn the_tree_shows_every_supervisor_and_worker() {
    run(|| async {
        let sup = plant().await;
        let root = sup.pid().unwrap();
        let tree = print_tree(root).await.unwrap();
        assert_eq!(tree.state, ChildState::Running(root));
        assert_eq!(tree.kind, NodeKind::Supervisor(Strategy::OneForOne));
        let kinds: Vec<NodeKind> = tree.children.iter().map(|child| child.kind).collect();
        let expected = [
            NodeKind::Supervisor(Strategy::RestForOne),
            NodeKind::DynamicSupervisor,
            NodeKind::Worker,
            NodeKind::Worker,
        ];
        assert_eq!(kinds, expected);

        let mut drawing = tree.to_string();
        let mut pids = vec![root];
        for id in ["store", "rooms", "clock"] {
            pids.push(pid(&sup, id).await);
        }
        let store = tree.children[0].children.iter();
        let lobby = tree.children[1].children.iter();
        pids.extend(store.chain(lobby).map(|child| child.state.pid().unwrap()));
        for (pid, letter) in pids.iter().zip('A'..) {
            drawing = drawing.replace(&pid.to_string(), &letter.to_string());
        }
        let expected = "\
app A (supervisor, one_for_one)
├── store B (supervisor, rest_for_one, permanent)
│   ├── table E (worker, permanent)
│   └── index F (worker, permanent)
├── rooms C (dynamic supervisor, permanent)
│   └── lobby G (worker, temporary)
├── clock = wall D (worker, transient)
└── stopped stopped (worker, permanent)";
        assert_eq!(drawing, expected);
    });
}

#[test]
fn the_children_of_a_dynamic_supervisor_come_by_pid() {
    run(|| async {
        let rooms = DynamicSupervisor::new().start_link().await.unwrap();
        for _ in 0..20 {
            rooms.start_child(worker("room")).await.unwrap();
        }
        let tree = print_tree(rooms.pid().unwrap()).await.unwrap();
        let pids: Vec<_> = tree.children.iter().map(|room| room.state.pid()).collect();
        assert_eq!(pids.len(), 20);
        assert!(pids.is_sorted());
    });
}

#[test]
fn a_child_said_to_be_a_supervisor_that_is_none_is_shown_as_silent() {
    run(|| async {
        let test = self_pid();
        let pretender = move || Worker::start_link(("pretender", test));
        let sup = supervisor(Strategy::OneForOne)
            .child(ChildSpec::supervisor("pretender", pretender))
            .start_link()
            .await
            .unwrap();
        let tree = print_tree(sup.pid().unwrap()).await.unwrap();
        assert_eq!(tree.children[0].kind, NodeKind::SilentSupervisor);
    });
}

#[test]
fn workers_are_not_asked() {
    run(|| async {
        // A process that leaves questions in its mailbox: asking would mean waiting.
        let idle = || async { Ok::<_, ExitReason>(spawn_trapping(receive::<()>())) };
        let sup = supervisor(Strategy::OneForOne)
            .child(ChildSpec::new("idle", idle).shutdown(Shutdown::BrutalKill))
            .start_link()
            .await
            .unwrap();
        let pid = pid(&sup, "idle").await;
        print_tree(sup.pid().unwrap()).await.unwrap();
        let info = process_info(pid).await.unwrap();
        assert_eq!(info.message_queue_len, 0);
    });
}

#[test]
fn the_root_must_be_a_supervisor() {
    run(|| async {
        let worker = Worker::start_link(("one", self_pid())).await.unwrap();
        let pid = worker.pid().unwrap();
        assert_eq!(print_tree(pid).await, Err(CallError::NoReply));
        worker.stop(ExitReason::Normal, None).await.unwrap();
        assert_eq!(print_tree(pid).await, Err(CallError::NoProc));
    });
}

#[test]
fn a_supervisor_whose_child_is_one_of_those_above_it_is_shown_once() {
    run(|| async {
        let root = supervisor(Strategy::OneForOne).start_link().await.unwrap();
        let pid = root.pid().unwrap();
        let up =
            move || ChildSpec::supervisor("up", move || async move { Ok::<_, ExitReason>(pid) });
        let below = move || supervisor(Strategy::OneForOne).child(up()).start_link();
        root.start_child(ChildSpec::supervisor("below", below))
            .await
            .unwrap();
        let tree = print_tree(pid).await.unwrap();
        let up = &tree.children[0].children[0];
        assert_eq!(up.state, ChildState::Running(pid));
        assert_eq!(
            (up.kind, up.children.len()),
            (NodeKind::SilentSupervisor, 0)
        );
        // By themselves they would wait for each other.
        exit(tree.children[0].state.pid().unwrap(), ExitReason::Kill);
        exit(pid, ExitReason::Kill);
        assert_eq!(supervisor_exited(&root).await, ExitReason::Killed);
    });
}
