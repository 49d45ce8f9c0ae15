//! People talk: registration, rooms, private messages, history, and a crash in the middle.

use crate::support::{Client, Launch, Line, Server, stored};

const ROOM: &str = "#tea";

#[test]
fn registration_is_welcomed_with_the_numerics_that_clients_expect() {
    let mut server = Server::start(&[]);
    let mut client = Client::connect(server.address());
    client.send("CAP LS 302");
    client.send("NICK amy");
    client.send("USER amy 0 * :Amy Pond");
    // Registration waits for the end of the negotiation.
    let caps = client.wait_for("CAP");
    assert_eq!(caps.param(1), "LS", "{caps}");
    client.send("CAP REQ :no-such-capability");
    let refused = client.wait("an answer to REQ", |line| {
        line.is("CAP") && line.param(1) != "LS"
    });
    assert_eq!(refused.param(1), "NAK", "{refused}");
    assert!(!client.seen().iter().any(|line| line.is("001")));
    client.send("CAP END");
    let welcome = client.wait_for("001");
    assert_eq!(welcome.param(0), "amy");
    client.wait("the end of the welcome", |line| {
        line.is("376") || line.is("422")
    });
    for numeric in ["001", "002", "003", "004", "005"] {
        assert!(
            client.seen().iter().any(|line| line.is(numeric)),
            "no {numeric}"
        );
    }
    let supported: Vec<&Line> = client.seen().iter().filter(|line| line.is("005")).collect();
    for token in [
        "CASEMAPPING=ascii",
        "CHANTYPES=#",
        "NICKLEN=",
        "CHANNELLEN=",
    ] {
        let told = supported.iter().any(|line| line.raw.contains(token));
        assert!(told, "{token} is not in {supported:?}");
    }
    client.send("USER again 0 * :again");
    client.wait_for("462");
    client.send("QUIT :that was all");
    client.closed_with();
    assert!(server.stop().success());
}

#[test]
fn commands_before_registration_are_refused_and_an_unknown_one_is_named() {
    let server = Server::start(&[]);
    let mut client = Client::connect(server.address());
    client.send("JOIN #early");
    client.wait_for("451");
    client.send("NICK bea");
    client.send("USER bea 0 * :Bea");
    client.wait_for("001");
    client.send("DANCE now");
    assert_eq!(client.wait_for("421").param(1), "DANCE");
    client.send("JOIN");
    client.wait_for("461");
    client.send("PRIVMSG");
    client.wait_for("411");
    client.send("PRIVMSG bea");
    client.wait_for("412");
    client.send("PRIVMSG nobody :hello");
    client.wait_for("401");
    client.send("PART #never");
    client.wait("a refusal", |line| line.is("403") || line.is("442"));
    client.send("NICK");
    client.wait_for("431");
    client.send("NICK 9lives");
    client.wait_for("432");
}

#[test]
fn two_people_join_see_each_other_and_talk() {
    let mut server = Server::start(&[]);
    let mut ann = Client::in_room(server.address(), "ann", ROOM);
    let mut bob = Client::in_room(server.address(), "bob", ROOM);
    let joined = ann.wait("bob's arrival", |line| {
        line.is("JOIN") && line.nick() == "bob"
    });
    assert_eq!(joined.param(0), ROOM);

    bob.send(&format!("NAMES {ROOM}"));
    let names = bob.wait_for("353");
    let mut nicks: Vec<&str> = names.text().split(' ').collect();
    nicks.sort_unstable();
    assert_eq!(nicks, ["ann", "bob"]);
    bob.wait_for("366");

    ann.say(ROOM, "is the kettle on?");
    bob.until_said("ann", "is the kettle on?");
    bob.say(ROOM, "it is");
    let between = ann.until_said("bob", "it is");
    assert!(
        !between.iter().any(|line| line.is("PRIVMSG")),
        "no echo of one's own: {between:?}"
    );

    ann.send(&format!("TOPIC {ROOM} :first flush"));
    let topic = bob.wait_for("TOPIC");
    assert_eq!((topic.nick(), topic.text()), ("ann", "first flush"));
    bob.send(&format!("TOPIC {ROOM}"));
    assert_eq!(bob.wait_for("332").text(), "first flush");

    ann.say("bob", "only for you");
    let private = bob.wait("the private message", |line| {
        line.says("ann", "only for you")
    });
    assert_eq!(private.param(0), "bob");
    ann.send("NOTICE bob :take note");
    bob.wait("the notice", |line| {
        line.is("NOTICE") && line.nick() == "ann"
    });

    bob.send("NICK robert");
    let renamed = ann.wait_for("NICK");
    assert_eq!((renamed.nick(), renamed.text()), ("bob", "robert"));
    bob.send(&format!("PART {ROOM} :work to do"));
    let left = ann.wait_for("PART");
    assert_eq!((left.nick(), left.text()), ("robert", "work to do"));
    bob.join(ROOM);
    ann.wait("robert's return", |line| {
        line.is("JOIN") && line.nick() == "robert"
    });
    bob.send("QUIT :good night");
    let quit = ann.wait_for("QUIT");
    assert!(quit.text().contains("good night"), "{quit}");
    server.is_unharmed();
}

#[test]
fn rooms_and_people_are_found_whatever_the_case() {
    let server = Server::start(&[]);
    let mut ann = Client::in_room(server.address(), "Ann", "#Garden");
    let mut bob = Client::register(server.address(), "bob");
    bob.send("JOIN #gARDEN");
    bob.wait_for("366");
    bob.say("#GARDEN", "same room");
    ann.until_said("bob", "same room");
    bob.say("aNN", "same person");
    ann.until_said("bob", "same person");
    bob.send("WHOIS ANN");
    assert_eq!(bob.wait_for("311").param(1), "Ann");
    bob.wait_for("318");
    bob.send("WHO #garden");
    bob.wait_for("352");
    bob.wait_for("315");
    bob.send("LIST");
    let listed = bob.wait_for("322");
    assert_eq!((listed.param(1), listed.param(2)), ("#Garden", "2"));
    bob.wait_for("323");
    ann.send("AWAY :in the shed");
    ann.wait_for("306");
    bob.say("Ann", "hello?");
    assert_eq!(bob.wait_for("301").text(), "in the shed");
    bob.send("MODE #garden");
    bob.wait_for("324");
    bob.send("MODE #garden +k key");
    bob.wait("a refusal", |line| line.is("472") || line.is("482"));
    bob.send("VERSION");
    bob.wait_for("351");
    bob.send("PING :still there");
    assert_eq!(bob.wait_for("PONG").text(), "still there");
}

#[test]
fn who_joins_is_shown_the_last_fifty_messages_in_order() {
    let server = Server::start(&[]);
    let mut ann = Client::in_room(server.address(), "ann", ROOM);
    let mut bob = Client::in_room(server.address(), "bob", ROOM);
    for number in 0..60 {
        ann.say(ROOM, &format!("message {number}"));
        // One by one, so that the limit for floods is not what is tested here.
        bob.until_said("ann", &format!("message {number}"));
    }
    assert_eq!(history(&server, "cat"), expected(10..60));
    // Nobody else is shown it again.
    ann.say(ROOM, "that was that");
    let between = bob.until_said("ann", "that was that");
    let again = between
        .iter()
        .any(|line| line.is("PRIVMSG") && line.nick() == "ann");
    assert!(!again, "{between:?}");
}

#[test]
fn the_history_is_still_there_after_the_server_was_stopped_and_started() {
    let mut server = Server::start(&[]);
    let mut ann = Client::in_room(server.address(), "ann", ROOM);
    let mut bob = Client::in_room(server.address(), "bob", ROOM);
    for number in 0..55 {
        ann.say(ROOM, &format!("message {number}"));
        bob.until_said("ann", &format!("message {number}"));
    }
    assert!(server.stop().success());
    let directory = server.take_directory();
    let texts: Vec<String> = stored(&directory.file("chat.db"))
        .into_iter()
        .map(|m| m.text)
        .collect();
    assert_eq!(
        texts,
        (0..55)
            .map(|number| format!("message {number}"))
            .collect::<Vec<_>>()
    );

    let server = Launch::on(directory.file("chat.db")).start();
    assert_eq!(history(&server, "cat"), expected(5..55));
}

/// What a newcomer is shown: everything before the first thing said after it came.
fn history(server: &Server, nick: &str) -> Vec<(String, String)> {
    let mut newcomer = Client::in_room(server.address(), nick, ROOM);
    let mut other = Client::in_room(server.address(), &format!("{nick}2"), ROOM);
    other.say(ROOM, "end of history");
    let other = format!("{nick}2");
    newcomer.until_said(&other, "end of history");
    let messages = newcomer.seen().iter().filter(|line| line.is("PRIVMSG"));
    let before = messages.take_while(|line| line.nick() != other);
    before
        .map(|line| {
            let text = line
                .replayed()
                .unwrap_or_else(|| panic!("not marked as past: {line}"));
            (line.nick().to_owned(), text.to_owned())
        })
        .collect()
}

fn expected(numbers: std::ops::Range<u32>) -> Vec<(String, String)> {
    numbers
        .map(|number| ("ann".to_owned(), format!("message {number}")))
        .collect()
}

#[test]
fn a_room_that_crashes_comes_back_with_its_members_and_nobody_else_notices() {
    let server = Server::start(&["--chaos"]);
    let mut ann = Client::in_room(server.address(), "ann", ROOM);
    let mut bob = Client::in_room(server.address(), "bob", ROOM);
    let mut cat = Client::in_room(server.address(), "cat", "#coffee");
    let mut dan = Client::in_room(server.address(), "dan", "#coffee");
    ann.wait("bob's arrival", |line| {
        line.is("JOIN") && line.nick() == "bob"
    });
    ann.say(ROOM, "before");
    bob.until_said("ann", "before");
    ann.settle();
    cat.wait("dan's arrival", |line| {
        line.is("JOIN") && line.nick() == "dan"
    });

    ann.send(&format!("CRASH {ROOM}"));
    server.wait_log("report of the crash", |line| {
        line.contains("panic") && line.contains(ROOM)
    });

    // What is said now reaches everybody: it waits until the room is back.
    ann.say(ROOM, "after");
    let seen = bob.until_said("ann", "after");
    assert!(nobody_moved(&seen), "bob saw {seen:?}");
    bob.say(ROOM, "after all");
    let seen = ann.until_said("bob", "after all");
    assert!(nobody_moved(&seen), "ann saw {seen:?}");

    cat.say("#coffee", "all quiet");
    assert_eq!(dan.until_said("cat", "all quiet"), []);
    assert_eq!(cat.settle(), []);

    bob.send(&format!("NAMES {ROOM}"));
    let names = bob.wait_for("353");
    let mut nicks: Vec<&str> = names.text().split(' ').collect();
    nicks.sort_unstable();
    assert_eq!(nicks, ["ann", "bob"]);

    let mut eve = Client::in_room(server.address(), "eve", ROOM);
    for (nick, text) in [("ann", "before"), ("ann", "after"), ("bob", "after all")] {
        eve.wait("the history", |line| line.replays(nick, text));
    }
}

#[test]
fn clients_that_know_server_time_are_told_when_it_was_said() {
    let server = Server::start(&[]);
    let mut ann = Client::in_room(server.address(), "ann", ROOM);
    let mut zoe = Client::in_room(server.address(), "zoe", ROOM);
    ann.say(ROOM, "long ago");
    zoe.until_said("ann", "long ago");
    let mut bob = Client::in_room(server.address(), "bob", ROOM);
    bob.wait("the history", |line| line.replays("ann", "long ago"));

    let mut cat = Client::connect(server.address());
    cat.send("CAP LS 302");
    cat.send("NICK cat");
    cat.send("USER cat 0 * :Cat");
    let offered = cat.wait_for("CAP");
    assert!(offered.text().contains("server-time"), "{offered}");
    cat.send("CAP REQ :server-time");
    cat.wait("the capability", |line| {
        line.is("CAP") && line.param(1) == "ACK"
    });
    cat.send("CAP END");
    cat.wait_for("001");
    cat.send(&format!("JOIN {ROOM}"));
    let past = cat.wait("the history", |line| line.says("ann", "long ago"));
    assert!(past.raw.starts_with("@time=2"), "{past}");
    ann.say(ROOM, "just now");
    let present = cat.wait("the message", |line| line.says("ann", "just now"));
    assert!(present.raw.starts_with("@time=2"), "{present}");
    assert!(
        past.raw[..30] < present.raw[..30],
        "{past} is not before {present}"
    );
}

/// No arrivals, departures, closings or replays among these lines.
fn nobody_moved(lines: &[Line]) -> bool {
    !lines.iter().any(|line| {
        ["JOIN", "PART", "QUIT", "KICK", "ERROR", "PRIVMSG"].contains(&line.command.as_str())
    })
}

#[test]
fn the_pool_the_cache_and_a_connection_crash_and_the_others_talk_on() {
    let server = Server::start(&["--chaos", "--restart-intensity", "1000"]);
    let mut ann = Client::in_room(server.address(), "ann", ROOM);
    let mut bob = Client::in_room(server.address(), "bob", ROOM);
    for (round, target) in ["db", "cache", "db", "cache"].into_iter().enumerate() {
        ann.send(&format!("CRASH {target}"));
        let text = format!("round {round}");
        ann.say(ROOM, &text);
        let seen = bob.until_said("ann", &text);
        assert!(nobody_moved(&seen), "{seen:?}");
    }
    let mut cat = Client::in_room(server.address(), "cat", ROOM);
    bob.wait("cat's arrival", |line| {
        line.is("JOIN") && line.nick() == "cat"
    });
    ann.send("CRASH connection cat");
    cat.rest();
    bob.wait("cat's departure", |line| {
        line.is("QUIT") && line.nick() == "cat"
    });
    ann.say(ROOM, "poor cat");
    bob.until_said("ann", "poor cat");
    let stored: Vec<String> = stored(&server.database())
        .into_iter()
        .map(|m| m.text)
        .collect();
    assert_eq!(
        stored,
        ["round 0", "round 1", "round 2", "round 3", "poor cat"]
    );
}

#[test]
fn crash_is_unknown_without_chaos() {
    let mut server = Server::start(&[]);
    let mut ann = Client::in_room(server.address(), "ann", ROOM);
    ann.send(&format!("CRASH {ROOM}"));
    ann.wait_for("421");
    server.is_unharmed();
}
