//! Rules that the model does not know, one by one.

use std::sync::Arc;
use std::time::Duration;

use super::{START, queue};
use crate::protocol::{Command, JobId, Response, TubeName};
use crate::queue::*;

const A: ClientId = 1;
const B: ClientId = 2;
const C: ClientId = 3;

/// A queue with three connections, a clock, and what it said.
struct Story {
    queue: Queue,
    now: Duration,
    effects: Vec<Effect>,
}

impl Story {
    fn new() -> Story {
        let mut story = Story {
            queue: queue(),
            now: START,
            effects: Vec::new(),
        };
        for client in [A, B, C] {
            story.queue.client_joined(client, &ClientKind::Connection);
        }
        story
    }

    fn tell(&mut self, client: ClientId, command: Command) -> Vec<(ClientId, Response)> {
        self.queue
            .execute(client, command, self.now, &mut self.effects);
        self.told()
    }

    fn answer(&mut self, client: ClientId, command: Command) -> Response {
        let mut told = self.tell(client, command);
        assert_eq!(told.len(), 1, "{told:?}");
        let (to, response) = told.remove(0);
        assert_eq!(to, client);
        response
    }

    fn yaml(&mut self, client: ClientId, command: Command) -> String {
        match self.answer(client, command) {
            Response::Ok(yaml) => yaml.into(),
            other => panic!("{other:?}"),
        }
    }

    fn told(&mut self) -> Vec<(ClientId, Response)> {
        let replies = self.effects.drain(..).filter_map(|effect| match effect {
            Effect::Reply(to, response) | Effect::ReplyWhenStored(to, response) => {
                Some((to, response))
            }
            _ => None,
        });
        replies.collect()
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.queue.advance(self.now, &mut self.effects);
    }
}

fn put(pri: u32, delay: u32) -> Command {
    Command::Put {
        pri,
        delay,
        ttr: 10,
        body: Arc::from(b"abc".as_slice()),
    }
}

fn tube(name: &str) -> TubeName {
    name.parse().unwrap()
}

fn reserved(id: JobId) -> Response {
    Response::Reserved(id, Arc::from(b"abc".as_slice()))
}

const RESERVE: Command = Command::Reserve { timeout: None };

/// The bytes are those of beanstalkd 1.12.
#[test]
fn stats_job_has_the_keys_of_beanstalkd_in_its_order() {
    let mut story = Story::new();
    story.tell(A, put(5, 0));
    story.tell(B, RESERVE);
    story.wait(2);
    let expected = "---\nid: 1\ntube: default\nstate: reserved\npri: 5\nage: 2\ndelay: 0\nttr: 10\n\
                    time-left: 8\nfile: 0\nreserves: 1\ntimeouts: 0\nreleases: 0\nburies: 0\n\
                    kicks: 0\n";
    assert_eq!(story.yaml(A, Command::StatsJob(1)), expected);
    assert_eq!(story.answer(A, Command::StatsJob(2)), Response::NotFound);
}

/// The bytes are those of beanstalkd 1.12.
#[test]
fn stats_tube_has_the_keys_of_beanstalkd_in_its_order() {
    let mut story = Story::new();
    for command in [put(0, 0), put(1023, 0), put(1024, 0), put(0, 9), put(0, 0)] {
        story.tell(A, command);
    }
    story.tell(B, RESERVE);
    story.tell(B, Command::Bury { id: 1, pri: 0 });
    story.tell(B, RESERVE);
    story.tell(B, Command::Delete(5));
    story.tell(B, RESERVE);
    story.tell(
        A,
        Command::PauseTube {
            tube: tube("default"),
            delay: 30,
        },
    );
    story.tell(C, RESERVE);
    story.wait(1);
    let expected = "---\nname: default\ncurrent-jobs-urgent: 0\ncurrent-jobs-ready: 1\n\
                    current-jobs-reserved: 1\ncurrent-jobs-delayed: 1\ncurrent-jobs-buried: 1\n\
                    total-jobs: 5\ncurrent-using: 3\ncurrent-watching: 3\ncurrent-waiting: 1\n\
                    cmd-delete: 1\ncmd-pause-tube: 1\npause: 30\npause-time-left: 29\n";
    assert_eq!(story.yaml(A, Command::StatsTube(tube("default"))), expected);
}

/// The keys are those of beanstalkd 1.12.
#[test]
fn stats_has_the_keys_of_beanstalkd_in_its_order() {
    let mut story = Story::new();
    story.tell(A, put(0, 0));
    story.tell(A, put(0, 5));
    story.tell(A, Command::Peek(7));
    story.tell(B, RESERVE);
    story.tell(B, Command::Reserve { timeout: Some(9) });
    story.tell(C, Command::KickJob(9));
    story.queue.client_gone(C, story.now, &mut story.effects);
    story.queue.drain();
    assert_eq!(story.answer(A, put(0, 0)), Response::Draining);
    story.wait(3);
    let expected = "---\ncurrent-jobs-urgent: 0\ncurrent-jobs-ready: 0\n\
        current-jobs-reserved: 1\ncurrent-jobs-delayed: 1\ncurrent-jobs-buried: 0\ncmd-put: 3\n\
        cmd-peek: 1\ncmd-peek-ready: 0\ncmd-peek-delayed: 0\ncmd-peek-buried: 0\ncmd-reserve: 1\n\
        cmd-reserve-with-timeout: 1\ncmd-delete: 0\ncmd-release: 0\ncmd-use: 0\ncmd-watch: 0\n\
        cmd-ignore: 0\ncmd-bury: 0\ncmd-kick: 0\ncmd-touch: 0\ncmd-stats: 1\ncmd-stats-job: 0\n\
        cmd-stats-tube: 0\ncmd-list-tubes: 0\ncmd-list-tube-used: 0\ncmd-list-tubes-watched: 0\n\
        cmd-pause-tube: 0\njob-timeouts: 0\ntotal-jobs: 2\nmax-job-size: 65535\ncurrent-tubes: 1\n\
        current-connections: 2\ncurrent-producers: 1\ncurrent-workers: 1\ncurrent-waiting: 1\n\
        total-connections: 3\npid: 42\nversion: \"1.0\"\nrusage-utime: 0.000000\n\
        rusage-stime: 0.000000\nuptime: 3\nbinlog-oldest-index: 0\nbinlog-current-index: 0\n\
        binlog-records-migrated: 0\nbinlog-records-written: 2\nbinlog-max-size: 0\n\
        draining: true\nid: a1\nhostname: here\nos: \"#1 SMP\"\nplatform: x86_64\n";
    assert_eq!(story.yaml(A, Command::Stats), expected);
}

#[test]
fn who_waits_longest_is_served_first() {
    let mut story = Story::new();
    for client in [B, C, A] {
        assert_eq!(story.tell(client, RESERVE), []);
    }
    story.queue.client_joined(4, &ClientKind::Connection);
    for (client, id) in [(B, 1), (C, 2), (A, 3)] {
        let told = story.tell(4, put(0, 0));
        assert_eq!(told, [(4, Response::Inserted(id)), (client, reserved(id))]);
    }
}

#[test]
fn a_client_that_asks_for_something_else_waits_no_more() {
    let mut story = Story::new();
    story.tell(A, RESERVE);
    let told = story.tell(A, put(0, 0));
    assert_eq!(told, [(A, Response::TimedOut), (A, Response::Inserted(1))]);
    assert_eq!(story.queue.summary().waiting, 0);
}

#[test]
fn who_has_not_joined_is_told_so() {
    let mut story = Story::new();
    assert_eq!(story.answer(9, RESERVE), Response::InternalError);
    story.queue.client_gone(9, story.now, &mut story.effects);
    assert_eq!(story.told(), []);
}

#[test]
fn a_pause_outlives_the_queue_and_the_tube_goes_with_it() {
    let mut story = Story::new();
    let until = story.now + Duration::from_secs(5);
    let paused = PausedTube {
        tube: tube("p"),
        seconds: 5,
        until,
    };
    story.queue.repause(&paused);
    story.tell(A, Command::Watch(tube("p")));
    story.tell(B, Command::Use(tube("p")));
    story.tell(B, put(0, 0));
    assert_eq!(story.tell(A, RESERVE), []);
    story.queue.repause(&PausedTube {
        tube: tube("q"),
        ..paused
    });
    assert_eq!(story.queue.summary().tubes, 3);
    story.wait(5);
    assert_eq!(story.told(), [(A, reserved(1))]);
    assert_eq!(story.queue.summary().tubes, 2);
    assert_eq!(
        story.queue.next_due(),
        Some(story.now + Duration::from_secs(10))
    );
}

#[test]
fn jobs_that_become_ready_together_go_out_by_priority_whatever_their_tubes() {
    let mut story = Story::new();
    for (name, pri) in [("x", 3), ("y", 1), ("z", 2)] {
        story.tell(A, Command::Use(tube(name)));
        story.tell(A, put(pri, 5));
        story.tell(B, Command::Watch(tube(name)));
        story.tell(C, Command::Watch(tube(name)));
    }
    story.tell(C, RESERVE);
    story.tell(B, RESERVE);
    story.wait(60);
    assert_eq!(story.told(), [(C, reserved(2)), (B, reserved(3))]);
}

#[test]
fn the_list_of_tubes_is_in_the_order_of_beanstalkd() {
    let mut story = Story::new();
    for name in ["a", "b", "c"] {
        story.tell(A, Command::Watch(tube(name)));
    }
    assert_eq!(
        story.yaml(A, Command::ListTubes),
        "---\n- default\n- a\n- b\n- c\n"
    );
    story.tell(A, Command::Ignore(tube("a")));
    assert_eq!(
        story.yaml(A, Command::ListTubes),
        "---\n- default\n- c\n- b\n"
    );
    story.tell(A, Command::Ignore(tube("b")));
    story.tell(A, Command::Use(tube("d")));
    assert_eq!(
        story.yaml(A, Command::ListTubes),
        "---\n- default\n- c\n- d\n"
    );
}

#[test]
fn a_tube_with_a_number_for_a_name_stays_a_name_in_yaml() {
    let mut story = Story::new();
    story.tell(A, Command::Use(tube("1.5")));
    story.tell(A, put(0, 0));
    let yaml = story.yaml(A, Command::StatsTube(tube("1.5")));
    assert!(yaml.starts_with("---\nname: \"1.5\"\n"), "{yaml}");
    assert!(
        story
            .yaml(A, Command::StatsJob(1))
            .contains("\ntube: \"1.5\"\n")
    );
}

#[test]
fn a_worker_watches_its_tube_alone_and_is_no_connection() {
    let mut story = Story::new();
    story
        .queue
        .client_joined(9, &ClientKind::Worker(tube("work")));
    story.tell(9, RESERVE);
    story.tell(A, put(0, 0));
    assert_eq!(story.queue.summary().ready, 1);
    let yaml = story.yaml(A, Command::StatsTube(tube("work")));
    assert!(yaml.contains("current-using: 0\ncurrent-watching: 1\ncurrent-waiting: 1\n"));
    let yaml = story.yaml(A, Command::StatsTube(tube("default")));
    assert!(
        yaml.contains("current-using: 3\ncurrent-watching: 3\n"),
        "{yaml}"
    );
    assert_eq!(story.queue.summary().connections, 3);
    story.tell(A, Command::Use(tube("work")));
    let told = story.tell(A, put(0, 0));
    assert_eq!(told, [(A, Response::Inserted(2)), (9, reserved(2))]);
    story.queue.client_gone(9, story.now, &mut story.effects);
    assert_eq!(story.queue.summary().connections, 3);
    assert_eq!(story.queue.summary().ready, 2);
}

#[test]
fn a_worker_that_had_a_lease_is_no_connection_either() {
    let mut story = Story::new();
    story.tell(A, put(0, 0));
    let until = story.now + Duration::from_secs(10);
    let lease = Lease {
        job: 1,
        client: 9,
        until,
    };
    assert!(story.queue.relet(lease, &mut story.effects));
    story
        .queue
        .client_joined(9, &ClientKind::Worker(tube("work")));
    assert_eq!(story.queue.summary().connections, 3);
    assert_eq!(story.queue.summary().reserved, 1);
    assert_eq!(story.queue.leases().collect::<Vec<_>>(), [lease]);
    let yaml = story.yaml(A, Command::StatsTube(tube("default")));
    assert!(
        yaml.contains("current-using: 3\ncurrent-watching: 3\n"),
        "{yaml}"
    );
    story.queue.client_gone(9, story.now, &mut story.effects);
    assert_eq!(story.queue.summary().ready, 1);
}

#[test]
fn a_job_that_fails_rests_longer_each_time_and_is_buried_with_the_reason() {
    let mut story = Story::new();
    let retry = Retry {
        tries: 3,
        first: 2,
        longest: 60,
    };
    story.tell(A, put(7, 0));
    for (try_, outcome) in [
        (1, Failed::Released(2)),
        (2, Failed::Released(4)),
        (3, Failed::Buried),
    ] {
        assert_eq!(story.answer(B, RESERVE), reserved(1));
        let note = format!("panic {try_} at \"x.rs\":1");
        let failed = story
            .queue
            .fail(B, 1, &note, &retry, story.now, &mut story.effects);
        assert_eq!(failed, outcome);
        let stored = story.effects.iter().find_map(|effect| match effect {
            Effect::Store(Record::State(update)) => Some(update.clone()),
            _ => None,
        });
        assert_eq!(stored.unwrap().note.as_deref(), Some(&*note));
        assert_eq!(story.told(), [], "nobody is answered");
        story.wait(4);
    }
    let yaml = story.yaml(A, Command::StatsJob(1));
    assert!(yaml.contains("\nstate: buried\npri: 7\n"), "{yaml}");
    assert!(
        yaml.ends_with("kicks: 0\nnote: \"panic 3 at \\\"x.rs\\\":1\"\n"),
        "{yaml}"
    );
    let failed = story
        .queue
        .fail(B, 1, "late", &retry, story.now, &mut story.effects);
    assert_eq!(failed, Failed::NotFound);
    story.tell(A, Command::Kick(1));
    story.tell(B, RESERVE);
    let failed = story
        .queue
        .fail(B, 1, "again", &retry, story.now, &mut story.effects);
    assert_eq!(
        failed,
        Failed::Released(2),
        "a kick gives it all its tries again"
    );
}

#[test]
fn a_job_that_could_not_be_stored_is_forgotten_whoever_has_it() {
    let mut story = Story::new();
    story.tell(A, Command::Use(tube("t")));
    story.tell(A, put(0, 0));
    story.tell(B, Command::Watch(tube("t")));
    assert_eq!(story.answer(B, RESERVE), reserved(1));
    story.queue.forget(1, &mut story.effects);
    assert_eq!(story.effects, [Effect::LeaseEnded(1)]);
    assert_eq!(story.answer(B, Command::Delete(1)), Response::NotFound);
    assert_eq!(story.queue.summary().reserved, 0);
    assert_eq!(story.queue.next_due(), None);
    story.tell(B, Command::Ignore(tube("t")));
    story.tell(A, Command::Use(tube("u")));
    assert_eq!(story.yaml(A, Command::ListTubes), "---\n- default\n- u\n");
    assert_eq!(
        story.answer(A, put(0, 0)),
        Response::Inserted(2),
        "ids are not used again"
    );
}

#[test]
fn ids_of_jobs_deleted_before_a_restart_are_not_given_again() {
    let mut story = Story::new();
    story.queue.ids_from(100);
    assert_eq!(story.answer(A, put(0, 0)), Response::Inserted(100));
    story.queue.ids_from(50);
    assert_eq!(story.queue.next_id(), 101);
}

#[test]
fn a_thousand_tubes_cost_no_more_than_the_one_that_is_watched() {
    let mut story = Story::new();
    for n in 0..1_000 {
        story.tell(A, Command::Use(tube(&format!("t{n}"))));
        story.tell(A, put(n, 0));
    }
    assert_eq!(story.queue.summary().tubes, 1_001);
    story.tell(B, Command::Watch(tube("t7")));
    assert_eq!(story.answer(B, RESERVE), reserved(8));
    assert_eq!(story.tell(B, RESERVE), []);
}

#[test]
fn the_list_of_tubes_watched_is_in_the_order_of_beanstalkd() {
    let mut story = Story::new();
    for name in ["b", "z", "c"] {
        story.tell(A, Command::Watch(tube(name)));
    }
    story.tell(A, Command::Ignore(TubeName::default()));
    assert_eq!(
        story.yaml(A, Command::ListTubesWatched),
        "---\n- c\n- b\n- z\n"
    );
}

#[test]
fn the_tube_of_a_reserved_job_stays_though_nobody_uses_it() {
    let mut story = Story::new();
    story.tell(A, Command::Use(tube("t")));
    story.tell(A, put(0, 0));
    assert_eq!(story.answer(B, Command::ReserveJob(1)), reserved(1));
    story.tell(A, Command::Use(TubeName::default()));
    assert_eq!(story.queue.summary().tubes, 2);
    assert_eq!(story.answer(B, Command::Delete(1)), Response::Deleted);
    assert_eq!(story.queue.summary().tubes, 1);
}

/// What the queue had written, in order.
fn rows(effects: &[Effect]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for effect in effects {
        match effect {
            Effect::Store(Record::Put(row)) => rows.push(row.clone()),
            Effect::Store(Record::State(update)) => {
                let row = rows.iter_mut().find(|row| row.id == update.id).unwrap();
                row.state = update.state;
            }
            _ => {}
        }
    }
    rows
}

#[test]
fn after_a_restart_ids_go_on_and_jobs_are_buried_behind_those_that_were() {
    let mut story = Story::new();
    let mut effects = Vec::new();
    for command in [
        put(0, 0),
        put(0, 0),
        put(0, 0),
        RESERVE,
        RESERVE,
        Command::Bury { id: 2, pri: 0 },
    ] {
        story.queue.execute(A, command, story.now, &mut effects);
    }
    let rows = rows(&effects);
    let mut story = Story::new();
    for row in rows {
        story.queue.restore(row);
    }
    assert_eq!(story.answer(A, RESERVE), reserved(1));
    story.tell(A, Command::Bury { id: 1, pri: 0 });
    let found = Response::Found(2, Arc::from(b"abc".as_slice()));
    assert_eq!(story.answer(A, Command::PeekBuried), found);
    assert_eq!(story.answer(A, put(0, 0)), Response::Inserted(4));
}
