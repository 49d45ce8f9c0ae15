//! Many at once, and what must hold whoever comes first.

use std::collections::HashMap;

use regrow_runtime::{Down, monitor, try_receive, yield_now};

use super::*;

#[test]
fn whoever_joins_while_it_ends_is_gone_in_the_end() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        for _ in 0..50 {
            let pid = spawn(async {
                loop {
                    SCOPE.join("g", [self_pid()]).await.unwrap();
                }
            });
            yield_now().await;
            yield_now().await;
            kill(pid).await;
        }
        members_become("g", &[]).await;
    });
}

#[test]
fn what_is_told_adds_up_to_what_is_there() {
    run(|| async {
        SCOPE.start_link().await.unwrap();
        let groups = ["a", "b", "c"];
        let start = || {
            spawn(async move {
                for round in 0..20 {
                    let group = groups[round % 3];
                    SCOPE.join(group, [self_pid()]).await.unwrap();
                    if round % 4 == 1 {
                        SCOPE.leave(group, [self_pid()]).await.unwrap();
                    }
                }
            })
        };
        let first: Vec<_> = (0..10).map(|_| monitor(start())).collect();
        yield_now().await;
        let (_, members) = SCOPE.monitor_scope().await.unwrap();
        let mut mirror: HashMap<&str, Vec<Pid>> = members.into_iter().collect();
        let then: Vec<_> = (0..10).map(|_| monitor(start())).collect();
        for end in first.into_iter().chain(then) {
            receive::<Down>()
                .matching(move |down| down.reference == end)
                .await;
        }
        for group in groups {
            members_become(group, &[]).await;
        }
        // Everybody has come and gone, and so they have in the mirror, when the scope has said so.
        SCOPE.join("a", []).await.unwrap();
        while let Some(event) = try_receive::<Event<&str>>() {
            match event {
                Event::Join { group, pids, .. } => {
                    mirror
                        .entry(group)
                        .or_default()
                        .splice(0..0, pids.iter().copied());
                }
                Event::Leave { group, pids, .. } => {
                    let members = mirror.get_mut(group).unwrap();
                    for pid in &*pids {
                        let at = members.iter().position(|it| it == pid);
                        members.remove(at.expect("it was there"));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(mirror.values().all(Vec::is_empty), "{mirror:?}");
    });
}
