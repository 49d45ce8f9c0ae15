//! Random stories, told to the queue and to the [model](super::model): the answers must be the
//! same, and so must be what is on disk, who holds what, and when something is due.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::model::{self, Model};
use super::{START, queue};
use crate::protocol::{Command, JobId, Response, TubeName};
use crate::queue::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Event {
    Command(ClientId, Command),
    Fail(ClientId, JobId),
    HalfClosed(ClientId),
    Gone(ClientId),
    Joined(ClientId),
    /// So many milliseconds pass before the next event.
    Pass(u64),
}

const RETRY: Retry = Retry {
    tries: 3,
    first: 1,
    longest: 2,
};

fn command() -> impl Strategy<Value = Command> {
    let job = 1..15_u64;
    let tube = prop_oneof![Just("default"), Just("a"), Just("b"), Just("c")]
        .prop_map(|name| name.parse::<TubeName>().unwrap());
    let pri = prop_oneof![Just(0_u32), Just(1), Just(1023), Just(1024)];
    let delay = prop_oneof![3 => Just(0_u32), 1 => 1..4_u32];
    let ttr = 0..5_u32;
    let timeout = prop_oneof![Just(None), (0..4_u32).prop_map(Some)];
    let body = any::<u8>().prop_map(|byte| Arc::from([byte].as_slice()));
    let release = (job.clone(), pri.clone(), delay.clone());
    prop_oneof![
        8 => (pri.clone(), delay.clone(), ttr, body)
            .prop_map(|(pri, delay, ttr, body)| Command::Put { pri, delay, ttr, body }),
        8 => timeout.prop_map(|timeout| Command::Reserve { timeout }),
        2 => job.clone().prop_map(Command::ReserveJob),
        2 => job.clone().prop_map(Command::Delete),
        4 => release.prop_map(|(id, pri, delay)| Command::Release { id, pri, delay }),
        4 => (job.clone(), pri).prop_map(|(id, pri)| Command::Bury { id, pri }),
        2 => job.clone().prop_map(Command::Touch),
        2 => tube.clone().prop_map(Command::Use),
        3 => tube.clone().prop_map(Command::Watch),
        2 => tube.clone().prop_map(Command::Ignore),
        1 => job.clone().prop_map(Command::Peek),
        1 => Just(Command::PeekReady),
        1 => Just(Command::PeekDelayed),
        1 => Just(Command::PeekBuried),
        2 => (0..4_u64).prop_map(Command::Kick),
        1 => job.clone().prop_map(Command::KickJob),
        3 => job.prop_map(Command::StatsJob),
        2 => tube.clone().prop_map(Command::StatsTube),
        1 => Just(Command::ListTubes),
        1 => Just(Command::ListTubeUsed),
        1 => Just(Command::ListTubesWatched),
        1 => (tube, delay).prop_map(|(tube, delay)| Command::PauseTube { tube, delay }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let client = 1..5_u64;
    prop_oneof![
        20 => (client.clone(), command()).prop_map(|(client, c)| Event::Command(client, c)),
        1 => (client.clone(), 1..15_u64).prop_map(|(client, job)| Event::Fail(client, job)),
        1 => client.clone().prop_map(Event::HalfClosed),
        1 => client.clone().prop_map(Event::Gone),
        2 => client.prop_map(Event::Joined),
        5 => (0..8_u64).prop_map(|halves| Event::Pass(500 * halves)),
    ]
}

/// Both, side by side, and what the effects have made of the world.
struct Pair {
    queue: Queue,
    model: Model,
    disk: BTreeMap<JobId, Row>,
    leases: BTreeMap<JobId, (ClientId, Duration)>,
    pauses: BTreeMap<TubeName, PausedTube>,
    answers: Vec<(ClientId, Response)>,
}

impl Pair {
    fn new() -> Pair {
        let mut pair = Pair {
            queue: queue(),
            model: Model::at(START.as_millis() as u64),
            disk: BTreeMap::new(),
            leases: BTreeMap::new(),
            pauses: BTreeMap::new(),
            answers: Vec::new(),
        };
        for client in 1..4 {
            pair.happens(Event::Joined(client));
        }
        pair
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.model.now)
    }

    fn happens(&mut self, event: Event) {
        let (now, mut effects) = (self.now(), Vec::new());
        match event {
            Event::Command(client, Command::ListTubes) => self.list_tubes(client),
            Event::Command(client, command) if self.model.clients.contains_key(&client) => {
                self.queue
                    .execute(client, command.clone(), now, &mut effects);
                self.model.execute(client, command);
            }
            Event::Command(client, command) => {
                self.queue.execute(client, command, now, &mut effects);
                assert_eq!(effects, [Effect::Reply(client, Response::InternalError)]);
                effects.clear();
            }
            Event::Fail(client, job) => {
                self.queue
                    .fail(client, job, "why", &RETRY, now, &mut effects);
                self.model.fail(client, job, "why", RETRY);
            }
            Event::HalfClosed(client) => {
                self.queue.client_half_closed(client, &mut effects);
                self.model.half_closed(client);
            }
            Event::Gone(client) => {
                self.queue.client_gone(client, now, &mut effects);
                self.model.gone(client);
            }
            Event::Joined(client) => {
                self.queue.client_joined(client, &ClientKind::Connection);
                self.model.join(client);
            }
            Event::Pass(millis) => {
                let later = self.model.now + millis;
                self.queue
                    .advance(Duration::from_millis(later), &mut effects);
                self.model.advance(later);
            }
        }
        self.carry_out(effects);
        self.compare();
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let stores = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Store(_)));
        for effect in effects {
            match &effect {
                Effect::Reply(_, response) => assert!(!is_promise(response), "{response:?}"),
                Effect::ReplyWhenStored(_, response) => {
                    assert!(stores && is_promise(response), "{response:?}");
                }
                _ => {}
            }
            match effect {
                Effect::Reply(client, response) | Effect::ReplyWhenStored(client, response) => {
                    self.answers.push((client, response));
                }
                Effect::Store(Record::Put(row)) => {
                    assert!(self.disk.insert(row.id, row).is_none(), "an id is new");
                }
                Effect::Store(Record::State(update)) => {
                    let row = self.disk.get_mut(&update.id).expect("was put");
                    (row.pri, row.delay, row.state) = (update.pri, update.delay, update.state);
                    (row.tally, row.note) = (update.tally, update.note);
                }
                Effect::Store(Record::Delete(id)) => {
                    assert!(self.disk.remove(&id).is_some(), "was put");
                }
                Effect::Leased { job, client, until } => {
                    let before = self.leases.insert(job, (client, until));
                    assert!(
                        before.is_none_or(|(holder, _)| holder == client),
                        "one at a time"
                    );
                }
                Effect::LeaseEnded(job) => {
                    assert!(self.leases.remove(&job).is_some(), "was leased");
                }
                Effect::Paused(paused) => {
                    self.pauses.insert(paused.tube.clone(), paused);
                }
            }
        }
    }

    fn compare(&mut self) {
        let mut answers = std::mem::take(&mut self.answers);
        for (_, answer) in &mut answers {
            *answer = without_counts(answer.clone());
        }
        let mut expected = std::mem::take(&mut self.model.answers);
        // Nobody sees which of two clients was answered first.
        answers.sort_by_key(|(client, _)| *client);
        expected.sort_by_key(|(client, _)| *client);
        assert_eq!(answers, expected);
        let due = self.queue.next_due().map(|due| due.as_millis() as u64);
        assert_eq!(due, self.model.next_due());
        let held: BTreeMap<_, _> = self
            .queue
            .leases()
            .map(|lease| (lease.job, (lease.client, lease.until)))
            .collect();
        assert_eq!(held, self.leases);
        assert!(
            self.disk
                .keys()
                .eq(self.model.jobs.iter().map(|job| &job.id))
        );
        let buried = |row: &Row| matches!(row.state, RowState::Buried(_));
        for job in &self.model.jobs {
            let row = &self.disk[&job.id];
            let known = (row.pri, row.delay, row.ttr, row.tube.as_str(), &row.body);
            assert_eq!(known, (job.pri, job.delay, job.ttr, &*job.tube, &job.body));
            assert_eq!(row.created, job.created as i64);
            match job.state {
                model::State::Delayed(until) => {
                    assert_eq!(row.state, RowState::Delayed(until as i64));
                }
                model::State::Buried(_) => assert!(buried(row)),
                // A delay that is over needs no writing.
                _ => match row.state {
                    RowState::Delayed(until) => assert!(until <= self.model.now as i64),
                    state => assert_eq!(state, RowState::Ready),
                },
            }
        }
    }

    /// The order of the list is tested elsewhere.
    fn list_tubes(&mut self, client: ClientId) {
        let mut effects = Vec::new();
        self.queue
            .execute(client, Command::ListTubes, self.now(), &mut effects);
        if !self.model.clients.contains_key(&client) {
            return;
        }
        self.model.half_closed(client);
        let Some(Effect::Reply(_, Response::Ok(yaml))) = effects.pop() else {
            panic!()
        };
        self.carry_out(effects);
        let tubes: BTreeSet<&str> = yaml.lines().skip(1).map(|line| &line[2..]).collect();
        let expected = ["default", "a", "b", "c"]
            .into_iter()
            .filter(|t| self.model.exists(t));
        assert_eq!(tubes, expected.collect());
    }

    /// The program is killed: a new queue is made of what is on disk.
    fn restart(&mut self) {
        self.queue = queue();
        for row in self.disk.values() {
            self.queue.restore(row.clone());
        }
    }
}

/// Whether a client that is told this may forget about it.
fn is_promise(response: &Response) -> bool {
    match response {
        Response::Kicked(count) => *count > 0,
        Response::Inserted(_)
        | Response::Deleted
        | Response::Released
        | Response::Buried
        | Response::KickedJob => true,
        _ => false,
    }
}

/// The model does not count what happened to a tube so far.
fn without_counts(response: Response) -> Response {
    match response {
        Response::Ok(yaml) if yaml.starts_with("---\nname: ") => {
            let counted = ["total-jobs", "cmd-delete", "cmd-pause-tube"];
            let kept = yaml
                .lines()
                .filter(|line| !counted.iter().any(|key| line.starts_with(key)));
            Response::Ok(
                kept.map(|line| format!("{line}\n"))
                    .collect::<String>()
                    .into(),
            )
        }
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_queue_does_what_the_model_does(events in proptest::collection::vec(event(), 1..120)) {
        let mut pair = Pair::new();
        for event in events {
            pair.happens(event);
        }
    }

    #[test]
    fn after_a_crash_every_job_is_there_in_its_state_and_reserved_ones_are_ready(
        events in proptest::collection::vec(event(), 1..120),
    ) {
        let mut pair = Pair::new();
        for event in events {
            pair.happens(event);
        }
        pair.restart();
        for client in 1..5 {
            pair.model.gone(client);
        }
        pair.model.pauses.clear();
        pair.model.answers.clear();
        pair.leases.clear();
        pair.happens(Event::Pass(0));
        pair.happens(Event::Joined(1));
        for tube in ["a", "b", "c"] {
            pair.happens(Event::Command(1, Command::Watch(tube.parse().unwrap())));
        }
        // In the order of the model, first all that is ready, then all that was buried.
        for _ in 0..20 {
            pair.happens(Event::Command(1, Command::Reserve { timeout: Some(0) }));
        }
        for tube in ["default", "a", "b", "c"] {
            pair.happens(Event::Command(1, Command::Use(tube.parse().unwrap())));
            pair.happens(Event::Command(1, Command::PeekBuried));
            pair.happens(Event::Command(1, Command::Kick(1)));
            pair.happens(Event::Command(1, Command::PeekBuried));
            pair.happens(Event::Command(1, Command::PeekDelayed));
        }
    }

    #[test]
    fn after_a_crash_of_the_queue_alone_those_who_had_jobs_have_them(
        events in proptest::collection::vec(event(), 1..120),
    ) {
        let mut pair = Pair::new();
        for event in events {
            pair.happens(event);
        }
        pair.restart();
        let mut effects = Vec::new();
        for (job, (client, until)) in pair.leases.clone() {
            let lease = Lease { job, client, until };
            prop_assert!(pair.queue.relet(lease, &mut effects));
            prop_assert!(!pair.queue.relet(lease, &mut effects), "it is let already");
        }
        prop_assert!(effects.is_empty());
        for paused in pair.pauses.values() {
            if pair.model.exists(paused.tube.as_str()) {
                pair.queue.repause(paused);
            }
        }
        // The others come back with what they used and watched, and wait no more.
        let clients: Vec<_> = pair.model.clients.keys().copied().collect();
        for client in clients {
            pair.model.half_closed(client);
            let state = &pair.model.clients[&client];
            let rejoin = Rejoin {
                using: state.using.parse().unwrap(),
                watching: state.watching.iter().map(|tube| tube.parse().unwrap()).collect(),
                produces: false,
                works: true,
            };
            pair.queue.client_rejoined(client, &rejoin);
        }
        pair.model.answers.clear();
        pair.queue.advance(pair.now(), &mut effects);
        let held: BTreeMap<_, _> =
            pair.queue.leases().map(|lease| (lease.job, (lease.client, lease.until))).collect();
        prop_assert_eq!(&held, &pair.leases);
        let jobs: Vec<_> = held.iter().map(|(job, (client, _))| (*job, *client)).collect();
        for (job, client) in jobs {
            pair.happens(Event::Command(client, Command::Delete(job)));
        }
    }
}
