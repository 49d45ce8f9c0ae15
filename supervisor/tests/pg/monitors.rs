//! Those who watch groups.

use regrow_runtime::{Down, MonitorRef, monitor, process_info, try_receive};

use super::*;

/// The next event: of which watch, what, which group, who.
async fn next() -> (MonitorRef, &'static str, &'static str, Vec<Pid>) {
    match receive::<Event<&'static str>>().await {
        Event::Join {
            monitor,
            group,
            pids,
            ..
        } => (monitor, "join", group, pids.to_vec()),
        Event::Leave {
            monitor,
            group,
            pids,
            ..
        } => (monitor, "leave", group, pids.to_vec()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_watches_a_group_is_told_who_is_there_and_then_each_change() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (a, b) = (member(), member());
        SCOPE.join("g", [a]).await.unwrap();
        let (watch, members) = SCOPE.monitor("g").await.unwrap();
        assert_eq!(members, [a]);
        SCOPE.join("h", [b]).await.unwrap();
        SCOPE.join("g", [b, a]).await.unwrap();
        assert_eq!(next().await, (watch, "join", "g", vec![b, a]));
        SCOPE.leave("g", [a, b]).await.unwrap();
        assert_eq!(next().await, (watch, "leave", "g", vec![a, b]));
        SCOPE.leave("g", [b]).await.unwrap_err();
        SCOPE.join("g", []).await.unwrap();
        assert_none::<Event<&str>>().await;
    });
}

#[test]
fn only_those_who_have_left_are_told_of() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (a, b) = (member(), member());
        SCOPE.join("g", [a]).await.unwrap();
        let (watch, _) = SCOPE.monitor("g").await.unwrap();
        SCOPE.leave("g", [b, a, a]).await.unwrap();
        assert_eq!(next().await, (watch, "leave", "g", vec![a]));
    });
}

#[test]
fn a_watch_on_a_group_may_begin_before_it_and_outlives_it() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (watch, members) = SCOPE.monitor("g").await.unwrap();
        assert_eq!(members, []);
        for _ in 0..2 {
            SCOPE.join("g", [self_pid()]).await.unwrap();
            SCOPE.leave("g", [self_pid()]).await.unwrap();
            for what in ["join", "leave"] {
                assert_eq!(next().await, (watch, what, "g", vec![self_pid()]));
            }
        }
    });
}

#[test]
fn who_watches_the_scope_is_told_of_all_groups() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (a, b) = (member(), member());
        SCOPE.join("g", [a, b]).await.unwrap();
        SCOPE.join("h", [b]).await.unwrap();
        let (watch, mut groups) = SCOPE.monitor_scope().await.unwrap();
        groups.sort();
        assert_eq!(groups, [("g", vec![a, b]), ("h", vec![b])]);
        SCOPE.join("i", [a]).await.unwrap();
        assert_eq!(next().await, (watch, "join", "i", vec![a]));
        SCOPE.leave("h", [b]).await.unwrap();
        assert_eq!(next().await, (watch, "leave", "h", vec![b]));
    });
}

#[test]
fn the_end_of_a_member_is_told_once_for_each_time_the_last_joined_first() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (a, b) = (member(), member());
        SCOPE.join("g", [a, a, b]).await.unwrap();
        SCOPE.join("h", [a]).await.unwrap();
        let (watch, _) = SCOPE.monitor_scope().await.unwrap();
        send(a, ());
        for group in ["h", "g", "g"] {
            assert_eq!(next().await, (watch, "leave", group, vec![a]));
        }
        assert_eq!(SCOPE.get_members(&"g"), [b]);
    });
}

#[test]
fn a_dead_process_that_joins_is_told_of_as_joining_and_leaving() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let dead = member();
        kill(dead).await;
        let (watch, _) = SCOPE.monitor("g").await.unwrap();
        SCOPE.join("g", [dead]).await.unwrap();
        assert_eq!(next().await, (watch, "join", "g", vec![dead]));
        assert_eq!(next().await, (watch, "leave", "g", vec![dead]));
    });
}

#[test]
fn each_watch_is_told_that_of_the_scope_before_those_of_the_group() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (first, _) = SCOPE.monitor("g").await.unwrap();
        let (second, _) = SCOPE.monitor("g").await.unwrap();
        let (all, _) = SCOPE.monitor_scope().await.unwrap();
        SCOPE.join("g", [self_pid()]).await.unwrap();
        for watch in [all, first, second] {
            assert_eq!(next().await, (watch, "join", "g", vec![self_pid()]));
        }
        assert_none::<Event<&str>>().await;
    });
}

#[test]
fn a_watch_that_has_ended_tells_nothing_and_what_it_told_is_flushed() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (first, _) = SCOPE.monitor("g").await.unwrap();
        let (second, _) = SCOPE.monitor("g").await.unwrap();
        let (all, _) = SCOPE.monitor_scope().await.unwrap();
        SCOPE.join("g", [self_pid()]).await.unwrap();
        for watch in [first, all] {
            assert_eq!(SCOPE.demonitor(watch).await, Ok(true));
            assert_eq!(SCOPE.demonitor(watch).await, Ok(false));
        }
        SCOPE.leave("g", [self_pid()]).await.unwrap();
        assert_eq!(next().await, (second, "join", "g", vec![self_pid()]));
        assert_eq!(next().await, (second, "leave", "g", vec![self_pid()]));
        assert_none::<Event<&str>>().await;
        // A monitor of another kind is no watch.
        assert_eq!(SCOPE.demonitor(monitor(self_pid())).await, Ok(false));
    });
}

#[test]
fn anybody_may_end_a_watch() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let (watch, _) = SCOPE.monitor("g").await.unwrap();
        let test = self_pid();
        spawn(async move { send(test, SCOPE.demonitor(watch).await) });
        assert_eq!(receive::<Result<bool, CallError>>().await, Ok(true));
        SCOPE.join("g", [test]).await.unwrap();
        assert_none::<Event<&str>>().await;
    });
}

#[test]
fn a_watch_ends_with_its_process() {
    run(|| async {
        let scope = SCOPE.start_link().await.unwrap();
        let test = self_pid();
        let watcher = spawn(async move {
            let (of_group, _) = SCOPE.monitor("g").await.unwrap();
            let (of_all, _) = SCOPE.monitor_scope().await.unwrap();
            send(test, [of_group, of_all]);
            std::future::pending::<()>().await;
        });
        let watches = receive::<[MonitorRef; 2]>().await;
        assert_eq!(process_info(scope).await.unwrap().monitors.len(), 2);
        kill(watcher).await;
        while !process_info(scope).await.unwrap().monitors.is_empty() {
            sleep(millis(1)).await;
        }
        for watch in watches {
            assert_eq!(SCOPE.demonitor(watch).await, Ok(false));
        }
    });
}

#[test]
fn a_member_that_watches_and_ends_leaves_as_any_other() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let test = self_pid();
        let both = spawn(async move {
            SCOPE.join("g", [self_pid()]).await.unwrap();
            SCOPE.monitor("g").await.unwrap();
            send(test, ());
            std::future::pending::<()>().await;
        });
        receive::<()>().await;
        let (watch, members) = SCOPE.monitor("g").await.unwrap();
        assert_eq!(members, [both]);
        kill(both).await;
        assert_eq!(next().await, (watch, "leave", "g", vec![both]));
    });
}

#[test]
fn who_watches_is_not_told_of_the_end_of_the_scope() {
    run(|| async {
        let scope = SCOPE.start_link().await.unwrap();
        SCOPE.join("g", [self_pid()]).await.unwrap();
        SCOPE.monitor("g").await.unwrap();
        let end = monitor(scope);
        exit(scope, ExitReason::Kill);
        let down = receive::<Down>().matching(move |down| down.reference == end);
        assert_eq!(down.await.reason, ExitReason::Killed);
        assert!(try_receive::<Event<&str>>().is_none());
    });
}
