//! How the server ends, and what is left of the talk when it does.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::{Client, DEADLINE, Launch, Line, Server, Stored, stored};

const ROOMS: usize = 10;
const PEOPLE: usize = 40;
/// How many deliveries are seen before the server is stopped.
const ENOUGH: usize = 1500;

#[test]
fn sigterm_under_load_says_goodbye_stops_in_order_and_loses_nothing() {
    let mut server = Server::start(&[]);
    let crowd = Crowd::talk(server.address());
    crowd.wait(ENOUGH);
    server.terminate();
    let status = server.wait_exit();
    assert_eq!(status.code(), Some(0), "{status}");

    let seen = crowd.all();
    for (person, lines) in seen.iter().enumerate() {
        let goodbye = lines.iter().rfind(|line| line.is("ERROR"));
        let last: Vec<&Line> = lines.iter().rev().take(3).collect();
        assert!(goodbye.is_some(), "no goodbye to talker{person}: {last:?}");
    }
    stops_in_reverse_order(&server.log());

    let directory = server.take_directory();
    let database = directory.file("chat.db");
    everything_seen_is_stored(&seen, &stored(&database));
    let server = Launch::on(database.clone()).start();
    replays_the_last_fifty(&server, &stored(&database));
}

/// The log tells of every child of the root that it stopped, the last started first.
fn stops_in_reverse_order(log: &[String]) {
    let stops: Vec<&String> = log.iter().filter(|line| line.contains("STOP")).collect();
    let position = |name: &str| {
        let found = stops.iter().position(|line| line.contains(name));
        found.unwrap_or_else(|| panic!("no line about the stop of {name}:\n{}", log.join("\n")))
    };
    let order = [
        position("chat_conn_sup"),
        position("chat_room_sup"),
        position("chat_db_sup"),
    ];
    assert!(
        order.is_sorted(),
        "stopped in another order:\n{}",
        log.join("\n")
    );
}

#[test]
fn after_kill_9_the_next_start_has_every_message_that_a_client_saw() {
    let mut server = Server::start(&[]);
    let crowd = Crowd::talk(server.address());
    crowd.wait(ENOUGH);
    server.kill();
    let seen = crowd.all();
    let directory = server.take_directory();
    // The server comes first: it must cope with what the dead one left, and nobody helps it.
    let server = Launch::on(directory.file("chat.db")).start();
    let stored = stored(&directory.file("chat.db"));
    everything_seen_is_stored(&seen, &stored);
    replays_the_last_fifty(&server, &stored);
}

#[test]
fn sigint_is_as_good_as_sigterm_and_an_idle_server_stops_at_once() {
    let mut server = Server::start(&[]);
    let mut ann = Client::in_room(server.address(), "ann", "#tea");
    let begun = std::time::Instant::now();
    let id = rustix::process::Pid::from_raw(server.id() as i32).expect("an id");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is there");
    ann.closed_with();
    assert_eq!(server.wait_exit().code(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_client_that_never_reads_does_not_hold_up_the_stop() {
    // Everything is allowed that could fill the way to the client.
    let limits = [
        ["--send-queue", "100000000"],
        ["--flood-burst", "100000"],
        ["--flood-rate", "100000"],
    ];
    let mut server = Server::start(limits.as_flattened());
    let mut owners: Vec<Client> = (0..20)
        .map(|number| Client::register(server.address(), &format!("owner{number}")))
        .collect();
    for (number, owner) in owners.iter_mut().enumerate() {
        let rooms: Vec<String> = (0..45).map(|room| format!("#r{number}x{room}")).collect();
        owner.send(&format!("JOIN {}", rooms.join(",")));
        let last = &rooms[rooms.len() - 1];
        owner.wait("the last room", |line| {
            line.is("366") && line.param(1) == last
        });
    }
    // Far more than the system keeps for a socket: 30 MB.
    let mut deaf = Client::register(server.address(), "deaf");
    let asked = "LIST\r\n".repeat(1000);
    deaf.send_for(asked.as_bytes(), Duration::from_secs(1))
        .expect("sent");
    owners[0].say("deaf", "hello?");
    owners[0].settle();

    let begun = std::time::Instant::now();
    server.terminate();
    // Who reads has its goodbye at once.
    owners[0].closed_with();
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(server.wait_exit().code(), Some(0));
    let took = begun.elapsed();
    println!("stopped in {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// People in rooms who talk until the server is gone.
struct Crowd {
    people: Vec<JoinHandle<Vec<Line>>>,
    delivered: Arc<AtomicUsize>,
}

impl Crowd {
    /// Everybody joins, then everybody talks.
    fn talk(address: SocketAddr) -> Self {
        let delivered = Arc::new(AtomicUsize::new(0));
        let clients: Vec<Client> = (0..PEOPLE)
            .map(|number| Client::in_room(address, &format!("talker{number}"), &room(number)))
            .collect();
        let people = clients.into_iter().enumerate().map(|(number, client)| {
            let delivered = Arc::clone(&delivered);
            std::thread::spawn(move || talk(client, number, &delivered))
        });
        Self {
            people: people.collect(),
            delivered,
        }
    }

    /// Waits until so many messages have been seen.
    fn wait(&self, deliveries: usize) {
        let deadline = std::time::Instant::now() + DEADLINE;
        while self.delivered.load(Ordering::Relaxed) < deliveries {
            assert!(
                std::time::Instant::now() < deadline,
                "the crowd is too quiet"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What each of them saw, up to the end of the connection.
    fn all(self) -> Vec<Vec<Line>> {
        self.people
            .into_iter()
            .map(|person| person.join().expect("a talker"))
            .collect()
    }
}

fn room(number: usize) -> String {
    format!("#crowd{}", number % ROOMS)
}

fn talk(mut client: Client, number: usize, delivered: &AtomicUsize) -> Vec<Line> {
    let mut count = 0;
    loop {
        let line = format!("PRIVMSG {} :{count} of talker{number}\r\n", room(number));
        let goes_on = client.send_bytes(line.as_bytes()).is_ok();
        count += 1;
        let pause = std::time::Instant::now() + Duration::from_millis(100);
        loop {
            let left = pause.saturating_duration_since(std::time::Instant::now());
            // After a failed write there may still be lines to read, so no early end there.
            let left = if goes_on { left } else { DEADLINE };
            match client.next_within(left) {
                Ok(Some(line)) if line.is("PRIVMSG") => {
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Some(_)) => {}
                Ok(None) => return client.seen().to_vec(),
                Err(_) if goes_on => break,
                Err(error) => panic!("neither a line nor the end: {error}"),
            }
        }
    }
}

fn everything_seen_is_stored(seen: &[Vec<Line>], stored: &[Stored]) {
    let held: HashSet<&Stored> = stored.iter().collect();
    assert_eq!(held.len(), stored.len(), "something is stored twice");
    let mut count = 0;
    for line in seen.iter().flatten().filter(|line| line.is("PRIVMSG")) {
        let said = Stored {
            room: line.param(0).to_owned(),
            nick: line.nick().to_owned(),
            text: line.text().to_owned(),
        };
        assert!(held.contains(&said), "seen and not stored: {said:?}");
        count += 1;
    }
    assert!(count >= ENOUGH, "only {count} deliveries");
}

fn replays_the_last_fifty(server: &Server, stored: &[Stored]) {
    for number in 0..ROOMS {
        let room = room(number);
        let texts: Vec<&str> = stored
            .iter()
            .filter(|m| m.room == room)
            .map(|m| m.text.as_str())
            .collect();
        let expected = &texts[texts.len().saturating_sub(50)..];
        let mut reader = Client::in_room(server.address(), &format!("reader{number}"), &room);
        let mut writer = Client::in_room(server.address(), &format!("writer{number}"), &room);
        writer.say(&room, "the end");
        reader.until_said(&format!("writer{number}"), "the end");
        let shown: Vec<&str> = reader.seen().iter().filter_map(Line::replayed).collect();
        assert_eq!(shown, expected, "{room}");
    }
}
