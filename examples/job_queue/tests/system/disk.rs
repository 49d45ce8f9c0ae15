//! Databases and ports that cannot be used, and a disk that is full.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::{Directory, Launch, Server};

/// Asserts that the server does not start, and says why in one line.
fn refuses_to_start(mut server: Server, reason: &str) {
    assert_eq!(server.wait_exit().code(), Some(1));
    let log = server.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].starts_with("job-queue: "), "{log:?}");
    assert!(log[0].contains(reason), "nothing about {reason:?}: {log:?}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = Directory::new();
    let database = directory.file("letter.db");
    let letter = "Dear diary, ".repeat(1000);
    std::fs::write(&database, &letter).expect("a file");
    refuses_to_start(Launch::on(database.clone()).spawn(), "not a database");
    assert_eq!(
        std::fs::read_to_string(&database).expect("the file"),
        letter
    );
}

#[test]
fn a_damaged_database_is_refused_and_left_alone() {
    let mut server = Server::start(&[]);
    let mut client = server.client();
    for _ in 0..100 {
        client.put(&"x".repeat(1000));
    }
    server.stop();
    let directory = Directory::new();
    let database = directory.file("jobs.db");
    let mut bytes = std::fs::read(server.database()).expect("the file");
    let middle = bytes.len() / 8192 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&database, &bytes).expect("a file");
    let mut server = Launch::on(database.clone()).spawn();
    assert_eq!(server.wait_exit().code(), Some(1));
    let log = server.log().join("\n");
    assert!(log.contains("damaged"), "{log}");
    assert!(!log.contains("listens"), "{log}");
    assert_eq!(std::fs::read(&database).expect("the file"), bytes);
}

#[test]
fn a_database_that_another_server_uses_is_refused() {
    let server = Server::start(&[]);
    let second = Launch::on(server.database()).spawn();
    refuses_to_start(second, "another program uses it");
    server.client().put("goes on");
}

#[test]
fn a_port_in_use_is_refused_by_its_address() {
    let directory = Directory::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address");
    let port = address.port().to_string();
    let launch = Launch::on(directory.file("jobs.db")).with(&["-p", &port]);
    refuses_to_start(launch.spawn(), &address.to_string());
}

#[test]
fn a_full_disk_refuses_jobs_and_loses_none_that_it_has_taken() {
    let directory = Directory::new();
    let disk = directory.file("disk");
    std::fs::create_dir(&disk).expect("a directory");
    // A small disk of the server's own, which is gone when the server is.
    let mount = format!("mount -t tmpfs -o size=2m tmpfs '{}'", disk.display());
    let possible = Command::new("unshare")
        .args(["-rm", "sh", "-c", &mount])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        println!("skipped: this user cannot mount a small disk (`unshare -rm` with tmpfs)");
        return;
    }
    let script = format!("{mount} && exec \"$@\"");
    let mut server = Launch::on(disk.join("jobs.db"))
        .through(&["unshare", "-rm", "sh", "-c", &script, "sh"])
        .start();
    let mut client = server.client();
    let body = "x".repeat(20_000);
    let mut kept = Vec::new();
    let answer = loop {
        let answer = client.ask(&format!("put 0 0 60 {}\r\n{body}", body.len()));
        match answer.strip_prefix("INSERTED ") {
            Some(id) => kept.push(id.parse::<u64>().expect("an id")),
            None => break answer,
        }
        assert!(kept.len() < 1_000, "the disk is not full");
    };
    assert_eq!(answer, "OUT_OF_MEMORY");
    server.wait_log("line about the disk", |line| {
        line.contains("the disk refuses jobs")
    });
    // The queue goes on with what it has, and only with that.
    let count = kept.len().to_string();
    assert_eq!(client.stat("stats", "current-jobs-ready"), count);
    for id in kept {
        assert_eq!(client.reserve().0, id);
        let answer = client.ask(&format!("delete {id}"));
        assert!(
            answer == "DELETED" || answer == "INTERNAL_ERROR",
            "{answer}"
        );
    }
    assert_eq!(client.ask("reserve-with-timeout 0"), "TIMED_OUT");
    server.stop();
}
