//! Databases and ports that cannot be used.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Client, Directory, Launch, Line, Server, copy_program, stored};

/// The user that is nobody on every Linux.
const NOBODY: u32 = 65534;

/// Asserts that the server did not start and said why.
fn refuses_to_start(mut server: Server, reasons: &[&str]) {
    let status = server.wait_exit();
    let log = server.log().join("\n");
    assert!(
        status.code().is_some_and(|code| code != 0 && code != 101),
        "{status}:\n{log}"
    );
    let lower = log.to_lowercase();
    for reason in reasons {
        assert!(
            lower.contains(&reason.to_lowercase()),
            "nothing about {reason:?}:\n{log}"
        );
    }
    assert!(!lower.contains("panic"), "{log}");
}

#[test]
fn a_database_file_that_is_a_directory_is_refused_by_name() {
    let directory = Directory::new();
    let database = directory.file("folder.db");
    std::fs::create_dir(&database).expect("a directory");
    refuses_to_start(Launch::on(database).spawn(), &["folder.db"]);
}

#[test]
fn a_database_file_in_a_directory_that_is_not_there_is_refused_by_name() {
    let directory = Directory::new();
    let database = directory.path().join("nowhere").join("chat.db");
    refuses_to_start(Launch::on(database).spawn(), &["nowhere"]);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let directory = Directory::new();
    let database = directory.file("letter.db");
    let letter = "Dear diary, ".repeat(1000);
    std::fs::write(&database, &letter).expect("a file");
    refuses_to_start(
        Launch::on(database.clone()).spawn(),
        &["letter.db", "not a database"],
    );
    assert_eq!(
        std::fs::read_to_string(&database).expect("the file"),
        letter
    );
}

#[test]
fn a_read_only_database_is_refused_by_name() {
    let directory = Directory::new();
    let database = directory.file("old.db");
    let mut server = Launch::on(database.clone()).start();
    assert!(server.stop().success());
    let rights = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("rights");
    };
    let mut launch = Launch::on(database.clone());
    if rustix::process::geteuid().is_root() {
        // Rights do not hold root back.
        launch = launch.program(copy_program(directory.path())).user(NOBODY);
    }
    rights(&database, 0o444);
    rights(directory.path(), 0o555);
    let server = launch.spawn();
    refuses_to_start(server, &["old.db"]);
    rights(directory.path(), 0o755);
}

#[test]
fn a_full_disk_stops_the_history_and_not_the_talk() {
    let directory = Directory::new();
    let disk = directory.file("disk");
    std::fs::create_dir(&disk).expect("a directory");
    // A small disk of the server's own, which is gone when the server is.
    let mount = format!("mount -t tmpfs -o size=320k tmpfs '{}'", disk.display());
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
    let mut server = Launch::on(disk.join("chat.db"))
        .through(&["unshare", "-rm", "sh", "-c", &script, "sh"])
        .with(&["--history-wait", "1"])
        .start();
    let mut ann = Client::in_room(server.address(), "ann", "#tea");
    let mut bob = Client::in_room(server.address(), "bob", "#tea");
    let mut told = false;
    let padding = "x".repeat(380);
    for number in 0..2000 {
        let text = format!("{number} {padding}");
        ann.say("#tea", &text);
        let before = bob.until_said("ann", &text);
        told = before
            .iter()
            .any(|line| line.is("NOTICE") && about_history(line));
        if told {
            break;
        }
    }
    assert!(
        told,
        "the disk is full and nobody was told that there is no history"
    );
    // And on it goes, quickly.
    ann.say("#tea", "we talk on");
    bob.until_said("ann", "we talk on");
    server.wait_log("line about the full disk", |line| {
        line.to_lowercase().contains("full")
    });
    assert!(server.is_running());
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn while_the_database_is_locked_messages_wait_and_then_go_on_without_history() {
    let mut server = Server::start(&["--history-wait", "2"]);
    let mut ann = Client::in_room(server.address(), "ann", "#tea");
    let mut bob = Client::in_room(server.address(), "bob", "#tea");
    ann.say("#tea", "before");
    bob.until_said("ann", "before");
    let database = rusqlite::Connection::open(server.database()).expect("the database");

    // For a moment: the message waits, and nobody needs to know.
    database.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    ann.say("#tea", "a little later");
    let nothing = bob.next_within(Duration::from_millis(500));
    assert!(
        nothing.is_err(),
        "delivered before it was stored: {nothing:?}"
    );
    database.execute_batch("ROLLBACK").expect("the end of it");
    assert_eq!(bob.until_said("ann", "a little later"), []);

    // For too long: it is delivered all the same, and everybody is told.
    database.execute_batch("BEGIN IMMEDIATE").expect("a lock");
    let begun = Instant::now();
    ann.say("#tea", "too late");
    let told = bob.until_said("ann", "too late");
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(1500), "{waited:?}");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    ann.say("#tea", "off the record");
    let told = [told, bob.until_said("ann", "off the record")].concat();
    assert!(told.iter().any(about_history), "nobody was told: {told:?}");
    database.execute_batch("ROLLBACK").expect("the end of it");

    // When it is back that is said too, and what was kept meanwhile is stored.
    bob.wait("the news", |line| line.is("NOTICE") && about_history(line));
    ann.say("#tea", "after");
    bob.until_said("ann", "after");
    let texts: Vec<String> = stored(&server.database())
        .into_iter()
        .map(|m| m.text)
        .collect();
    let all = [
        "before",
        "a little later",
        "too late",
        "off the record",
        "after",
    ];
    assert_eq!(texts, all);
    server.is_unharmed();
}

fn about_history(line: &Line) -> bool {
    let text = line.text().to_lowercase();
    text.contains("history") || text.contains("stored")
}

#[test]
fn a_port_in_use_is_refused_by_its_address() {
    let directory = Directory::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let server = Launch::on(directory.file("chat.db"))
        .listen(&address)
        .spawn();
    refuses_to_start(server, &[&address, "in use"]);
}

#[test]
fn arguments_that_make_no_sense_are_named() {
    let directory = Directory::new();
    for (arguments, named) in [
        (&["--listen", "nonsense"][..], "nonsense"),
        (&["--max-connections", "many"], "many"),
        (&["--dance"], "--dance"),
    ] {
        let server = Launch::on(directory.file("chat.db"))
            .with(arguments)
            .spawn();
        refuses_to_start(server, &[named]);
    }
}
