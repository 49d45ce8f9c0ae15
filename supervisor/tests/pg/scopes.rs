//! Joining and leaving.

use std::thread;

use regrow_runtime::{Handle, Runtime, process_info};
use regrow_supervisor::{StartError, Strategy};

use super::*;

#[test]
fn a_scope_is_a_process_of_that_name_and_is_started_once() {
    run(|| async {
        let pid = SCOPE.start_link().await.unwrap();
        assert_eq!(regrow_runtime::whereis("scope"), Some(pid));
        let again = SCOPE.start_link().await;
        assert_eq!(again, Err(StartError::AlreadyStarted(pid)));
        // Also if the groups are of another type.
        let again = Scope::<u8>::new("scope").start_link().await;
        assert_eq!(again, Err(StartError::AlreadyStarted(pid)));
    });
}

#[test]
fn a_scope_that_is_not_linked_outlives_its_starter() {
    run(|| async {
        let test = self_pid();
        let starter = spawn(async move { send(test, SCOPE.start().await.unwrap()) });
        let scope = receive::<Pid>().await;
        down(starter).await;
        SCOPE.join("g", [test]).await.unwrap();
        assert_eq!(process_info(scope).await.unwrap().links, []);
    });
}

#[test]
fn what_joins_is_put_in_front_and_the_same_process_may_come_again() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (a, b, c) = (member(), member(), member());
        SCOPE.join("g", [a]).await.unwrap();
        SCOPE.join("g", [a, b]).await.unwrap();
        SCOPE.join("g", [c]).await.unwrap();
        assert_eq!(SCOPE.get_members(&"g"), [c, a, b, a]);
        assert_eq!(SCOPE.get_local_members(&"g"), [c, a, b, a]);
        assert_eq!(SCOPE.get_members(&"other"), []);
        assert_eq!(SCOPE.which_groups(), ["g"]);
    });
}

#[test]
fn what_leaves_does_so_once_for_each_time_the_newest_first() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (a, b, c) = (member(), member(), member());
        SCOPE.join("g", [c, a, b, a]).await.unwrap();
        SCOPE.leave("g", [a]).await.unwrap();
        assert_eq!(SCOPE.get_members(&"g"), [c, b, a]);
        SCOPE.leave("g", [a, a, b]).await.unwrap();
        assert_eq!(SCOPE.get_members(&"g"), [c]);
        SCOPE.leave("g", [c]).await.unwrap();
        assert_eq!(SCOPE.which_groups(), [""; 0]);
    });
}

#[test]
fn whoever_is_not_in_the_group_has_not_joined() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (a, b) = (member(), member());
        SCOPE.join("g", [a]).await.unwrap();
        for (group, pids) in [
            ("g", vec![b]),
            ("g", vec![b, b]),
            ("g", vec![]),
            ("h", vec![a]),
        ] {
            assert_eq!(SCOPE.leave(group, pids).await, Err(LeaveError::NotJoined));
        }
        // One of them is enough.
        SCOPE.leave("g", [b, a]).await.unwrap();
        assert_eq!(SCOPE.get_members(&"g"), []);
    });
}

#[test]
fn a_group_that_nobody_joins_does_not_exist() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        SCOPE.join("g", []).await.unwrap();
        assert_eq!(SCOPE.which_groups(), [""; 0]);
    });
}

#[test]
fn a_process_that_ends_leaves_all_its_groups() {
    run(|| async {
        let scope = SCOPE.start_link().await.unwrap();
        let (a, b) = (member(), member());
        SCOPE.join("g", [a, b, a]).await.unwrap();
        SCOPE.join("h", [a]).await.unwrap();
        kill(a).await;
        members_become("g", &[b]).await;
        assert_eq!(SCOPE.which_groups(), ["g"]);
        send(b, ());
        members_become("g", &[]).await;
        assert!(process_info(scope).await.unwrap().monitors.is_empty());
    });
}

#[test]
fn the_dead_may_join_and_leave_at_once() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let dead = member();
        kill(dead).await;
        SCOPE.join("g", [dead, self_pid(), dead]).await.unwrap();
        members_become("g", &[self_pid()]).await;
    });
}

#[test]
fn a_process_that_leaves_its_last_group_is_watched_no_more() {
    run(|| async {
        let scope = SCOPE.start_link().await.unwrap();
        let a = member();
        let watched = async || process_info(scope).await.unwrap().monitors.len();
        SCOPE.join("g", [a, a]).await.unwrap();
        SCOPE.join("h", [a]).await.unwrap();
        assert_eq!(watched().await, 1);
        SCOPE.leave("g", [a, a]).await.unwrap();
        assert_eq!(watched().await, 1);
        SCOPE.leave("h", [a]).await.unwrap();
        assert_eq!(watched().await, 0);
    });
}

#[test]
fn a_scope_that_does_not_run_has_no_groups_and_takes_nobody() {
    run(|| async {
        let me = self_pid();
        assert_eq!(SCOPE.get_members(&"g"), []);
        assert_eq!(SCOPE.join("g", [me]).await, Err(CallError::NoProc));
        let left = SCOPE.leave("g", [me]).await;
        assert_eq!(left, Err(LeaveError::Call(CallError::NoProc)));
        assert_eq!(SCOPE.monitor("g").await, Err(CallError::NoProc));
        assert_eq!(SCOPE.monitor_scope().await, Err(CallError::NoProc));
    });
}

#[test]
fn groups_end_with_their_scope_and_members_go_on() {
    run(|| async {
        let top = supervisor(Strategy::OneForOne).child(SCOPE.child_spec());
        let top = top.start_link().await.unwrap();
        let groups = SCOPE.on(&Handle::current());
        let a = member();
        SCOPE.join("g", [a]).await.unwrap();
        assert_eq!(groups.get_members(&"g"), [a]);
        let scope = pid(&top, "scope").await;
        kill(scope).await;
        assert_eq!(groups.get_members(&"g"), []);
        while groups.join("g", [a]).await.is_err() {
            sleep(millis(1)).await;
        }
        assert_eq!(SCOPE.get_members(&"g"), [a]);
        assert_ne!(pid(&top, "scope").await, scope);
    });
}

#[test]
#[should_panic(expected = "the scope `scope` can only be used in a process, or with `on`")]
fn outside_a_process_a_name_says_nothing() {
    SCOPE.get_members(&"g");
}

#[test]
fn a_thread_joins_processes_and_sees_who_is_there() {
    let runtime = Runtime::new().unwrap();
    let scope = SCOPE.on(&runtime.handle());
    runtime.block_on(async {
        SCOPE.start_link().await.unwrap();
        let member = member();
        let outside = thread::spawn(move || {
            let other = Runtime::new().unwrap();
            let joined = scope.clone();
            other.block_on(async move { joined.join("g", [member]).await.unwrap() });
            scope.get_members(&"g")
        });
        assert_eq!(outside.join().unwrap(), [member]);
        assert_eq!(SCOPE.get_members(&"g"), [member]);
    });
}

/// As a call does.
#[test]
fn a_process_that_asks_for_a_missing_scope_in_a_loop_lets_others_run() {
    run(|| async {
        spawn(async {
            SCOPE.start().await.unwrap();
        });
        while let Err(error) = SCOPE.join("late", [self_pid()]).await {
            assert_eq!(error, CallError::NoProc);
        }
    });
}
