//! Events of a runtime: to processes as messages, to threads by streams.

mod common;

use std::collections::{HashMap, HashSet};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::run;
use regrow_runtime::{
    Down, Event, EventKinds, EventStream, ExitReason, Handle, Pid, Runtime, SpawnOptions, exit,
    monitor, process_info, receive, receive_down, register, reply_channel, self_pid, send,
    send_after, simulate_seeds, spawn, spawn_monitor, subscribe, system_info, unregister,
    yield_now,
};

const BIRTHS_AND_DEATHS: fn() -> EventKinds = || EventKinds::SPAWNED | EventKinds::EXITED;

/// What follows from what processes do alone; a turn may take long on a busy machine.
fn certain() -> EventKinds {
    BIRTHS_AND_DEATHS() | EventKinds::REGISTERED | EventKinds::UNREGISTERED
}

fn name_of(event: &Event) -> &str {
    match event {
        Event::Registered { name, .. } | Event::Unregistered { name, .. } => name,
        _ => "",
    }
}

/// What happened to a process, in short.
fn story(events: &[Event], of: Pid) -> Vec<EventKinds> {
    let its = events.iter().filter(|event| event.pid() == of);
    its.map(Event::kind).collect()
}

#[test]
fn a_birth_tells_who_spawned_and_where_and_an_end_tells_why() {
    run(2, async {
        subscribe(BIRTHS_AND_DEATHS());
        let child = spawn(async { Err::<(), _>(ExitReason::error("broken")) });
        let line = line!() - 1;
        let Event::Spawned {
            pid, parent, place, ..
        } = receive::<Event>().await
        else {
            panic!("a birth comes first");
        };
        assert_eq!((pid, parent), (child, Some(self_pid())));
        assert_eq!((place.file(), place.line()), (file!(), line));
        let Event::Exited { pid, reason, .. } = receive::<Event>().await else {
            panic!("then the end");
        };
        assert_eq!((pid, reason), (child, ExitReason::error("broken")));
    });
}

#[test]
fn events_of_one_process_come_in_the_order_of_its_life() {
    use EventKinds as K;
    let runtime = Runtime::builder().workers(3).build().unwrap();
    let stream = runtime.handle().events(certain(), 100_000);
    let pids = runtime.block_on(async {
        let mut pids = Vec::new();
        for round in 0..500 {
            let options = SpawnOptions::new().name(format!("name {round}")).monitor();
            pids.push(options.spawn(async {}).unwrap().pid);
        }
        for _ in &pids {
            receive::<Down>().await;
        }
        pids
    });
    let events: Vec<Event> = std::iter::from_fn(|| stream.try_recv()).collect();
    for pid in pids {
        let expected = [K::SPAWNED, K::REGISTERED, K::UNREGISTERED, K::EXITED];
        assert_eq!(story(&events, pid), expected);
    }
}

#[test]
fn a_birth_that_fails_is_no_event() {
    run(1, async {
        register("taken", self_pid()).unwrap();
        let stream = Handle::current().events(certain(), 100);
        let refused = SpawnOptions::new().name("taken").spawn(async {});
        assert!(refused.is_err());
        assert!(stream.try_recv().is_none());
    });
}

#[test]
fn events_of_one_name_come_in_its_order_whoever_gives_and_takes_it() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let stream = runtime.handle().events(certain(), 1_000_000);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let handle = runtime.handle();
            thread::spawn(move || {
                for _ in 0..300 {
                    let pid = handle.spawn(pending::<()>());
                    while handle.register("one", pid).is_err() {
                        thread::yield_now();
                    }
                    // Taken away by hand, or by the end of the process.
                    exit(pid, ExitReason::Kill);
                    let _ = handle.unregister("one");
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|it| it.join().unwrap());
    drop(runtime);
    let mut holder = None;
    let mut given = 0;
    for event in stream.into_iter().filter(|event| name_of(event) == "one") {
        match event {
            Event::Registered { pid, .. } => {
                assert_eq!(holder.replace(pid), None, "given while somebody had it");
                given += 1;
            }
            Event::Unregistered { pid, .. } => assert_eq!(holder.take(), Some(pid)),
            _ => unreachable!(),
        }
    }
    assert_eq!((holder, given), (None, 900));
}

/// Takes an event when it is woken.
struct Looks {
    stream: EventStream,
    seen: Mutex<Option<Event>>,
}

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        *self.seen.lock().unwrap() = self.stream.try_recv();
    }
}

#[test]
fn an_end_is_told_before_those_whom_it_concerns_hear_of_it() {
    run(1, async {
        let (reply_to, mut reply) = reply_channel::<()>();
        let looks = Arc::new(Looks {
            stream: Handle::current().events(EventKinds::EXITED, 10),
            seen: Mutex::default(),
        });
        // Woken in the middle of the end, by the call that fails.
        let waker = Waker::from(looks.clone());
        let polled = Pin::new(&mut reply).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        let (child, _) = spawn_monitor(async move {
            let _held = reply_to;
            panic!("and so the call fails");
        });
        receive::<Down>().await;
        let seen = looks.seen.lock().unwrap().take();
        assert_eq!(seen.map(|event| event.pid()), Some(child));
    });
}

#[test]
fn only_what_was_asked_for_comes_and_the_last_word_counts() {
    run(1, async {
        let none = EventKinds::NONE;
        assert_eq!(subscribe(EventKinds::SPAWNED), none);
        assert_eq!(subscribe(EventKinds::EXITED), EventKinds::SPAWNED);
        spawn_monitor(async {});
        receive::<Down>().await;
        let event = receive::<Event>().await;
        assert_eq!(event.kind(), EventKinds::EXITED);
        assert_eq!(subscribe(none), EventKinds::EXITED);
        assert_eq!(subscribe(none), none);
        spawn_monitor(async {});
        receive::<Down>().await;
        yield_now().await;
        assert!(regrow_runtime::try_receive::<Event>().is_none());
    });
}

#[test]
fn nobody_hears_about_himself() {
    run(1, async {
        subscribe(EventKinds::REGISTERED | EventKinds::UNREGISTERED);
        register("me", self_pid()).unwrap();
        unregister("me").unwrap();
        let other = spawn(pending::<()>());
        register("other", other).unwrap();
        assert_eq!(receive::<Event>().await.pid(), other);
    });
}

#[test]
fn a_subscription_ends_with_its_process() {
    run(2, async {
        for _ in 0..100 {
            let (subscriber, _) = spawn_monitor(async {
                subscribe(EventKinds::ALL);
                receive::<u8>().await;
                // Also one made on the way out.
                struct Again;
                impl Drop for Again {
                    fn drop(&mut self) {
                        subscribe(EventKinds::SPAWNED);
                    }
                }
                drop(Again);
                let _again = Again;
                panic!("out");
            });
            send(subscriber, 1_u8);
            receive::<Down>().await;
        }
        // Nobody is left: were there any, this would be told to the dead for ever.
        let stream = Handle::current().events(EventKinds::SPAWNED, 1);
        drop(stream);
        assert_eq!(Handle::current().system_info().event_subscribers, 0);
    });
}

#[test]
fn what_the_last_drop_of_a_process_subscribes_to_ends_with_it_as_well() {
    struct Subscribes(Pid);
    impl Drop for Subscribes {
        fn drop(&mut self) {
            subscribe(EventKinds::ALL);
            send(self.0, self_pid());
        }
    }
    run(2, async {
        let child = spawn(receive::<()>());
        let late = Subscribes(self_pid());
        send_after(Duration::from_secs(3600), child, late);
        let reference = monitor(child);
        send(child, ());
        receive_down(reference).await;
        assert_eq!(receive::<Pid>().await, child, "dropped as the process");
        assert_eq!(system_info().event_subscribers, 0);
    });
}

#[test]
fn a_slow_stream_misses_the_newest_and_knows_how_many() {
    run(1, async {
        let stream = Handle::current().events(EventKinds::SPAWNED, 10);
        let pids: Vec<Pid> = (0..100).map(|_| spawn(async {})).collect();
        assert_eq!(stream.missed(), 90);
        let told: Vec<Pid> = std::iter::from_fn(|| stream.try_recv())
            .map(|it| it.pid())
            .collect();
        assert_eq!(told, pids[..10]);
        let next = spawn(async {});
        assert_eq!(stream.try_recv().unwrap().pid(), next);
        assert_eq!(stream.missed(), 90);
    });
}

#[test]
fn a_stream_may_have_any_room_and_only_what_is_in_it_takes_memory() {
    run(1, async {
        for capacity in [0, 1, 1 << 36, usize::MAX] {
            let stream = Handle::current().events(EventKinds::SPAWNED, capacity);
            for _ in 0..100 {
                spawn(async {});
            }
            let told = std::iter::from_fn(|| stream.try_recv()).count();
            assert_eq!(told, capacity.clamp(1, 100));
            assert_eq!(stream.missed(), 100 - told as u64);
        }
    });
}

#[test]
fn nothing_is_lost_between_many_emitters_and_one_reader() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let handle = runtime.handle();
    let stream = handle.events(BIRTHS_AND_DEATHS(), 1_000_000);
    let reader = thread::spawn(move || {
        let mut alive = HashSet::new();
        let mut born = 0;
        for event in &stream {
            match event {
                Event::Spawned { pid, .. } => {
                    assert!(alive.insert(pid));
                    born += 1;
                }
                Event::Exited { pid, .. } => assert!(alive.remove(&pid), "born first"),
                _ => unreachable!(),
            }
        }
        assert_eq!(stream.missed(), 0);
        assert!(alive.is_empty(), "the runtime has ended them all");
        born
    });
    runtime.block_on(async {
        for _ in 0..8 {
            spawn_monitor(async {
                for _ in 0..500 {
                    spawn(async {});
                    spawn_monitor(async {});
                    receive::<Down>().await;
                }
            });
        }
        for _ in 0..8 {
            receive::<Down>().await;
        }
        spawn(pending::<()>());
    });
    drop(runtime);
    assert_eq!(reader.join().unwrap(), 1 + 8 * 1_001 + 1);
}

#[test]
fn a_process_awaits_the_events_of_another_runtime_to_their_end() {
    let watched = Runtime::builder().workers(1).build().unwrap();
    let mut stream = watched.handle().events(EventKinds::SPAWNED, 1_000);
    let handle = watched.handle();
    let watching = thread::spawn(move || {
        run(1, async move {
            let mut seen = HashMap::new();
            while let Some(event) = stream.next().await {
                *seen.entry(event.kind()).or_insert(0) += 1;
            }
            seen
        })
    });
    for _ in 0..100 {
        handle.spawn(async {});
    }
    drop(watched);
    let seen = watching.join().unwrap();
    assert_eq!(seen, HashMap::from([(EventKinds::SPAWNED, 100)]));
}

#[test]
fn a_runtime_that_is_over_has_no_events() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle();
    drop(runtime);
    let stream = handle.events(EventKinds::ALL, 1);
    assert!(stream.recv().is_none());
}

#[test]
fn waiting_for_an_event_gives_up_in_time() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let stream = runtime.handle().events(EventKinds::ALL, 1);
    assert!(stream.recv_timeout(Duration::from_millis(1)).is_err());
    runtime.spawn(async {});
    assert!(
        stream
            .recv_timeout(Duration::from_secs(30))
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_long_mailbox_is_an_event_but_not_to_itself() {
    let builder = Runtime::builder().workers(1).long_queue(100, 10);
    let runtime = builder.build().unwrap();
    let stream = runtime.handle().events(EventKinds::LONG_QUEUE, 100);
    let pids = runtime.block_on(async {
        let me = self_pid();
        subscribe(EventKinds::ALL);
        let other = spawn(pending::<()>());
        for target in [me, other] {
            (0..120).for_each(|number: u32| send(target, number));
            assert!(process_info(target).await.is_some());
        }
        let long = |event: &Event| event.kind() == EventKinds::LONG_QUEUE;
        let mine = receive::<Event>().matching(long).await;
        assert_eq!(mine.pid(), other);
        assert!(regrow_runtime::try_receive_matching(long).is_none());
        [me, other]
    });
    for pid in pids {
        let Some(Event::LongQueue { pid: long, len, .. }) = stream.try_recv() else {
            panic!("each is told once");
        };
        assert_eq!(long, pid);
        assert!(len >= 120);
    }
    assert!(stream.try_recv().is_none());
}

#[test]
fn a_simulation_has_events_as_well() {
    simulate_seeds(0..20, || async {
        subscribe(BIRTHS_AND_DEATHS());
        let children: Vec<Pid> = (0..5).map(|_| spawn(async {})).collect();
        let mut events = Vec::new();
        for _ in 0..10 {
            events.push(receive::<Event>().await);
        }
        for child in children {
            let expected = [EventKinds::SPAWNED, EventKinds::EXITED];
            assert_eq!(story(&events, child), expected);
        }
        assert_eq!(system_info().event_subscribers, 1);
    });
}
