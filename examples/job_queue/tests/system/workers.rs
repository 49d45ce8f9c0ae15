//! The workers of the program itself.

use std::collections::HashSet;

use crate::support::{Client, Server};

const CHAOS: &[&str] = &["--workers", "2", "--chaos", "--backoff", "0"];

/// Puts a job for the workers; its id.
fn job(client: &mut Client, ttr: u32, body: &str) -> u64 {
    client.put_into("work", ttr, body)
}

/// Waits until a job is in a state, and gives the note on it.
fn note(client: &mut Client, id: u64, state: &str) -> String {
    let command = format!("stats-job {id}");
    client.wait_stat(&command, "state", state);
    client.stat(&command, "note")
}

#[test]
fn jobs_are_done_by_kind_and_their_results_are_jobs() {
    let server = Server::start(&["--workers", "3", "--tube", "do"]);
    let file = server.database().with_file_name("text");
    std::fs::write(&file, "two words\nand three more\n").expect("a file");
    let mut client = server.client();
    let mut results = Client::watching(server.address(), "done");
    let path = file.display();
    for (kind, field, result) in [
        ("sha256", format!(r#""path":"{path}""#), ""),
        ("word_count", format!(r#""path":"{path}""#), r#""words":5"#),
        ("sleep", r#""ms":5"#.to_owned(), r#""ms":5"#),
    ] {
        let body = format!(r#"{{"kind":"{kind}",{field},"result_tube":"done"}}"#);
        let id = client.put_into("do", 60, &body);
        let (_, report) = results.reserve();
        assert!(report.contains(&format!(r#""job":{id},"#)), "{report}");
        assert!(report.contains(&format!(r#""kind":"{kind}""#)), "{report}");
        if kind != "sha256" {
            assert!(report.contains(result), "{report}");
        } else {
            let digest = digest_of(&file);
            assert!(report.contains(&digest), "{report} without {digest}");
        }
        assert_eq!(client.ask(&format!("peek {id}")), "NOT_FOUND");
    }
}

/// What the system's own program says.
fn digest_of(file: &std::path::Path) -> String {
    let output = std::process::Command::new("sha256sum").arg(file).output();
    let text = String::from_utf8(output.expect("sha256sum").stdout).expect("text");
    text.split(' ').next().expect("a digest").to_owned()
}

#[test]
fn what_can_never_be_done_is_buried_at_once_with_the_reason() {
    let server = Server::start(&["--workers", "1"]);
    let mut client = server.client();
    for (body, reason) in [
        ("nonsense", "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "has no `kind`"),
        (r#"{"kind":"dance"}"#, "no such kind of job: `dance`"),
        (r#"{"kind":"panic"}"#, "no such kind of job: `panic`"),
        (r#"{"kind":"sleep"}"#, "sleep wants a number as `ms`"),
        (
            r#"{"kind":"sleep","ms":1,"result_tube":"-"}"#,
            "result_tube",
        ),
    ] {
        let id = job(&mut client, 60, body);
        let note = note(&mut client, id, "buried");
        assert!(note.contains(reason), "{note}");
    }
}

#[test]
fn a_job_that_panics_is_tried_again_and_then_buried_with_message_and_place() {
    let server = Server::start(CHAOS);
    let mut client = server.client();
    let id = job(&mut client, 60, r#"{"kind":"panic","message":"oh no"}"#);
    let note = note(&mut client, id, "buried");
    assert!(
        note.contains("oh no") && note.contains("chaos.rs:"),
        "{note}"
    );
    let stats = format!("stats-job {id}");
    assert_eq!(client.stat(&stats, "reserves"), "3");
    assert_eq!(client.stat(&stats, "releases"), "2");
    // A kick gives it all its tries again.
    assert_eq!(client.ask(&format!("kick-job {id}")), "KICKED");
    client.wait_stat(&stats, "reserves", "6");
    client.wait_stat(&stats, "state", "buried");
    assert_eq!(
        server
            .log()
            .iter()
            .filter(|line| line.contains("oh no"))
            .count()
            % 6,
        0
    );
}

#[test]
fn a_job_that_fails_rests_before_it_is_tried_again() {
    let server = Server::start(&["--workers", "1", "--backoff", "60"]);
    let mut client = server.client();
    let id = job(
        &mut client,
        60,
        r#"{"kind":"sha256","path":"/no/such/file"}"#,
    );
    let note = note(&mut client, id, "delayed");
    assert!(note.contains("/no/such/file"), "{note}");
    assert_eq!(client.stat(&format!("stats-job {id}"), "delay"), "60");
}

#[test]
fn jobs_that_panic_by_the_hundred_stop_neither_the_others_nor_the_program() {
    let mut server = Server::start(&["--workers", "8", "--chaos", "--tries", "1"]);
    let mut client = server.client();
    for number in 0..100 {
        job(&mut client, 60, r#"{"kind":"panic"}"#);
        let body = format!(
            r#"{{"kind":"sleep","ms":{},"result_tube":"done"}}"#,
            number % 3
        );
        job(&mut client, 60, &body);
    }
    client.wait_stat("stats-tube work", "current-jobs-buried", "100");
    client.wait_stat("stats-tube done", "current-jobs-ready", "100");
    server.stop();
}

#[test]
fn a_job_that_takes_longer_than_its_ttr_counts_as_failed() {
    let server = Server::start(&["--workers", "1", "--tries", "1"]);
    let mut client = server.client();
    let id = job(&mut client, 1, r#"{"kind":"sleep","ms":60000}"#);
    let note = note(&mut client, id, "buried");
    assert!(note.contains("TTR"), "{note}");
    // The worker is free for the next one.
    job(
        &mut client,
        60,
        r#"{"kind":"sleep","ms":1,"result_tube":"done"}"#,
    );
    client.wait_stat("stats-tube done", "current-jobs-ready", "1");
}

#[test]
fn a_job_that_spins_hurts_nobody_and_is_given_up_in_time() {
    let server = Server::start(&["--workers", "2", "--chaos", "--tries", "1"]);
    let mut client = server.client();
    let id = job(&mut client, 1, r#"{"kind":"spin","ms":3000}"#);
    for _ in 0..20 {
        job(
            &mut client,
            60,
            r#"{"kind":"sleep","ms":1,"result_tube":"done"}"#,
        );
    }
    client.wait_stat("stats-tube done", "current-jobs-ready", "20");
    let note = note(&mut client, id, "buried");
    assert!(note.contains("TTR"), "{note}");
}

#[test]
fn the_scheduler_crashes_and_workers_go_on_and_their_results_are_not_lost() {
    let server = Server::start(CHAOS);
    let mut client = server.client();
    let id = job(
        &mut client,
        60,
        r#"{"kind":"sleep","ms":1500,"result_tube":"done"}"#,
    );
    client.wait_stat("stats-tube work", "current-jobs-reserved", "1");
    let crash = r#"{"kind":"crash","what":"scheduler"}"#;
    job(&mut client, 60, crash);
    server.wait_log("crash", |line| line.contains("a job asked the scheduler"));
    // Not given to the other worker, and not to anybody else.
    client.wait_stat(&format!("stats-job {id}"), "state", "reserved");
    let mut thief = Client::watching(server.address(), "work");
    assert_eq!(thief.ask("reserve-with-timeout 0"), "TIMED_OUT");
    let mut results = Client::watching(server.address(), "done");
    let (_, report) = results.reserve();
    assert!(report.contains(&format!(r#""job":{id},"#)), "{report}");
    assert_eq!(results.ask("reserve-with-timeout 0"), "TIMED_OUT");
    assert_eq!(client.ask(&format!("peek {id}")), "NOT_FOUND");
    let done = format!("job={id} ");
    assert_eq!(
        server
            .log()
            .iter()
            .filter(|line| line.contains(&done))
            .count(),
        1
    );
}

#[test]
fn the_store_or_their_supervisor_crashes_and_jobs_of_workers_are_done_again() {
    for what in ["store", "worker_sup"] {
        let server = Server::start(CHAOS);
        let mut client = server.client();
        let id = job(
            &mut client,
            60,
            r#"{"kind":"sleep","ms":1000,"result_tube":"done"}"#,
        );
        client.wait_stat("stats-tube work", "current-jobs-reserved", "1");
        job(
            &mut client,
            60,
            &format!(r#"{{"kind":"crash","what":"{what}"}}"#),
        );
        let mut results = Client::watching(server.address(), "done");
        let (_, report) = results.reserve();
        assert!(report.contains(&format!(r#""job":{id},"#)), "{report}");
        assert_eq!(results.ask("reserve-with-timeout 0"), "TIMED_OUT");
    }
}

#[test]
fn results_are_not_lost_while_the_scheduler_crashes_again_and_again() {
    let server = Server::start(&["--workers", "4", "--chaos"]);
    let mut client = server.client();
    let mut wanted = HashSet::new();
    for number in 0..200 {
        if number % 50 == 25 {
            job(&mut client, 60, r#"{"kind":"crash","what":"scheduler"}"#);
        }
        wanted.insert(job(
            &mut client,
            60,
            r#"{"kind":"sleep","ms":10,"result_tube":"done"}"#,
        ));
    }
    let mut results = Client::watching(server.address(), "done");
    for _ in 0..200 {
        let (id, report) = results.reserve();
        let of = report
            .split(r#""job":"#)
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let of: u64 = of.and_then(|id| id.parse().ok()).expect("a job");
        assert!(wanted.remove(&of), "job {of} has two results");
        assert_eq!(results.ask(&format!("delete {id}")), "DELETED");
    }
    assert_eq!(results.ask("reserve-with-timeout 0"), "TIMED_OUT");
    assert_eq!(client.stat("stats-tube work", "current-jobs-ready"), "0");
}
