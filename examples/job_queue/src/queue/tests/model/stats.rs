//! What the model says of a job and of a tube.

use super::{Client, Job, Model, State, is_reserved};
use crate::protocol::Response;

impl Model {
    pub(super) fn stats_job(&self, job: &Job) -> String {
        let left = |until: u64| until.saturating_sub(self.now) / 1_000;
        let (state, left) = match job.state {
            State::Ready => ("ready", 0),
            State::Delayed(until) => ("delayed", left(until)),
            State::Reserved(_, until) => ("reserved", left(until)),
            State::Buried(_) => ("buried", 0),
        };
        let [reserves, timeouts, releases, buries, kicks] = job.tally;
        let age = (self.now - job.created) / 1_000;
        let mut out = format!(
            "---\nid: {}\ntube: {}\nstate: {state}\npri: {}\nage: {age}\ndelay: {}\nttr: {}\n\
             time-left: {left}\nfile: 0\nreserves: {reserves}\ntimeouts: {timeouts}\n\
             releases: {releases}\nburies: {buries}\nkicks: {kicks}\n",
            job.id, job.tube, job.pri, job.delay, job.ttr,
        );
        if let Some(note) = &job.note {
            out.push_str(&format!("note: \"{note}\"\n"));
        }
        out
    }

    /// Without what is counted since the tube was made: the model has no tubes.
    pub(super) fn stats_tube(&self, tube: &str) -> Response {
        if !self.exists(tube) {
            return Response::NotFound;
        }
        let count = |wanted: fn(&Job) -> bool| self.within(tube).filter(|job| wanted(job)).count();
        let clients = |wanted: &dyn Fn(&Client) -> bool| {
            self.clients
                .values()
                .filter(|client| wanted(client))
                .count()
        };
        let watches = |client: &Client| client.watching.iter().any(|name| name == tube);
        let pause = self.pauses.get(tube);
        let lines = [
            (
                "current-jobs-urgent",
                count(|j| j.state == State::Ready && j.pri < 1024),
            ),
            ("current-jobs-ready", count(|j| j.state == State::Ready)),
            ("current-jobs-reserved", count(is_reserved)),
            (
                "current-jobs-delayed",
                count(|j| matches!(j.state, State::Delayed(_))),
            ),
            (
                "current-jobs-buried",
                count(|j| matches!(j.state, State::Buried(_))),
            ),
            ("current-using", clients(&|client| client.using == tube)),
            ("current-watching", clients(&watches)),
            (
                "current-waiting",
                clients(&|client| watches(client) && client.wait.is_some()),
            ),
            ("pause", pause.map_or(0, |pause| pause.1 as usize)),
            (
                "pause-time-left",
                pause.map_or(0, |p| ((p.0 - self.now) / 1_000) as usize),
            ),
        ];
        let lines: String = lines
            .iter()
            .map(|(key, count)| format!("{key}: {count}\n"))
            .collect();
        Response::Ok(format!("---\nname: {tube}\n{lines}").into())
    }
}
