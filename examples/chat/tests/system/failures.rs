//! What restarts when something crashes, and what does not: read from the tree's pids.

use crate::support::{Client, Server, Tree};

/// A server with two rooms of two people, and somebody who looks on and crashes things.
struct Story {
    server: Server,
    ann: Client,
    bob: Client,
    cat: Client,
    dan: Client,
    god: Client,
    said: u32,
}

impl Story {
    fn begin() -> Self {
        let server = Server::start(&["--chaos"]);
        let address = server.address();
        let god = Client::register(address, "god");
        let mut ann = Client::in_room(address, "ann", "#tea");
        let bob = Client::in_room(address, "bob", "#tea");
        let mut cat = Client::in_room(address, "cat", "#coffee");
        let dan = Client::in_room(address, "dan", "#coffee");
        for (client, other) in [(&mut ann, "bob"), (&mut cat, "dan")] {
            client.wait("the other", |line| line.is("JOIN") && line.nick() == other);
        }
        Self {
            server,
            ann,
            bob,
            cat,
            dan,
            god,
            said: 0,
        }
    }

    fn tree(&mut self) -> Tree {
        Tree::ask(&mut self.god)
    }

    /// Crashes something and waits until the process with this id is another one.
    fn crash(&mut self, target: &str, id: &str) -> Tree {
        let before = self.tree().pid(id).to_owned();
        self.god.send(&format!("CRASH {target}"));
        Tree::wait(&mut self.god, &format!("a new {id}"), |tree| {
            tree.has(id) && tree.pid(id) != before
        })
    }

    /// Everybody hears their neighbour, and in between there is nothing but remarks.
    fn everybody_talks(&mut self) {
        self.said += 1;
        let text = format!("message {}", self.said);
        let pairs = [
            (&mut self.ann, &mut self.bob, "ann", "bob", "#tea"),
            (&mut self.cat, &mut self.dan, "cat", "dan", "#coffee"),
        ];
        for (one, other, one_nick, other_nick, room) in pairs {
            one.say(room, &text);
            let heard = other.until_said(one_nick, &text);
            other.say(room, &text);
            let heard_back = one.until_said(other_nick, &text);
            for line in heard.iter().chain(&heard_back) {
                assert!(line.is("NOTICE"), "they noticed: {line}");
            }
        }
    }
}

#[test]
fn one_room_crashes_and_only_it_restarts() {
    let mut story = Story::begin();
    story.everybody_talks();
    let before = story.tree();
    for _ in 0..3 {
        let last = story.tree();
        let after = story.crash("#tea", "#tea");
        assert_eq!(after.changed_since(&last), ["#tea"]);
        story.everybody_talks();
    }
    let after = story.tree();
    assert_eq!(after.changed_since(&before), ["#tea"]);
    assert_eq!(after.count(), before.count());
}

#[test]
fn the_cache_crashes_and_the_pool_before_it_stays() {
    let mut story = Story::begin();
    let before = story.tree();
    let after = story.crash("cache", "cache");
    assert_eq!(after.changed_since(&before), ["cache"]);
    story.everybody_talks();
}

#[test]
fn a_connection_crashes_and_is_not_restarted() {
    let mut story = Story::begin();
    let before = story.tree();
    story.god.send("CRASH connection dan");
    story.dan.rest();
    let count = before.count() - 1;
    let after = Tree::wait(&mut story.god, "one process less", |tree| {
        tree.count() == count
    });
    for id in [
        "chat_app_sup",
        "chat_conn_sup",
        "chat_room_sup",
        "chat_db_sup",
        "#coffee",
        "#tea",
    ] {
        assert_eq!(after.pid(id), before.pid(id), "{id}");
    }
    let quit = story.cat.wait_for("QUIT");
    assert_eq!(quit.nick(), "dan");
    story.dan = Client::in_room(story.server.address(), "dan", "#coffee");
    story.cat.wait("dan's return", |line| {
        line.is("JOIN") && line.nick() == "dan"
    });
    story.everybody_talks();
}

#[test]
fn the_pool_crashes_again_and_again_and_chat_db_sup_is_started_anew_beside_its_siblings() {
    let mut story = Story::begin();
    story.everybody_talks();
    let before = story.tree();
    // Five in 30 seconds are borne: the pool restarts, and the cache behind it.
    for crash in 1..=5 {
        let after = story.crash("db", "db_pool");
        assert_eq!(
            after.changed_since(&before),
            ["cache", "db_pool"],
            "crash {crash}"
        );
        story.everybody_talks();
    }
    // The sixth is one too many.
    let after = story.crash("db", "db_pool");
    assert_eq!(
        after.changed_since(&before),
        ["cache", "chat_db_sup", "db_pool"]
    );
    assert_eq!(after.count(), before.count());
    story.everybody_talks();
    // The new chat_db_sup begins to count from zero.
    let last = story.tree();
    let after = story.crash("db", "db_pool");
    assert_eq!(after.changed_since(&last), ["cache", "db_pool"]);
    story.everybody_talks();
}

#[test]
fn rooms_crash_again_and_again_and_their_people_are_in_them_again() {
    let mut story = Story::begin();
    story.everybody_talks();
    let before = story.tree();
    // Ten in 60 seconds are borne.
    for crash in 1..=10 {
        let last = story.tree();
        let after = story.crash("#tea", "#tea");
        assert_eq!(after.changed_since(&last), ["#tea"], "crash {crash}");
    }
    story.everybody_talks();
    // With the eleventh chat_room_sup gives up and takes all rooms with it; the connections
    // bring them back.
    story.god.send("CRASH #tea");
    let after = Tree::wait(
        &mut story.god,
        "a new chat_room_sup with its rooms",
        |tree| {
            tree.has("chat_room_sup")
                && tree.pid("chat_room_sup") != before.pid("chat_room_sup")
                && tree.has("#tea")
                && tree.has("#coffee")
        },
    );
    assert_eq!(
        after.changed_since(&before),
        ["#coffee", "#tea", "chat_room_sup"]
    );
    story.everybody_talks();
    for (client, room) in [(&mut story.ann, "#tea"), (&mut story.dan, "#coffee")] {
        client.send(&format!("NAMES {room}"));
        assert_eq!(client.wait_for("353").text().split(' ').count(), 2);
        client.wait_for("366");
    }
}

#[test]
fn everything_crashes_and_the_server_stops_in_order_with_a_code_and_a_reason() {
    let mut story = Story::begin();
    // chat_db_sup bears five crashes and gives up at the sixth; chat_app_sup bears three of
    // those and gives up at the fourth: that is crash 24.
    let first = story.tree();
    let mut supervisors = vec![first.pid("chat_db_sup").to_owned()];
    for crash in 1..=23 {
        let tree = story.crash("db", "db_pool");
        let supervisor = tree.pid("chat_db_sup").to_owned();
        if supervisors.last() != Some(&supervisor) {
            assert_eq!(crash % 6, 0, "chat_db_sup gave up at crash {crash}");
            supervisors.push(supervisor);
        }
        assert_eq!(tree.pid("chat_app_sup"), first.pid("chat_app_sup"));
    }
    assert_eq!(supervisors.len(), 4, "the first and three more");
    story.everybody_talks();
    story.god.send("CRASH db");
    for client in [
        &mut story.ann,
        &mut story.bob,
        &mut story.cat,
        &mut story.dan,
        &mut story.god,
    ] {
        println!("goodbye: {}", client.closed_with());
    }
    let status = story.server.wait_exit();
    assert_eq!(status.code(), Some(1), "{status}");
    let log = story.server.log();
    let why = log
        .iter()
        .rposition(|line| line.contains("chat_app_sup: reached maximum restart"));
    let why = why.unwrap_or_else(|| panic!("it does not say why:\n{}", log.join("\n")));
    let last = log
        .iter()
        .rev()
        .find(|line| !line.trim().is_empty())
        .expect("a last word");
    println!("{status}: {}, {last}", log[why]);
    assert!(last.starts_with("chat: the root ended"), "{last}");
}
