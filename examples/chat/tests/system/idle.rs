//! A server with nothing to do does nothing.

use std::time::{Duration, Instant};

use crate::support::{Client, Server};

/// How long it is watched. `CHAT_IDLE_SECONDS` sets another time.
const WATCHED: Duration = Duration::from_secs(5);

#[test]
fn an_idle_server_with_a_hundred_connections_uses_no_processor_time() {
    let server = Server::start(&[]);
    let people: Vec<Client> = (0..100)
        .map(|number| {
            let room = format!("#room{}", number % 10);
            Client::in_room(server.address(), &format!("idler{number}"), &room)
        })
        .collect();
    // Until all that the last arrivals caused is done: the time stands still for a while.
    let mut before = ticks(server.id());
    let mut quiet = 0;
    let deadline = Instant::now() + crate::support::DEADLINE;
    while quiet < 5 {
        std::thread::sleep(Duration::from_millis(50));
        let now = ticks(server.id());
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
        assert!(Instant::now() < deadline, "the server never comes to rest");
    }
    let watched = std::env::var("CHAT_IDLE_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .map_or(WATCHED, Duration::from_secs);
    std::thread::sleep(watched);
    let used = ticks(server.id()) - before;
    println!("{used} ticks in {watched:?}");
    // A tick goes to whoever runs when it comes: on a busy machine some are not ours.
    assert!(used <= 3, "{used} ticks of processor time in {watched:?}");
    drop(people);
}

/// The processor time a process has used so far, in clock ticks (fields utime and stime).
fn ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process");
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let fields: Vec<&str> = fields.split(' ').collect();
    let number = |index: usize| fields[index].parse::<u64>().expect("a number");
    number(11) + number(12)
}
