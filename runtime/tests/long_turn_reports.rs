//! Long turns are told of: in the log, and as events.

mod common;

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use regrow_runtime::{Event, EventKinds, Runtime, SpawnOptions};

/// Far more than any of this takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(25);

fn runtime(workers: usize, spare_workers: usize) -> Runtime {
    let builder = Runtime::builder().workers(workers);
    builder.spare_workers(spare_workers).build().unwrap()
}

#[test]
fn a_long_turn_is_reported_when_it_is_found_and_when_it_ends() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    // The reports come from the monitor and from the thread itself.
    tracing::subscriber::set_global_default(recorder::Recorder(seen)).unwrap();
    let runtime = runtime(1, 4);
    let (end, ended) = mpsc::channel::<()>();
    let options = SpawnOptions::new().name("the slow one").label("slow");
    let line = line!() + 1;
    let spawned = runtime.handle().spawn_with(options, async move {
        let _ = ended.recv();
    });
    let pid = spawned.unwrap().pid;
    let ours = |event: &recorder::Fields| event.contains(&("pid".into(), pid.to_string()));
    let wait_for_report = |count: usize| {
        let start = Instant::now();
        loop {
            let all = events.lock().unwrap();
            let reports: Vec<_> = all.iter().filter(|it| ours(it)).cloned().collect();
            if reports.len() == count {
                return reports;
            }
            drop(all);
            assert!(start.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    wait_for_report(1);
    drop(end);
    let reports = wait_for_report(2);
    let field = |index: usize, name: &str| {
        let mut fields = reports[index].iter();
        fields.find(|(key, _)| key == name).unwrap().1.clone()
    };
    assert_eq!(field(0, "message"), "a process blocks its worker");
    assert_eq!(field(1, "message"), "a process has blocked its worker");
    for index in 0..2 {
        assert_eq!(field(index, "target"), "regrow::scheduler");
        assert_eq!(field(index, "name"), "the slow one");
        assert_eq!(field(index, "label"), "slow");
        let place = format!("{}:{line}:", file!());
        assert!(field(index, "spawned_at").starts_with(&place));
    }
    let duration = |index| field(index, "for_ms").parse::<u64>().unwrap();
    assert!(2 <= duration(0) && duration(0) <= duration(1));
}

#[test]
fn a_long_turn_is_an_event() {
    let runtime = runtime(1, 4);
    let events = runtime.handle().events(EventKinds::LONG_SCHEDULE, 16);
    let (end, ended) = mpsc::channel::<()>();
    let options = SpawnOptions::new().name("the slow one").label("slow");
    let line = line!() + 1;
    let spawned = runtime.handle().spawn_with(options, async move {
        let _ = ended.recv();
    });
    let slow = spawned.unwrap().pid;
    let start = Instant::now();
    let event = loop {
        assert!(start.elapsed() < PATIENCE);
        match events.try_recv() {
            Some(event) if event.pid() == slow => break event,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let Event::LongSchedule {
        name,
        label,
        place,
        ran_for,
        ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!(name.as_deref(), Some("the slow one"));
    assert_eq!(label.as_deref(), Some("slow"));
    assert_eq!((place.file(), place.line()), (file!(), line));
    assert!(ran_for >= Duration::from_millis(2), "{ran_for:?}");
    drop(end);
}

/// A subscriber that keeps what it is told.
mod recorder {
    use std::fmt::Debug;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// The fields of an event by name.
    pub(crate) type Fields = Vec<(String, String)>;

    pub(crate) struct Recorder(pub(crate) Arc<Mutex<Vec<Fields>>>);

    struct Reader(Fields);

    impl Visit for Reader {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.push((field.name().into(), format!("{value:?}")));
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.push((field.name().into(), value.into()));
        }
    }

    impl Subscriber for Recorder {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "regrow::scheduler"
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Reader(vec![("target".into(), event.metadata().target().into())]);
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }
}
