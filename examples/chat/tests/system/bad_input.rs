//! What clients should not send, or should and do not: each gets its answer, nobody else notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::{Client, DEADLINE, Server};

const ROOM: &str = "#tea";

/// Two people who talk all the while and must not be disturbed.
struct Bystanders {
    ann: Client,
    bob: Client,
    said: u32,
}

impl Bystanders {
    fn join(address: SocketAddr) -> Self {
        let mut ann = Client::in_room(address, "ann", "#calm");
        let bob = Client::in_room(address, "bob", "#calm");
        ann.wait("bob's arrival", |line| {
            line.is("JOIN") && line.nick() == "bob"
        });
        Self { ann, bob, said: 0 }
    }

    /// A message each way; returns how long they took. Nothing else may arrive in between.
    fn talk(&mut self) -> Duration {
        let begun = Instant::now();
        self.said += 1;
        let (there, back) = (
            format!("{} there", self.said),
            format!("{} back", self.said),
        );
        self.ann.say("#calm", &there);
        assert_eq!(self.bob.until_said("ann", &there), []);
        self.bob.say("#calm", &back);
        assert_eq!(self.ann.until_said("bob", &back), []);
        begun.elapsed()
    }
}

#[test]
fn a_line_of_more_than_512_bytes_is_refused_and_the_next_one_is_read() {
    let mut server = Server::start(&[]);
    let mut bystanders = Bystanders::join(server.address());
    let mut client = Client::register(server.address(), "long");
    for length in [513, 600, 5000, 100_000] {
        let mut line = format!("PRIVMSG ann :{}", "x".repeat(length));
        line.truncate(length - 2);
        client.send(&line);
        client.wait_for("417");
        assert_eq!(client.settle(), [], "one answer for one line");
    }
    // 512 bytes are fine.
    let mut line = format!("PRIVMSG long :{}", "y".repeat(512));
    line.truncate(510);
    client.send(&line);
    client.wait("the message", |line| line.is("PRIVMSG"));
    assert!(client.seen().iter().all(|line| line.raw.len() <= 510));
    bystanders.talk();
    server.is_unharmed();
}

#[test]
fn bytes_that_are_not_utf8_harm_nobody() {
    let mut server = Server::start(&[]);
    let mut bystanders = Bystanders::join(server.address());
    let mut client = Client::in_room(server.address(), "latin", ROOM);
    let mut reader = Client::in_room(server.address(), "reader", ROOM);
    client
        .send_bytes(b"PRIVMSG #tea :caf\xe9 au lait\r\n")
        .expect("sent");
    reader.wait("the message", |line| {
        line.is("PRIVMSG") && line.text().starts_with("caf") && line.text().ends_with(" au lait")
    });
    client.send_bytes(b"NICK \xff\xfe\r\n").expect("sent");
    client.wait_for("432");
    client.send_bytes(b"JOIN #\xff\r\n").expect("sent");
    client.wait("a refusal", |line| {
        ["403", "476", "479"].contains(&line.command.as_str())
    });
    client
        .send_bytes(b"\xff\xfe\xfd \x00\x01\r\n")
        .expect("sent");
    client.wait_for("421");
    client
        .send_bytes(b"TOPIC #tea :\xc3\x28\r\n")
        .expect("sent");
    reader.wait_for("TOPIC");
    // Who comes later is shown the same without harm.
    let mut late = Client::in_room(server.address(), "late", ROOM);
    late.wait("the history", |line| {
        line.replayed().is_some_and(|text| text.starts_with("caf"))
    });
    bystanders.talk();
    server.is_unharmed();
}

#[test]
fn random_bytes_of_many_connections_harm_nobody() {
    let mut server = Server::start(&[]);
    let mut bystanders = Bystanders::join(server.address());
    let mut seed = 0x1234_5678_9abc_def1_u64;
    for _ in 0..50 {
        let mut client = Client::connect(server.address());
        let mut bytes = Vec::new();
        for _ in 0..2000 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.push(match seed % 16 {
                0 => b'\n',
                1 => b' ',
                2 => b':',
                3 => b"NICKUSERJOIN#@,"[(seed >> 8) as usize % 15],
                _ => (seed >> 16) as u8,
            });
        }
        // The server may close at any moment.
        let _ = client.send_bytes(&bytes);
    }
    bystanders.talk();
    server.is_unharmed();
}

#[test]
fn a_flood_is_slowed_or_closed_with_the_reason_and_the_others_talk_on() {
    let mut server = Server::start(&[]);
    let mut bystanders = Bystanders::join(server.address());
    let mut flooder = Client::in_room(server.address(), "flooder", ROOM);
    let mut reader = Client::in_room(server.address(), "reader", ROOM);
    let lines = "PRIVMSG #tea :buy now\r\n".repeat(1000);
    let mut offered = 0_usize;
    let mut taken = 0_usize;
    let mut slowest = Duration::ZERO;
    let begun = Instant::now();
    // Until it is closed, or for as long as it takes to see that it is slowed down.
    while begun.elapsed() < Duration::from_secs(5) {
        offered += lines.len();
        match flooder.send_for(lines.as_bytes(), Duration::from_millis(50)) {
            Ok(bytes) => taken += bytes,
            Err(_) => break,
        }
        slowest = slowest.max(bystanders.talk_with_pause());
    }
    assert!(
        slowest < Duration::from_secs(2),
        "the others waited {slowest:?}"
    );
    drop(reader.settle());
    let reached = reader
        .seen()
        .iter()
        .filter(|line| line.is("PRIVMSG"))
        .count();
    println!("offered {offered} bytes, taken {taken}, {reached} messages reached the room");
    assert!(
        reached < 1000,
        "{reached} messages of the flood reached the room"
    );
    match flooder.next_within(Duration::ZERO) {
        // A reset may swallow the last line, the others are told why in any case.
        Ok(None) => {}
        _ => {
            let closed = flooder.rest_within(Duration::from_secs(2));
            if let Some(lines) = closed {
                let told = lines
                    .iter()
                    .any(|line| line.is("ERROR") && line.text().contains("lood"));
                assert!(told, "closed without the reason");
            }
        }
    }
    server.is_unharmed();
}

impl Bystanders {
    /// [`Bystanders::talk`] at the speed of people, so that they are no flood themselves.
    fn talk_with_pause(&mut self) -> Duration {
        std::thread::sleep(Duration::from_millis(200));
        self.talk()
    }
}

#[test]
fn a_client_that_never_reads_is_closed_with_the_reason() {
    let mut server = Server::start(&["--send-queue", "16384"]);
    let mut bystanders = Bystanders::join(server.address());
    // Many rooms make a long LIST.
    let mut owners: Vec<Client> = (0..20)
        .map(|number| Client::register(server.address(), &format!("owner{number}")))
        .collect();
    for (number, owner) in owners.iter_mut().enumerate() {
        let rooms: Vec<String> = (0..45).map(|room| format!("#r{number}x{room}")).collect();
        owner.send(&format!("JOIN {}", rooms.join(",")));
        let last = rooms.last().expect("a room").clone();
        owner.wait("the last room", |line| {
            line.is("366") && line.param(1) == last
        });
    }
    let mut witness = Client::in_room(server.address(), "witness", ROOM);
    let mut deaf = Client::in_room(server.address(), "deaf", ROOM);
    // It asks and asks, and does not read the answers. They would wait for it; what others say
    // does not.
    let deadline = Instant::now() + DEADLINE;
    let quit = loop {
        let _ = deaf.send_for("LIST\r\n".repeat(4).as_bytes(), Duration::from_millis(10));
        witness.say(ROOM, &"are you listening? ".repeat(20));
        match witness.next_within(Duration::from_millis(100)) {
            Ok(Some(line)) if line.is("QUIT") => break line,
            Ok(Some(_)) | Err(_) => assert!(Instant::now() < deadline, "it is never closed"),
            Ok(None) => panic!("the witness was closed"),
        }
    };
    assert_eq!(quit.nick(), "deaf");
    println!("{quit}");
    assert!(
        quit.text().to_lowercase().contains("sendq") || quit.text().contains("queue"),
        "{quit}"
    );
    bystanders.talk();
    server.is_unharmed();
}

#[test]
fn who_never_registers_is_closed_with_the_reason() {
    let mut server = Server::start(&["--registration-timeout", "1"]);
    let mut bystanders = Bystanders::join(server.address());
    let mut silent = Client::connect(server.address());
    let mut half = Client::connect(server.address());
    half.send("NICK half");
    let begun = Instant::now();
    for client in [&mut silent, &mut half] {
        let reason = client.closed_with();
        println!("{reason}");
        assert!(reason.to_lowercase().contains("registration"), "{reason}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    // The nick is free again.
    Client::register(server.address(), "half");
    bystanders.talk();
    server.is_unharmed();
}

#[test]
fn a_half_open_connection_is_closed_by_ping_timeout() {
    let mut server = Server::start(&["--ping-interval", "1"]);
    let mut witness = Client::in_room(server.address(), "witness", ROOM);
    let mut dead = Client::in_room(server.address(), "dead", ROOM);
    dead.ignore_pings();
    let quit = witness.wait_for("QUIT");
    assert_eq!(quit.nick(), "dead");
    assert!(
        quit.text().to_lowercase().contains("ping timeout"),
        "{quit}"
    );
    let reason = dead.closed_with();
    assert!(reason.to_lowercase().contains("ping timeout"), "{reason}");
    assert!(
        dead.seen().iter().any(|line| line.is("PING")),
        "it was asked first"
    );
    // Who answers stays.
    witness.wait_for("PING");
    witness.settle();
    server.is_unharmed();
}

#[test]
fn a_nick_in_use_is_refused_and_another_one_accepted() {
    let mut server = Server::start(&[]);
    let mut bystanders = Bystanders::join(server.address());
    let mut second = Client::connect(server.address());
    second.send("NICK ANN");
    second.send("USER ann 0 * :another Ann");
    second.wait_for("433");
    second.send("NICK ann2");
    assert_eq!(second.wait_for("001").param(0), "ann2");
    second.send("NICK bob");
    second.wait_for("433");
    // Another case of one's own nick is one's own.
    second.send("NICK Ann2");
    second.wait("the new nick", |line| {
        line.is("NICK") && line.text() == "Ann2"
    });
    bystanders.talk();
    server.is_unharmed();
}

#[test]
fn of_many_who_want_one_nick_at_once_exactly_one_gets_it() {
    let mut server = Server::start(&[]);
    for round in 0..10 {
        let mut rivals: Vec<Client> = (0..20).map(|_| Client::connect(server.address())).collect();
        for rival in &mut rivals {
            rival.send(&format!("USER rival 0 * :rival\r\nNICK crown{round}"));
        }
        let welcomed = rivals.iter_mut().filter_map(|rival| {
            let answer = rival.wait("an answer", |line| line.is("001") || line.is("433"));
            answer.is("001").then_some(())
        });
        assert_eq!(welcomed.count(), 1);
    }
    server.is_unharmed();
}

#[test]
fn a_room_name_that_is_none_is_refused() {
    let mut server = Server::start(&[]);
    let mut client = Client::register(server.address(), "client");
    let long = format!("#{}", "x".repeat(300));
    for name in ["tea", "#", "&local", "#a\u{7}b", &long] {
        client.send(&format!("JOIN {name}"));
        client.wait("a refusal", |line| {
            ["403", "476", "479"].contains(&line.command.as_str())
        });
    }
    client.send("PRIVMSG #nobody-is-here :hello");
    client.wait("a refusal", |line| {
        ["401", "403", "404"].contains(&line.command.as_str())
    });
    assert_eq!(client.settle(), []);
    // Good names in the same command are joined all the same.
    client.send("JOIN #good,bad,#better");
    client.wait("a refusal", |line| {
        ["403", "476", "479"].contains(&line.command.as_str())
    });
    client.wait("the last room", |line| {
        line.is("366") && line.param(1) == "#better"
    });
    server.is_unharmed();
}

#[test]
fn ten_thousand_connections_against_a_thousand_places() {
    const PLACES: usize = 1000;
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = open.maximum.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    });
    let limit = rustix::process::Rlimit {
        current: open.maximum,
        maximum: open.maximum,
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("more files");
    let connections = 10_000.min(most.saturating_sub(500));
    if connections < 10_000 {
        println!("only {connections} connections: the system allows {most} open files");
    }
    assert!(
        connections > PLACES,
        "the system allows too few open files: {most}"
    );

    let mut server = Server::start(&["--max-connections", "1000"]);
    let mut bystanders = Bystanders::join(server.address());
    let mut admitted: Vec<Client> = Vec::new();
    for number in 2..PLACES {
        admitted.push(Client::register(
            server.address(),
            &format!("guest{number}"),
        ));
    }
    // All that come now are too many; all stay connected until each has its answer.
    let mut refused: Vec<Client> = (PLACES..connections)
        .map(|_| Client::connect(server.address()))
        .collect();
    for client in &mut refused {
        let reason = client.closed_with();
        assert!(
            reason.contains("full") || reason.contains("connections"),
            "{reason}"
        );
    }
    bystanders.talk();
    // A place that becomes free is given again.
    let mut leaving = admitted.pop().expect("a guest");
    leaving.send("QUIT :room for somebody");
    leaving.rest();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut next = Client::connect(server.address());
        next.send("NICK next");
        next.send("USER next 0 * :next");
        if let Some(line) = next.next()
            && !line.is("ERROR")
        {
            break;
        }
        assert!(Instant::now() < deadline, "the free place is not given");
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("{connections} connections, {} refused", refused.len());
    server.is_unharmed();
}
