//! SIGTERM, SIGKILL and SIGUSR1.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Client, DEADLINE, Server};

/// Producers that put jobs until the server is gone, and remember what it acknowledged.
struct Producers {
    threads: Vec<JoinHandle<Vec<(u64, String)>>>,
    acknowledged: Arc<AtomicUsize>,
}

impl Producers {
    fn start(address: SocketAddr) -> Self {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let threads = (0..8).map(|number| {
            let counter = Arc::clone(&acknowledged);
            std::thread::spawn(move || produce(address, number, &counter))
        });
        let threads = threads.collect();
        Self {
            threads,
            acknowledged,
        }
    }

    fn wait_for(&self, count: usize) {
        let deadline = Instant::now() + DEADLINE;
        while self.acknowledged.load(Ordering::Relaxed) < count {
            assert!(Instant::now() < deadline, "too few jobs");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn all(self) -> Vec<(u64, String)> {
        let all = self.threads.into_iter();
        all.flat_map(|thread| thread.join().expect("a producer"))
            .collect()
    }
}

fn produce(address: SocketAddr, number: usize, counter: &AtomicUsize) -> Vec<(u64, String)> {
    let mut client = Client::connect(address);
    let mut jobs = Vec::new();
    loop {
        let body = format!("{number}:{}", jobs.len());
        let line = format!("put 0 0 60 {}\r\n{body}\r\n", body.len());
        let answer = client
            .send(line.as_bytes())
            .and_then(|()| client.try_hear());
        match answer {
            Ok(answer) => {
                let id = answer
                    .strip_prefix("INSERTED ")
                    .and_then(|id| id.parse().ok());
                jobs.push((id.unwrap_or_else(|| panic!("{answer}")), body));
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => return jobs,
        }
    }
}

fn everything_is_there(server: &Server, jobs: &[(u64, String)]) {
    let mut client = server.client();
    let mut seen = HashSet::new();
    while let Some(("RESERVED", rest)) = client.ask("reserve-with-timeout 0").split_once(' ') {
        let (line, body) = rest.split_once('\n').expect("a body");
        let id: u64 = line
            .split(' ')
            .next()
            .and_then(|id| id.parse().ok())
            .expect("an id");
        assert!(seen.insert((id, body.to_owned())));
        assert_eq!(client.ask(&format!("delete {id}")), "DELETED");
    }
    for job in jobs {
        assert!(seen.contains(job), "acknowledged and lost: {job:?}");
    }
    // What was not acknowledged any more may be there: at most the last of each.
    assert!(seen.len() <= jobs.len() + 8);
}

#[test]
fn after_kill_9_every_acknowledged_job_is_there_whenever_it_is_forced_to_the_disk() {
    for sync in ["always", "every:10", "never"] {
        let mut server = Server::start(&["--sync", sync]);
        let producers = Producers::start(server.address());
        producers.wait_for(300);
        server.kill();
        let jobs = producers.all();
        let server = server.again(&[]);
        everything_is_there(&server, &jobs);
    }
}

#[test]
fn after_kill_9_jobs_are_in_their_states_and_reserved_ones_ready() {
    let mut server = Server::start(&[]);
    let mut client = server.client();
    let reserved = client.put("reserved");
    assert_eq!(client.reserve().0, reserved);
    let buried = client.put("buried");
    assert_eq!(client.reserve().0, buried);
    assert_eq!(client.ask(&format!("bury {buried} 7")), "BURIED");
    let delayed = client.put_with(1000, 60, "delayed");
    let deleted = client.put("deleted");
    assert_eq!(client.ask(&format!("delete {deleted}")), "DELETED");
    server.kill();
    let server = server.again(&[]);
    let mut client = server.client();
    let mut stat = |id: u64, key: &str| client.stat(&format!("stats-job {id}"), key);
    assert_eq!(stat(reserved, "state"), "ready");
    assert_eq!(stat(buried, "state"), "buried");
    assert_eq!(stat(buried, "pri"), "7");
    assert_eq!(stat(buried, "buries"), "1");
    assert_eq!(stat(delayed, "state"), "delayed");
    assert_eq!(client.ask(&format!("stats-job {deleted}")), "NOT_FOUND");
    // No id is given a second time.
    assert!(client.put("new") > deleted);
}

#[test]
fn sigterm_under_load_ends_with_0_and_loses_nothing() {
    let mut server = Server::start(&[]);
    let producers = Producers::start(server.address());
    producers.wait_for(300);
    server.stop();
    let jobs = producers.all();
    let server = server.again(&[]);
    everything_is_there(&server, &jobs);
}

#[test]
fn sigterm_answers_what_was_asked_and_closes_who_waits() {
    let mut server = Server::start(&[]);
    let mut waiting = server.client();
    waiting.say("reserve");
    let mut client = server.client();
    client.wait_stat("stats", "current-waiting", "1");
    let begun = Instant::now();
    server.signal(Signal::TERM);
    waiting.is_closed();
    client.is_closed();
    assert_eq!(server.wait_exit().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_client_that_never_reads_does_not_hold_up_the_end() {
    let mut server = Server::start(&[]);
    let mut deaf = server.client();
    deaf.put(&"x".repeat(60_000));
    for _ in 0..2_000 {
        // Until neither side takes more.
        if deaf.send(b"peek 1\r\n").is_err() {
            break;
        }
    }
    server.stop();
}

#[test]
fn sigterm_lets_workers_finish_their_jobs() {
    let mut server = Server::start(&["--workers", "1"]);
    let mut client = server.client();
    client.put_into(
        "work",
        60,
        r#"{"kind":"sleep","ms":700,"result_tube":"done"}"#,
    );
    client.wait_stat("stats-tube work", "current-jobs-reserved", "1");
    server.stop();
    let server = server.again(&[]);
    let mut client = Client::watching(server.address(), "done");
    assert!(client.reserve().1.contains("\"ms\":700"));
    assert_eq!(client.stat("stats", "current-jobs-ready"), "0");
}

#[test]
fn sigusr1_takes_no_new_jobs_and_goes_on_with_the_rest_also_after_a_crash() {
    let server = Server::start(&["--workers", "1", "--chaos"]);
    let mut client = server.client();
    let id = client.put("a job");
    client.put_into("work", 60, r#"{"kind":"sleep","ms":300}"#);
    let crash = r#"{"kind":"crash","what":"scheduler"}"#;
    client.put_into("work", 60, crash);
    server.signal(Signal::USR1);
    server.wait_log("drain mode", |line| line.contains("drain mode"));
    let put = |client: &mut Client| client.ask("put 0 0 60 1\r\nx");
    let deadline = Instant::now() + DEADLINE;
    while put(&mut client) != "DRAINING" {
        assert!(Instant::now() < deadline, "it takes jobs");
    }
    server.wait_log("crash", |line| line.contains("a job asked the scheduler"));
    assert_eq!(put(&mut client), "DRAINING");
    assert_eq!(client.stat("stats", "draining"), "true");
    assert_eq!(client.reserve().0, id);
    assert_eq!(client.ask(&format!("delete {id}")), "DELETED");
}
