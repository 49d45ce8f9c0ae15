//! What is bounded, and what a client that behaves gets all the same.

use std::time::{Duration, Instant};

use crate::support::{Client, DEADLINE, Server};

const NO_FLOOD_LIMIT: [&str; 4] = ["--flood-burst", "1000000", "--flood-rate", "1000000"];

/// Whether the room has a process.
fn is_there(client: &mut Client, room: &str) -> bool {
    client.send(&format!("MODE {room}"));
    client.wait("what the room is", |line| line.is("324") || line.is("403"));
    client.seen().last().is_some_and(|line| line.is("324"))
}

/// Waits until the room has no process.
fn wait_for_the_end_of(client: &mut Client, room: &str) {
    let deadline = Instant::now() + DEADLINE;
    while is_there(client, room) {
        assert!(Instant::now() < deadline, "{room} stays");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn answers_far_longer_than_the_send_queue_reach_a_client_that_reads() {
    const ROOMS: usize = 45;
    const LISTS: usize = 30;
    let arguments = [&["--send-queue", "4096"][..], &NO_FLOOD_LIMIT].concat();
    let mut server = Server::start(&arguments);
    let mut owners: Vec<Client> = (0..20)
        .map(|number| Client::register(server.address(), &format!("owner{number}")))
        .collect();
    let topic = "x".repeat(290);
    for (number, owner) in owners.iter_mut().enumerate() {
        for room in 0..ROOMS {
            owner.send(&format!("JOIN #r{number}x{room}"));
            owner.send(&format!("TOPIC #r{number}x{room} :{topic}"));
        }
        owner.settle();
    }
    let mut asker = Client::in_room(server.address(), "asker", "#tea");
    let mut friend = Client::in_room(server.address(), "friend", "#tea");
    // More than the system keeps for a socket: 9 MB. Somebody else gets as much while it does not
    // read, so the server has run into the full socket when it begins.
    for _ in 0..LISTS {
        asker.send("LIST");
    }
    asker.send("PING :last");
    for _ in 0..LISTS {
        friend.send("LIST");
        friend.wait_for("323");
    }
    friend.say("#tea", "still reading?");
    friend.settle();
    let before = asker.seen().len();
    asker.wait("the answer to what was asked last", |line| {
        line.is("PONG") && line.text() == "last"
    });
    let seen = &asker.seen()[before..];
    let count = |command: &str| seen.iter().filter(|line| line.is(command)).count();
    assert_eq!(count("323"), LISTS);
    assert_eq!(count("322"), LISTS * (owners.len() * ROOMS + 1));
    // Answers do not mix, and what others say gets through.
    let parts = seen.split(|line| line.is("323")).take(LISTS);
    for part in parts {
        assert_eq!(part.iter().filter(|line| line.is("321")).count(), 1);
    }
    assert_eq!(count("PRIVMSG"), 1);
    server.is_unharmed();
}

#[test]
fn a_room_in_which_nothing_was_said_ends_with_its_last_member() {
    let arguments = [&["--room-idle", "3600"][..], &NO_FLOOD_LIMIT].concat();
    let mut server = Server::start(&arguments);
    let mut witness = Client::in_room(server.address(), "witness", "#shared");
    let mut hopper = Client::in_room(server.address(), "hopper", "#shared");
    hopper.join("#said");
    hopper.say("#said", "remember this");
    hopper.join("#titled");
    hopper.send("TOPIC #titled :a title");
    hopper.wait_for("TOPIC");
    hopper.send("PART #said,#titled,#shared");
    for _ in 0..3 {
        hopper.settle();
    }
    // It goes through names as fast as it can.
    for round in 0..10 {
        let rooms: Vec<String> = (0..20).map(|n| format!("#hop{round}x{n}")).collect();
        hopper.send(&format!("JOIN {}", rooms.join(",")));
        hopper.send(&format!("PART {}", rooms.join(",")));
    }
    hopper.settle();
    for round in 0..10 {
        for n in 0..20 {
            wait_for_the_end_of(&mut hopper, &format!("#hop{round}x{n}"));
        }
    }
    for room in ["#shared", "#said", "#titled"] {
        assert!(is_there(&mut witness, room), "{room} is gone");
    }
    // In and out of the same one, over and over: it is always let in.
    for _ in 0..100 {
        hopper.join("#again");
        hopper.send("PART #again");
        hopper.wait_for("PART");
    }
    server.is_unharmed();
}

#[test]
fn a_room_too_many_is_refused_and_a_place_that_is_free_again_is_given() {
    let arguments = ["--max-rooms", "3", "--room-idle", "3600"];
    let mut server = Server::start(&[&arguments[..], &NO_FLOOD_LIMIT].concat());
    let mut ann = Client::register(server.address(), "ann");
    for room in ["#a", "#b", "#c"] {
        ann.join(room);
    }
    let mut bob = Client::register(server.address(), "bob");
    bob.send("JOIN #D,#a,#E");
    for refused in ["#D", "#E"] {
        let told = bob.wait("the refusal", |line| {
            line.is("437") && line.param(1) == refused
        });
        assert!(told.text().contains("no place"), "{told}");
    }
    drop(bob.settle());
    let names: Vec<&str> = bob
        .seen()
        .iter()
        .filter(|line| line.is("366"))
        .map(|line| line.param(1))
        .collect();
    assert_eq!(names, ["#a"], "a room that is there is not refused");
    // Refused is not joined.
    bob.send("PRIVMSG #D :hello?");
    bob.wait_for("403");
    ann.send("PART #c");
    let deadline = Instant::now() + DEADLINE;
    loop {
        bob.send("JOIN #D");
        let answer = bob.wait("an answer", |line| line.is("366") || line.is("437"));
        if answer.is("366") {
            break;
        }
        assert!(Instant::now() < deadline, "no place becomes free");
        std::thread::sleep(Duration::from_millis(5));
    }
    ann.say("#a", "all are here");
    bob.until_said("ann", "all are here");
    server.is_unharmed();
}
