//! Links: symmetric, at most one for each pair, and gone for good once removed.

mod common;

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use common::{run, run_and_simulate};
use regrow_runtime::{
    Down, Exit, ExitReason, MonitorRef, Pid, exit, is_alive, link, monitor, process_info,
    processes, receive, receive_any, self_pid, send, spawn, spawn_link, spawn_monitor, trap_exit,
    try_receive, unlink, yield_now,
};

/// What a helper process is told to do.
enum Do {
    Link(Pid),
    Unlink(Pid),
    Tell(Pid),
    End(ExitReason),
}

struct Done;

/// Has something done, and waits until it is.
async fn have(other: Pid, what: Do) {
    send(other, what);
    send(other, Do::Tell(self_pid()));
    receive::<Done>().await;
}

/// Does what it is told.
async fn obedient() -> ExitReason {
    loop {
        match receive().await {
            Do::Link(pid) => link(pid),
            Do::Unlink(pid) => unlink(pid),
            Do::Tell(pid) => send(pid, Done),
            Do::End(reason) => return reason,
        }
    }
}

async fn links_of(pid: Pid) -> Vec<Pid> {
    let mut links = process_info(pid).await.expect("it lives").links;
    links.sort();
    links
}

/// Waits for the end of a process that is monitored.
async fn down(reference: MonitorRef) -> Down {
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await
}

/// Everything that is in the mailbox by now.
async fn exits_by_now() -> Vec<Exit> {
    let mut exits = Vec::new();
    while let Ok(exit) = receive::<Exit>().timeout(Duration::ZERO).await {
        exits.push(exit);
    }
    exits
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

#[test]
fn a_link_made_by_either_side_shows_on_both_and_either_side_removes_it() {
    run_and_simulate(2, || async {
        let me = self_pid();
        let other = spawn(obedient());
        for made_here in [true, false] {
            for removed_here in [true, false] {
                match made_here {
                    true => link(other),
                    false => have(other, Do::Link(me)).await,
                }
                assert_eq!(links_of(other).await, [me]);
                assert_eq!(links_of(me).await, [other]);
                match removed_here {
                    true => unlink(other),
                    false => have(other, Do::Unlink(me)).await,
                }
                assert_eq!(links_of(other).await, []);
                assert_eq!(links_of(me).await, []);
            }
        }
        // Nothing is left of the links: its end does not concern us.
        let reference = monitor(other);
        send(other, Do::End(boom()));
        assert_eq!(down(reference).await.reason, boom());
    });
}

#[test]
fn linking_twice_is_linking_once() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let me = self_pid();
        let other = spawn_link(obedient());
        link(other);
        have(other, Do::Link(me)).await;
        assert_eq!(links_of(other).await, [me]);
        assert_eq!(links_of(me).await, [other]);
        unlink(other);
        assert_eq!(links_of(other).await, []);

        link(other);
        have(other, Do::Link(me)).await;
        link(other);
        let reference = monitor(other);
        send(other, Do::End(boom()));
        down(reference).await;
        let exits = exits_by_now().await;
        assert_eq!(exits.len(), 1);
        assert_eq!((exits[0].pid, &exits[0].reason), (other, &boom()));
    });
}

#[test]
fn linking_to_oneself_does_nothing() {
    run_and_simulate(1, || async {
        link(self_pid());
        assert_eq!(links_of(self_pid()).await, []);
        unlink(self_pid());
        trap_exit(true);
        link(self_pid());
        yield_now().await;
        assert!(exits_by_now().await.is_empty());
    });
}

#[test]
fn linking_to_the_dead_ends_a_caller_that_does_not_trap_with_noproc() {
    run_and_simulate(2, || async {
        let (dead, reference) = spawn_monitor(async {});
        down(reference).await;
        let (_, reference) = spawn_monitor(async move {
            link(dead);
            pending::<()>().await;
        });
        assert_eq!(down(reference).await.reason, ExitReason::NoProc);
    });
}

#[test]
fn linking_to_the_dead_gives_a_trapping_caller_an_exit_and_leaves_no_link() {
    run(2, async {
        trap_exit(true);
        let (dead, reference) = spawn_monitor(async {});
        down(reference).await;
        link(dead);
        let exit = receive::<Exit>().await;
        assert_eq!((exit.pid, exit.reason), (dead, ExitReason::NoProc));
        assert_eq!(links_of(self_pid()).await, []);
    });
}

/// Blocks the worker until a process has ended, so that the caller's turn goes on.
fn block_until_gone(pid: Pid) {
    while processes().contains(&pid) {
        std::thread::yield_now();
    }
}

#[test]
fn noproc_does_not_overtake_the_last_words_of_the_dead() {
    run(2, async {
        trap_exit(true);
        let me = self_pid();
        for _ in 0..200 {
            let child = spawn(async move { send(me, "last words") });
            yield_now().await;
            block_until_gone(child);
            link(child);
            assert!(receive_any().await.is::<&str>());
            assert!(receive_any().await.is::<Exit>());
        }
    });
}

#[test]
fn an_early_crash_of_a_linked_child_is_never_lost() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for round in 0..2_000_u32 {
            let child = spawn_link(async move { ExitReason::error(round.to_string()) });
            let exit = receive::<Exit>().await;
            assert_eq!(exit.pid, child);
            assert_eq!(exit.reason, ExitReason::error(round.to_string()));
            assert_eq!(links_of(self_pid()).await, []);
        }
    });
}

#[test]
fn a_parent_that_dies_at_once_takes_its_linked_children_along() {
    run_and_simulate(2, || async {
        let me = self_pid();
        for _ in 0..200 {
            spawn(async move {
                let children: Vec<Pid> = (0..5).map(|_| spawn_link(pending::<()>())).collect();
                send(me, children);
                boom()
            });
            for child in receive::<Vec<Pid>>().await {
                let reference = monitor(child);
                let reason = down(reference).await.reason;
                assert!(reason == boom() || reason == ExitReason::NoProc, "{reason}");
            }
        }
    });
}

#[test]
fn unlinking_who_was_never_linked_or_is_dead_does_nothing() {
    run_and_simulate(2, || async {
        let stranger = spawn(obedient());
        unlink(stranger);
        unlink(self_pid());
        let (dead, reference) = spawn_monitor(async {});
        down(reference).await;
        unlink(dead);
        assert!(is_alive(stranger).await);
        assert_eq!(links_of(self_pid()).await, []);
    });
}

#[test]
fn once_unlink_returns_no_exit_of_that_link_arrives() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for round in 0..2_000 {
            let child = spawn_link(async { boom() });
            let reference = monitor(child);
            if round % 3 == 0 {
                yield_now().await;
            }
            unlink(child);
            // What is in the mailbox already may stay there.
            while try_receive::<Exit>().is_some() {}
            down(reference).await;
            assert!(exits_by_now().await.is_empty(), "in round {round}");
        }
    });
}

#[test]
fn an_exit_that_is_in_the_mailbox_stays_there_after_unlink() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let child = spawn_link(async { boom() });
        let reference = monitor(child);
        down(reference).await;
        // The exit may come behind the down.
        while process_info(self_pid())
            .await
            .is_some_and(|info| info.message_queue_len == 0)
        {}
        unlink(child);
        assert_eq!(receive::<Exit>().await.pid, child);
    });
}

#[test]
fn a_link_after_an_unlink_is_not_cancelled_by_the_old_exit() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let mut answers = [0, 0];
        for round in 0..3_000 {
            let child = spawn_link(async { boom() });
            let reference = monitor(child);
            if round % 2 == 0 {
                yield_now().await;
            }
            unlink(child);
            while try_receive::<Exit>().is_some() {}
            link(child);
            down(reference).await;
            // The second link ends in one exit, whatever became of the first.
            let exit = receive::<Exit>().await;
            assert_eq!(exit.pid, child);
            assert!(exit.reason == boom() || exit.reason == ExitReason::NoProc);
            answers[usize::from(exit.reason == boom())] += 1;
            assert!(exits_by_now().await.is_empty(), "in round {round}");
        }
        assert!(answers[0] > 0, "{answers:?}");
    });
}

#[test]
fn linking_again_to_one_that_died_meanwhile_says_noproc_and_not_its_reason() {
    run(2, async {
        trap_exit(true);
        for _ in 0..200 {
            let child = spawn_link(async { boom() });
            yield_now().await;
            block_until_gone(child);
            // Its exit signal is in our inbox, and this turn has not seen it.
            if try_receive::<Exit>().is_some() {
                continue;
            }
            unlink(child);
            link(child);
            assert_eq!(receive::<Exit>().await.reason, ExitReason::NoProc);
            assert!(exits_by_now().await.is_empty());
        }
    });
}

#[test]
fn linking_to_one_that_died_after_having_unlinked_says_noproc() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let me = self_pid();
        for _ in 0..500 {
            let child = spawn_link(async move {
                unlink(me);
                send(me, "unlinked");
                boom()
            });
            receive::<&str>().await;
            let reference = monitor(child);
            down(reference).await;
            assert!(exits_by_now().await.is_empty());
            link(child);
            assert_eq!(receive::<Exit>().await.reason, ExitReason::NoProc);
        }
    });
}

#[test]
fn a_link_sent_after_a_deadly_signal_is_answered_with_noproc() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for _ in 0..500 {
            let other = spawn(pending::<()>());
            exit(other, ExitReason::Kill);
            link(other);
            let exit = receive::<Exit>().await;
            assert_eq!((exit.pid, exit.reason), (other, ExitReason::NoProc));
        }
    });
}

#[test]
fn in_a_chain_each_is_told_about_its_neighbour_with_the_first_reason() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let me = self_pid();
        // me - b - c
        let b = spawn_link(async move {
            let c = spawn_link(obedient());
            send(me, c);
            pending::<()>().await;
        });
        let c = receive::<Pid>().await;
        send(c, Do::End(boom()));
        let exit = receive::<Exit>().await;
        assert_eq!((exit.pid, exit.reason), (b, boom()));
        assert!(exits_by_now().await.is_empty());
    });
}

#[test]
fn a_crash_runs_through_a_long_chain_of_links() {
    fn chain(left: u32, end: Pid) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            match left {
                0 => send(end, self_pid()),
                _ => drop(spawn_link(chain(left - 1, end))),
            }
            pending::<()>().await;
        })
    }
    run_and_simulate(2, || async {
        trap_exit(true);
        let first = spawn_link(chain(5_000, self_pid()));
        let last = receive::<Pid>().await;
        exit(last, boom());
        let exit = receive::<Exit>().await;
        assert_eq!((exit.pid, exit.reason), (first, boom()));
        while processes() != [self_pid()] {
            yield_now().await;
        }
    });
}

#[test]
fn when_the_exit_is_received_the_dead_are_in_no_link_set() {
    run_and_simulate(2, || async {
        trap_exit(true);
        for _ in 0..500 {
            let stays = spawn_link(pending::<()>());
            let dies = spawn_link(async { boom() });
            assert_eq!(receive::<Exit>().await.pid, dies);
            assert_eq!(links_of(self_pid()).await, [stays]);
            unlink(stays);
            exit(stays, ExitReason::Kill);
        }
    });
}

#[test]
fn each_of_many_links_is_told_once() {
    run_and_simulate(2, || async {
        trap_exit(true);
        let me = self_pid();
        let centre = spawn(obedient());
        let peers: Vec<Pid> = (0..300)
            .map(|_| {
                spawn(async move {
                    trap_exit(true);
                    link(centre);
                    let mut exits = 0;
                    while receive::<Exit>()
                        .timeout(Duration::from_millis(if exits == 0 { 60_000 } else { 1 }))
                        .await
                        .is_ok()
                    {
                        exits += 1;
                    }
                    send(me, exits);
                })
            })
            .collect();
        for peer in &peers {
            process_info(*peer).await;
        }
        while links_of(centre).await.len() < peers.len() {}
        send(centre, Do::End(boom()));
        for _ in &peers {
            assert_eq!(receive::<i32>().await, 1);
        }
    });
}
