//! What is counted, and how it is told.

use crate::protocol::yaml::Dictionary;
use crate::protocol::{Command, JobId, Response, TubeName};
use crate::queue::Queue;
use crate::queue::clock::Moment;
use crate::queue::job::State;

/// The commands that are counted, in the order in which they are told.
const COMMANDS: [&str; 22] = [
    "cmd-put",
    "cmd-peek",
    "cmd-peek-ready",
    "cmd-peek-delayed",
    "cmd-peek-buried",
    "cmd-reserve",
    "cmd-reserve-with-timeout",
    "cmd-delete",
    "cmd-release",
    "cmd-use",
    "cmd-watch",
    "cmd-ignore",
    "cmd-bury",
    "cmd-kick",
    "cmd-touch",
    "cmd-stats",
    "cmd-stats-job",
    "cmd-stats-tube",
    "cmd-list-tubes",
    "cmd-list-tube-used",
    "cmd-list-tubes-watched",
    "cmd-pause-tube",
];

/// Counted since the queue was made.
#[derive(Debug, Default)]
pub(super) struct Counters {
    commands: [u64; COMMANDS.len()],
    /// TTRs that ended.
    pub(super) timeouts: u64,
    /// Jobs put.
    pub(super) jobs: u64,
    /// Changes to what is on disk.
    pub(super) records: u64,
    pub(super) ready: u64,
    pub(super) urgent: u64,
    pub(super) delayed: u64,
    pub(super) reserved: u64,
    pub(super) buried: u64,
}

impl Counters {
    pub(super) fn count(&mut self, command: &Command) {
        let index = match command {
            Command::Put { .. } => 0,
            Command::Peek(_) => 1,
            Command::PeekReady => 2,
            Command::PeekDelayed => 3,
            Command::PeekBuried => 4,
            Command::Reserve { timeout: None } => 5,
            Command::Reserve { timeout: Some(_) } => 6,
            Command::Delete(_) => 7,
            Command::Release { .. } => 8,
            Command::Use(_) => 9,
            Command::Watch(_) => 10,
            Command::Ignore(_) => 11,
            Command::Bury { .. } => 12,
            Command::Kick(_) => 13,
            Command::Touch(_) => 14,
            Command::Stats => 15,
            Command::StatsJob(_) => 16,
            Command::StatsTube(_) => 17,
            Command::ListTubes => 18,
            Command::ListTubeUsed => 19,
            Command::ListTubesWatched => 20,
            Command::PauseTube { .. } => 21,
            // beanstalkd counts these and tells nobody.
            Command::KickJob(_) | Command::ReserveJob(_) => return,
        };
        self.commands[index] += 1;
    }
}

/// How it goes, for a line of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Ready jobs.
    pub ready: u64,
    /// Delayed jobs.
    pub delayed: u64,
    /// Reserved jobs.
    pub reserved: u64,
    /// Buried jobs.
    pub buried: u64,
    /// Jobs put so far.
    pub put: u64,
    /// `delete` commands so far.
    pub deletes: u64,
    /// TTRs that ended so far.
    pub timeouts: u64,
    /// Tubes.
    pub tubes: usize,
    /// Connections.
    pub connections: u64,
    /// Clients that wait for a job.
    pub waiting: u64,
}

impl Queue {
    /// How it goes.
    pub fn summary(&self) -> Summary {
        Summary {
            ready: self.counters.ready,
            delayed: self.counters.delayed,
            reserved: self.counters.reserved,
            buried: self.counters.buried,
            put: self.counters.jobs,
            deletes: self.counters.commands[7],
            timeouts: self.counters.timeouts,
            tubes: self.tubes.len(),
            connections: self.clients.connections,
            waiting: self.clients.waiting,
        }
    }

    pub(super) fn stats_job(&self, id: JobId, now: Moment) -> Response {
        let Some(job) = self.jobs.get(id) else {
            return Response::NotFound;
        };
        let (state, left) = match job.state {
            State::Ready => ("ready", 0),
            State::Delayed { until } => ("delayed", until.seconds_since(now)),
            State::Reserved { until, .. } => ("reserved", until.seconds_since(now)),
            State::Buried { .. } => ("buried", 0),
        };
        let mut yaml = Dictionary::new();
        yaml.put("id", job.id);
        yaml.text("tube", self.tubes[job.tube].name.as_str());
        yaml.put("state", state);
        yaml.put("pri", job.pri);
        yaml.put("age", now.seconds_since(job.created));
        yaml.put("delay", job.delay);
        yaml.put("ttr", job.ttr);
        yaml.put("time-left", left);
        yaml.put("file", 0);
        yaml.put("reserves", job.tally.reserves);
        yaml.put("timeouts", job.tally.timeouts);
        yaml.put("releases", job.tally.releases);
        yaml.put("buries", job.tally.buries);
        yaml.put("kicks", job.tally.kicks);
        if let Some(note) = self.notes.get(&id) {
            yaml.quoted("note", note);
        }
        Response::Ok(yaml.finish())
    }

    pub(super) fn stats_tube(&self, name: &TubeName, now: Moment) -> Response {
        let Some(key) = self.tubes.find(name) else {
            return Response::NotFound;
        };
        let tube = &self.tubes[key];
        let (pause, left) = match tube.pause {
            Some(pause) => (pause.seconds, pause.until.seconds_since(now)),
            None => (0, 0),
        };
        let mut yaml = Dictionary::new();
        yaml.text("name", tube.name.as_str());
        yaml.put("current-jobs-urgent", tube.urgent);
        yaml.put("current-jobs-ready", tube.ready.len());
        yaml.put("current-jobs-reserved", tube.reserved);
        yaml.put("current-jobs-delayed", tube.delayed.len());
        yaml.put("current-jobs-buried", tube.buried.len());
        yaml.put("total-jobs", tube.total);
        yaml.put("current-using", tube.using);
        yaml.put("current-watching", tube.watching);
        yaml.put("current-waiting", tube.waiting.len());
        yaml.put("cmd-delete", tube.deletes);
        yaml.put("cmd-pause-tube", tube.pauses);
        yaml.put("pause", pause);
        yaml.put("pause-time-left", left);
        Response::Ok(yaml.finish())
    }

    pub(super) fn stats(&self, now: Moment) -> Response {
        let (counters, clients, host) = (&self.counters, &self.clients, &self.config.host);
        let mut yaml = Dictionary::new();
        yaml.put("current-jobs-urgent", counters.urgent);
        yaml.put("current-jobs-ready", counters.ready);
        yaml.put("current-jobs-reserved", counters.reserved);
        yaml.put("current-jobs-delayed", counters.delayed);
        yaml.put("current-jobs-buried", counters.buried);
        for (name, count) in COMMANDS.iter().zip(counters.commands) {
            yaml.put(name, count);
        }
        yaml.put("job-timeouts", counters.timeouts);
        yaml.put("total-jobs", counters.jobs);
        yaml.put("max-job-size", self.config.job_size_max);
        yaml.put("current-tubes", self.tubes.len());
        yaml.put("current-connections", clients.connections);
        yaml.put("current-producers", clients.producers);
        yaml.put("current-workers", clients.workers);
        yaml.put("current-waiting", clients.waiting);
        yaml.put("total-connections", clients.connections_total);
        yaml.put("pid", host.pid);
        yaml.quoted("version", &host.version);
        let usage = (host.usage)();
        for (name, time) in [("rusage-utime", usage.user), ("rusage-stime", usage.system)] {
            yaml.put(
                name,
                format_args!("{}.{:06}", time.as_secs(), time.subsec_micros()),
            );
        }
        yaml.put(
            "uptime",
            now.seconds_since(Moment::new(self.config.started)),
        );
        // There is no binlog; its keys stay, for programs that look for them.
        yaml.put("binlog-oldest-index", 0);
        yaml.put("binlog-current-index", 0);
        yaml.put("binlog-records-migrated", 0);
        yaml.put("binlog-records-written", counters.records);
        yaml.put("binlog-max-size", 0);
        yaml.put("draining", self.draining);
        yaml.text("id", &host.id);
        yaml.text("hostname", &host.hostname);
        yaml.text("os", &host.os);
        yaml.text("platform", &host.platform);
        Response::Ok(yaml.finish())
    }
}
