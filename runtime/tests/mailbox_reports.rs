//! Reports about mailboxes are made where whoever listens may do as he likes.

mod common;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use common::run;
use regrow_runtime::{
    EventKinds, Handle, MailboxPolicy, SpawnOptions, receive, receive_down, register, self_pid,
    send, subscribe, unregister,
};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

static HANDLE: OnceLock<Handle> = OnceLock::new();
static REPORTS: AtomicU32 = AtomicU32::new(0);

/// Looks a name up at each report.
struct Curious;

impl Subscriber for Curious {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "regrow::mailbox"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        if let Some(handle) = HANDLE.get() {
            handle.whereis("somebody");
            REPORTS.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn who_hears_that_an_event_has_filled_a_mailbox_may_look_names_up() {
    tracing::subscriber::set_global_default(Curious).unwrap();
    run(2, async {
        HANDLE.set(Handle::current()).unwrap();
        let me = self_pid();
        let options = SpawnOptions::new().mailbox_limit(1, MailboxPolicy::Kill);
        let listener = options.monitor().spawn(async move {
            subscribe(EventKinds::REGISTERED);
            send(me, "subscribed");
            receive::<()>().await;
        });
        assert_eq!(receive::<&str>().await, "subscribed");
        for _ in 0..3 {
            register("somebody", me).unwrap();
            unregister("somebody").unwrap();
        }
        receive_down(listener.unwrap().monitor.unwrap()).await;
        assert_eq!(REPORTS.load(Ordering::SeqCst), 1);
    });
}
