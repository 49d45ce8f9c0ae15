//! The alarm for a mailbox that grows long.

mod common;

use std::fmt::Debug;
use std::future::pending;
use std::sync::{Mutex, Once};

use regrow_runtime::{
    Pid, Runtime, SpawnOptions, process_info, receive, self_pid, send, set_label, yield_now,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// What the alarms said: pid and length.
static ALARMS: Mutex<Vec<(String, u64)>> = Mutex::new(Vec::new());

/// Keeps the alarms of all tests here.
struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "regrow::mailbox"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        #[derive(Default)]
        struct Fields(String, u64);
        impl Visit for Fields {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() == "pid" {
                    self.0 = format!("{value:?}");
                }
            }

            fn record_u64(&mut self, field: &Field, value: u64) {
                if field.name() == "len" {
                    self.1 = value;
                }
            }
        }
        assert_eq!(*event.metadata().level(), Level::WARN);
        let mut fields = Fields::default();
        event.record(&mut fields);
        ALARMS.lock().unwrap().push((fields.0, fields.1));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).unwrap());
}

fn alarms_of(pid: Pid) -> Vec<u64> {
    let alarms = ALARMS.lock().unwrap();
    let of_it = alarms.iter().filter(|it| it.0 == pid.to_string());
    of_it.map(|it| it.1).collect()
}

fn with_marks(enable: usize, disable: usize) -> Runtime {
    listen();
    let builder = Runtime::builder().workers(1).long_queue(enable, disable);
    builder.build().unwrap()
}

#[test]
fn one_alarm_when_the_upper_mark_is_reached_and_another_only_after_the_lower_one() {
    with_marks(10, 3).block_on(async {
        set_label("reads slowly");
        let me = self_pid();
        let fill = async |many: u32| {
            (0..many).for_each(|n| send(me, n));
            yield_now().await;
        };
        let drain = async |many: u32| {
            for _ in 0..many {
                receive::<u32>().await;
            }
            yield_now().await;
        };
        fill(9).await;
        assert_eq!(alarms_of(me), []);
        fill(1).await;
        assert_eq!(alarms_of(me), [10]);
        // Longer still, and around the upper mark: no news.
        fill(20).await;
        drain(22).await;
        fill(5).await;
        assert_eq!(alarms_of(me), [10]);
        // Not down to the lower mark ..
        drain(9).await;
        fill(6).await;
        assert_eq!(alarms_of(me), [10]);
        // .. and down to it, and up again within one turn of the sender.
        drain(7).await;
        fill(12).await;
        assert_eq!(alarms_of(me), [10, 15]);
        // Emptied in one turn, and full again in the next: it has been down.
        (0..11_u32).for_each(|n| send(me, n));
        for _ in 0..15 {
            assert!(regrow_runtime::try_receive::<u32>().is_some());
        }
        yield_now().await;
        assert_eq!(alarms_of(me), [10, 15, 11]);
    });
}

#[test]
fn a_process_that_does_not_receive_at_all_is_reported_once() {
    with_marks(100, 10).block_on(async {
        let options = SpawnOptions::new().name("deaf");
        let deaf = options.spawn(pending::<()>()).unwrap().pid;
        for _ in 0..50 {
            (0..10).for_each(|n| send(deaf, n));
            process_info(deaf).await.unwrap();
        }
        assert_eq!(alarms_of(deaf), [100]);
    });
}

#[test]
fn without_marks_of_its_own_a_runtime_warns_at_ten_thousand() {
    listen();
    common::run(1, async {
        let deaf = regrow_runtime::spawn(pending::<()>());
        let send_more = async |many| {
            (0..many).for_each(|n| send(deaf, n));
            process_info(deaf).await.unwrap();
        };
        send_more(9_999).await;
        assert_eq!(alarms_of(deaf), []);
        send_more(1).await;
        assert_eq!(alarms_of(deaf), [10_000]);
    });
}

#[test]
#[should_panic(expected = "less than `enable`")]
fn marks_that_would_sound_for_ever_are_refused() {
    let _ = Runtime::builder().long_queue(10, 10);
}
