//! What crashes comes back, and clients notice nothing but that an answer takes longer.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::{Client, Server};

const CHAOS: &[&str] = &["--workers", "2", "--chaos"];

/// Has the scheduler or the store crash, and waits until it has.
fn crash(server: &Server, what: &str) {
    let before = server.count_log(is_crash);
    let body = format!(r#"{{"kind":"crash","what":"{what}"}}"#);
    server.client().put_into("work", 60, &body);
    server.wait_count(before + 1, is_crash);
}

/// The log's line about a crash that was asked for.
fn is_crash(line: &str) -> bool {
    line.contains("regrow::crash") && line.contains("a job asked the")
}

/// The log's line about the listener's restart.
fn listens_again(line: &str) -> bool {
    line.contains("child restarted") && line.contains("id=listener")
}

#[test]
fn the_scheduler_crashes_and_reserved_jobs_stay_reserved_by_those_who_have_them() {
    let server = Server::start(CHAOS);
    let mut worker = server.client();
    let jobs: Vec<u64> = (0..3).map(|_| worker.put("a job")).collect();
    for id in &jobs {
        assert_eq!(worker.reserve().0, *id);
    }
    crash(&server, "scheduler");
    // Nobody else gets them.
    let mut other = server.client();
    assert_eq!(other.ask("reserve-with-timeout 0"), "TIMED_OUT");
    assert_eq!(other.ask(&format!("delete {}", jobs[0])), "NOT_FOUND");
    // Whoever has them still has them.
    assert_eq!(worker.ask(&format!("touch {}", jobs[0])), "TOUCHED");
    assert_eq!(worker.ask(&format!("delete {}", jobs[0])), "DELETED");
    assert_eq!(worker.ask(&format!("release {} 0 0", jobs[1])), "RELEASED");
    assert_eq!(other.reserve().0, jobs[1]);
    // And if it goes, they are free at once.
    drop(worker);
    assert_eq!(other.reserve().0, jobs[2]);
}

#[test]
fn the_ttr_of_a_reserved_job_goes_on_while_the_scheduler_crashes() {
    let server = Server::start(CHAOS);
    let mut worker = server.client();
    let id = worker.put_with(0, 2, "a job");
    assert_eq!(worker.reserve().0, id);
    crash(&server, "scheduler");
    let mut other = server.client();
    assert_eq!(other.reserve().0, id);
    assert_eq!(other.stat(&format!("stats-job {id}"), "timeouts"), "1");
}

#[test]
fn a_client_that_waits_for_a_job_goes_on_waiting_over_crashes() {
    for what in ["scheduler", "store"] {
        let server = Server::start(CHAOS);
        let mut waiting = Client::watching(server.address(), "later");
        waiting.say("reserve");
        let mut producer = server.client();
        producer.wait_stat("stats-tube later", "current-waiting", "1");
        crash(&server, what);
        assert_eq!(producer.ask("use later"), "USING later");
        producer.wait_stat("stats-tube later", "current-waiting", "1");
        let id = producer.put("at last");
        assert_eq!(waiting.hear(), format!("RESERVED {id} 7\nat last"));
        // The tube in use is what it was.
        assert_eq!(waiting.ask("list-tubes-watched"), "OK 12\n---\n- later\n");
    }
}

#[test]
fn tubes_used_watched_and_paused_outlive_the_scheduler() {
    let server = Server::start(CHAOS);
    let mut client = Client::watching(server.address(), "b");
    assert_eq!(client.ask("watch a"), "WATCHING 2");
    assert_eq!(client.ask("use c"), "USING c");
    assert_eq!(client.ask("pause-tube c 1000"), "PAUSED");
    crash(&server, "scheduler");
    assert_eq!(client.ask("list-tube-used"), "USING c");
    assert_eq!(client.stat("stats-tube c", "pause"), "1000");
    assert_eq!(client.ask("list-tubes-watched"), "OK 12\n---\n- b\n- a\n");
}

#[test]
fn the_store_crashes_and_acknowledged_jobs_are_there_in_their_states() {
    let server = Server::start(CHAOS);
    let mut client = server.client();
    let ready = client.put("ready");
    let delayed = client.put_with(1000, 60, "delayed");
    let buried = client.put("buried");
    assert_eq!(client.reserve().0, ready);
    assert_eq!(client.reserve().0, buried);
    assert_eq!(client.ask(&format!("bury {buried} 5")), "BURIED");
    crash(&server, "store");
    let mut state = |id: u64| client.stat(&format!("stats-job {id}"), "state");
    assert_eq!(state(ready), "reserved");
    assert_eq!(state(delayed), "delayed");
    assert_eq!(state(buried), "buried");
    // The connection is the same, and so is its reservation.
    assert_eq!(client.ask(&format!("delete {ready}")), "DELETED");
}

#[test]
fn producers_lose_and_double_nothing_while_the_scheduler_and_the_store_crash() {
    const PRODUCERS: usize = 4;
    let server = Server::start(CHAOS);
    let address = server.address();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|number| {
            let stop = std::sync::Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                assert_eq!(client.ask("use all"), "USING all");
                let mut acknowledged = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    // Several at once: those under way are asked again, in order.
                    for part in 0..10 {
                        let body = format!("{number}:{}", acknowledged + part);
                        client.say(&format!("put 1 0 60 {}\r\n{body}", body.len()));
                    }
                    for _ in 0..10 {
                        let answer = client.hear();
                        assert!(answer.starts_with("INSERTED "), "{answer}");
                        acknowledged += 1;
                    }
                }
                acknowledged
            })
        })
        .collect();
    for what in ["scheduler", "store", "scheduler", "store"] {
        std::thread::sleep(Duration::from_millis(50));
        crash(&server, what);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let counts: Vec<usize> = producers
        .into_iter()
        .map(|producer| producer.join().expect("a producer"))
        .collect();
    let mut worker = Client::watching(address, "all");
    let mut seen = HashSet::new();
    for _ in 0..counts.iter().sum() {
        let (id, body) = worker.reserve();
        assert!(seen.insert(body.clone()), "{body} is there twice");
        assert_eq!(worker.ask(&format!("delete {id}")), "DELETED");
    }
    assert_eq!(worker.ask("reserve-with-timeout 0"), "TIMED_OUT");
    for (number, count) in counts.into_iter().enumerate() {
        assert!(count > 0);
        assert!((0..count).all(|job| seen.contains(&format!("{number}:{job}"))));
    }
}

#[test]
fn the_listener_crashes_and_listens_again_where_it_did_and_connections_live() {
    let server = Server::start(CHAOS);
    let mut client = server.client();
    client.put_into("work", 60, r#"{"kind":"crash","what":"listener"}"#);
    server.wait_log("end of the listener", |line| {
        line.contains("listener") && line.contains("killed")
    });
    assert_eq!(client.ask("list-tube-used"), "USING work");
    server.wait_log("restart", listens_again);
    assert_eq!(server.client().ask("list-tube-used"), "USING default");
}

#[test]
fn connections_crash_all_at_once_and_their_jobs_are_free() {
    let server = Server::start(CHAOS);
    let mut worker = server.client();
    let id = worker.put("a job");
    assert_eq!(worker.reserve().0, id);
    let mut chaos = server.client();
    chaos.put_into("work", 60, r#"{"kind":"crash","what":"connection_sup"}"#);
    worker.is_closed();
    server.wait_log("restart", listens_again);
    let mut other = server.client();
    assert_eq!(other.reserve().0, id);
}

#[test]
fn a_connection_that_dies_while_it_waits_or_works_gives_everything_back_at_once() {
    let server = Server::start(&[]);
    let mut producer = server.client();
    let mut working = server.client();
    let id = producer.put("a job");
    assert_eq!(working.reserve().0, id);
    let mut waiting = server.client();
    waiting.say("reserve");
    producer.wait_stat("stats", "current-waiting", "1");
    // The one that waits is gone before there is anything, so it cannot swallow it.
    drop(waiting);
    producer.wait_stat("stats", "current-waiting", "0");
    drop(working);
    assert_eq!(producer.reserve().0, id);
}

#[test]
fn more_than_five_crashes_in_a_minute_end_the_program_with_a_reason() {
    let mut server = Server::start(CHAOS);
    let mut client = server.client();
    let id = client.put("kept");
    for number in 1..=6 {
        let body = r#"{"kind":"crash","what":"scheduler"}"#;
        let mut chaos = server.client();
        assert_eq!(chaos.ask("use work"), "USING work");
        // The answer to the last one may come too late.
        chaos.say(&format!("put 0 0 60 {}\r\n{body}", body.len()));
        server.wait_count(number, is_crash);
    }
    client.is_closed();
    assert_eq!(server.wait_exit().code(), Some(1));
    let log = server.log();
    let last = log.last().expect("a line");
    assert!(last.contains("job-queue"), "{last}");
    let mut server = server.again(&[]);
    assert_eq!(server.client().reserve().0, id);
    server.stop();
}
