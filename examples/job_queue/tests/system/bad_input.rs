//! What clients should not send. Each gets the protocol's own error, and harms nobody.

use crate::support::{Client, Server};

#[test]
fn what_is_wrong_is_answered_in_its_place_and_the_connection_goes_on() {
    let server = Server::start(&["-z", "10"]);
    let mut client = server.client();
    let long = "a".repeat(201);
    for (sent, answer) in [
        ("dance", "UNKNOWN_COMMAND"),
        ("", "UNKNOWN_COMMAND"),
        ("put 0 0 1", "BAD_FORMAT"),
        ("put 0 0 1 x", "BAD_FORMAT"),
        ("put 4294967296 0 1 0", "BAD_FORMAT"),
        ("delete 18446744073709551616", "BAD_FORMAT"),
        ("use -a", "BAD_FORMAT"),
        ("use a*b", "BAD_FORMAT"),
        (&format!("use {long}"), "BAD_FORMAT"),
        (&"x".repeat(64 * 1024), "BAD_FORMAT"),
        ("put 0 0 1 11\r\nhello world", "JOB_TOO_BIG"),
        ("put 0 0 1 3\r\nhello", "EXPECTED_CRLF"),
    ] {
        assert_eq!(client.ask(sent), answer, "{sent:.40}");
        if answer == "EXPECTED_CRLF" {
            // What is left of the body is a line.
            assert_eq!(client.hear(), "UNKNOWN_COMMAND");
        }
    }
    client.put("still here");
}

#[test]
fn clients_that_vanish_amid_a_job_leave_nothing() {
    let server = Server::start(&[]);
    for sent in [
        "put 0 0 60 100\r\nhalf a body",
        "put 0 0 60",
        "put 0 0 60 5\r\nhello",
        "\r",
    ] {
        let mut client = server.client();
        client.send(sent.as_bytes()).expect("sent");
    }
    let mut client = server.client();
    client.wait_stat("stats", "current-connections", "1");
    assert_eq!(client.stat("stats", "total-jobs"), "0");
}

#[test]
fn a_client_that_sends_all_at_once_and_closes_gets_all_answers() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let mut sent = String::new();
    for number in 0..500 {
        sent += &format!("put {number} 0 60 1\r\nx\r\n");
    }
    sent += "reserve\r\nreserve-with-timeout 5\r\nwatch none\r\nignore default\r\nreserve\r\nstats-job 1\r\n";
    client.send(sent.as_bytes()).expect("sent");
    client.close_writing();
    for id in 1..=500 {
        assert_eq!(client.hear(), format!("INSERTED {id}"));
    }
    assert_eq!(client.hear(), "RESERVED 1 1\nx");
    assert_eq!(client.hear(), "RESERVED 2 1\nx");
    assert_eq!(client.hear(), "WATCHING 2");
    assert_eq!(client.hear(), "WATCHING 1");
    // Nobody is there to wait.
    assert_eq!(client.hear(), "TIMED_OUT");
    assert!(client.hear().contains("state: reserved"));
    client.is_closed();
    server
        .client()
        .wait_stat("stats", "current-jobs-ready", "500");
}

#[test]
fn who_sees_a_connection_close_finds_its_jobs_free() {
    let server = Server::start(&[]);
    let mut other = server.client();
    for _ in 0..50 {
        let mut client = server.client();
        let id = client.put("a job");
        assert_eq!(client.reserve().0, id);
        client.say("quit");
        client.is_closed();
        assert_eq!(other.stat("stats", "current-connections"), "1");
        assert_eq!(other.ask(&format!("delete {id}")), "DELETED");
    }
}

#[test]
fn quit_closes_once_everything_before_is_answered() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client
        .send(b"put 0 0 60 1\r\nx\r\nquit\r\nput 0 0 60 1\r\ny\r\n")
        .expect("sent");
    assert_eq!(client.hear(), "INSERTED 1");
    client.is_closed();
    assert_eq!(server.client().stat("stats", "total-jobs"), "1");
}

#[test]
fn a_client_that_does_not_read_is_not_heard_and_holds_up_nobody() {
    let server = Server::start(&[]);
    let mut deaf = server.client();
    deaf.put(&"x".repeat(60_000));
    // 600 MB of answers: more than anybody keeps for it.
    let flood = std::thread::spawn(move || {
        let _ = deaf.send(&b"peek 1\r\n".repeat(10_000));
        deaf
    });
    let mut client = server.client();
    for _ in 0..100 {
        client.put("quick");
    }
    let mut deaf = flood.join().expect("sent or not");
    for _ in 0..10_000 {
        assert!(deaf.hear().starts_with("FOUND 1 60000\nxxx"));
    }
}

#[test]
fn more_clients_than_allowed_are_turned_away() {
    let server = Server::start(&["--max-connections", "2"]);
    let mut first = server.client();
    first.put("a");
    let mut second = server.client();
    second.put("b");
    let mut third = server.client();
    third.is_closed();
    drop(second);
    first.wait_stat("stats", "current-connections", "1");
    // The place is free once the process has ended.
    let deadline = std::time::Instant::now() + crate::support::DEADLINE;
    loop {
        let mut next = Client::connect(server.address());
        if next.send(b"list-tube-used\r\n").is_ok() && next.try_hear().is_ok() {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "no place");
    }
}
