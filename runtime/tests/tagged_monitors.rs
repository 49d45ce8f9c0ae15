//! Monitors whose `Down` carries what its watcher has given them.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use common::run_and_simulate;
use regrow_runtime::{
    Down, ExitReason, MailboxPolicy, MonitorAliasMode, Monitored, Pid, ReplyError, SpawnOptions,
    TaggedDown, demonitor, demonitor_flush, exit, garbage_collect, is_alive, mailbox_limit,
    monitor, monitor_alias, monitor_named, process_info, receive, receive_any, register,
    reply_channel, self_pid, send, send_after, spawn, spawn_monitor, tag_monitor, try_receive,
    yield_now,
};

const MINUTE: Duration = Duration::from_secs(60);

/// A tag.
#[derive(Debug, PartialEq)]
struct Role(u32);

async fn tagged() -> (Role, Down) {
    let TaggedDown { tag, down, .. } = receive().await;
    (tag.downcast().unwrap(), down)
}

async fn assert_nothing_comes() {
    assert!(receive_any().timeout(Duration::ZERO).await.is_err());
}

fn idle() -> Pid {
    spawn(pending::<()>())
}

async fn end(pid: Pid) {
    exit(pid, ExitReason::Kill);
    while is_alive(pid).await {}
    yield_now().await;
}

#[test]
fn a_tag_comes_with_the_down_however_the_monitor_was_made() {
    run_and_simulate(2, || async {
        let plain = idle();
        let reference = monitor(plain);
        assert!(tag_monitor(reference, Role(1)));
        exit(plain, ExitReason::Shutdown);
        let (role, down) = tagged().await;
        assert_eq!(
            (role, down.reference, down.pid),
            (Role(1), reference, plain)
        );
        assert_eq!(down.reason, ExitReason::Shutdown);

        let named = idle();
        register("clerk", named).unwrap();
        tag_monitor(monitor_named("clerk"), Role(2));
        exit(named, ExitReason::Kill);
        let (role, down) = tagged().await;
        assert_eq!(
            (role, down.object()),
            (Role(2), Monitored::Name("clerk".into()))
        );

        let (born, reference) = spawn_monitor(async {});
        assert!(tag_monitor(reference, Role(3)));
        let (role, down) = tagged().await;
        assert_eq!(
            (role, down.reason, down.pid),
            (Role(3), ExitReason::Normal, born)
        );

        let options = SpawnOptions::new().monitor();
        let spawned = options.spawn(async { ExitReason::Shutdown }).unwrap();
        assert!(tag_monitor(spawned.monitor.unwrap(), Role(4)));
        assert_eq!(tagged().await.0, Role(4));

        // Nobody there.
        assert!(tag_monitor(monitor(born), Role(5)));
        assert!(tag_monitor(monitor_named("nobody"), Role(6)));
        for number in [5, 6] {
            let (role, down) = tagged().await;
            assert_eq!((role, down.reason), (Role(number), ExitReason::NoProc));
        }
        assert_nothing_comes().await;
    });
}

#[test]
fn a_monitor_without_a_tag_beside_one_with_it_gives_a_plain_down() {
    run_and_simulate(2, || async {
        let other = idle();
        let (with, without) = (monitor(other), monitor(other));
        tag_monitor(with, Role(1));
        exit(other, ExitReason::Kill);
        assert_eq!(receive::<Down>().await.reference, without);
        assert_eq!(tagged().await.1.reference, with);
    });
}

#[test]
fn only_an_active_monitor_takes_a_tag_and_the_last_one_counts() {
    run_and_simulate(2, || async {
        let other = idle();
        let reference = monitor(other);
        let first = Arc::new(());
        assert!(tag_monitor(reference, first.clone()));
        assert!(tag_monitor(reference, Role(2)));
        assert_eq!(Arc::strong_count(&first), 1);
        end(other).await;
        assert!(!tag_monitor(reference, Role(3)), "it has come");
        assert_eq!(tagged().await.0, Role(2));

        let reference = monitor(idle());
        demonitor(reference);
        assert!(!tag_monitor(reference, first.clone()));
        assert!(!tag_monitor(monitor(self_pid()), first.clone()));
        assert_eq!(Arc::strong_count(&first), 1);
    });
}

#[test]
fn a_flush_takes_a_tagged_down_too() {
    run_and_simulate(2, || async {
        let others = [idle(), idle()];
        let references = others.map(monitor);
        for reference in references {
            tag_monitor(reference, Role(1));
        }
        for other in others {
            end(other).await;
        }
        assert!(!demonitor(references[0]), "it stays");
        assert!(!demonitor_flush(references[0]));
        assert_eq!(tagged().await.1.reference, references[1]);
        assert_nothing_comes().await;
    });
}

#[test]
fn a_tag_goes_with_its_monitor_and_with_its_owner() {
    run_and_simulate(2, || async {
        let tag = Arc::new(());
        let reference = monitor(idle());
        tag_monitor(reference, tag.clone());
        assert!(demonitor(reference));
        assert_eq!(Arc::strong_count(&tag), 1);

        // A reply ends the monitor.
        let (reference, alias) = monitor_alias(idle(), MonitorAliasMode::ReplyDemonitor);
        tag_monitor(reference, tag.clone());
        alias.send("reply");
        assert_eq!(receive::<&str>().await, "reply");
        assert_eq!(Arc::strong_count(&tag), 1);

        let given = tag.clone();
        let (_, reference) = spawn_monitor(async move {
            tag_monitor(monitor(idle()), given);
        });
        assert_eq!(receive::<Down>().await.reference, reference);
        assert_eq!(Arc::strong_count(&tag), 1);
    });
}

#[test]
fn a_tag_is_no_garbage() {
    run_and_simulate(1, || async {
        let other = idle();
        tag_monitor(monitor(other), Role(1));
        garbage_collect();
        exit(other, ExitReason::Kill);
        assert_eq!(tagged().await.0, Role(1));
    });
}

/// Panics in its drop.
struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("a fragile tag");
    }
}

#[test]
fn the_drop_of_a_tag_at_the_end_hurts_nobody_and_fails_its_calls_with_the_reason() {
    run_and_simulate(1, || async {
        let (reply_to, reply) = reply_channel::<()>();
        let dying = spawn(async move {
            let other = idle();
            tag_monitor(monitor(other), Fragile);
            tag_monitor(monitor(other), reply_to);
            // At the end no monitor takes a tag any more, be it in the drop of the body or
            // in that of a timer's message, which is later.
            send_after(MINUTE, self_pid(), OnDrop(other));
            let _last = OnDrop(other);
            pending::<()>().await;
        });
        yield_now().await;
        exit(dying, ExitReason::Shutdown);
        assert_eq!(reply.await, Err(ReplyError::Exit(ExitReason::Shutdown)));
        let (reference, alias) = monitor_alias(idle(), MonitorAliasMode::ReplyDemonitor);
        tag_monitor(reference, Fragile);
        alias.send("reply");
        assert_eq!(receive::<&str>().await, "reply");
    });
}

/// Tags a monitor in its drop, with what may not be dropped just anywhere.
struct OnDrop(Pid);

impl Drop for OnDrop {
    fn drop(&mut self) {
        tag_monitor(monitor(self.0), Fragile);
    }
}

#[test]
fn a_tagged_down_counts_in_no_mailbox_with_a_limit_and_the_list_shows_the_monitor() {
    run_and_simulate(2, || async {
        let other = idle();
        tag_monitor(monitor(other), Role(1));
        let info = process_info(self_pid()).await.unwrap();
        assert_eq!(info.monitors, [Monitored::Process(other)]);
        end(other).await;
        send(self_pid(), 'x');
        yield_now().await;
        mailbox_limit(10, MailboxPolicy::Refuse);
        let info = process_info(self_pid()).await.unwrap();
        assert_eq!(info.mailbox_limit.unwrap().taken, 1);
        assert_eq!(tagged().await.0, Role(1));
        assert_eq!(try_receive::<char>(), Some('x'));
    });
}
