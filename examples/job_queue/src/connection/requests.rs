//! What a client has asked, in order, and what has become of it.
//!
//! | state of a request | entered by | left by |
//! |---|---|---|
//! | waiting | the client sends it; the scheduler that had it is gone | it is sent to the scheduler |
//! | sent | | its answer comes; the scheduler is gone |
//! | answered | its answer comes, or none is needed | everything before it is answered: it is told |
//!
//! Several may be sent at once, so that a client need not wait for the disk with each job it puts.
//! A reserve may have to wait for a job, so nothing is sent before it is answered.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::{Command, Response, TubeName};
use crate::queue::Rejoin;

/// Requests that may be under way; more are not read.
pub(super) const WINDOW: usize = 64;
/// How often a request is sent if schedulers crash while they have it. It may be the reason.
const TRIES: u8 = 2;

#[derive(Debug)]
struct Request {
    command: Option<Command>,
    state: State,
    tries: u8,
    /// When it was first sent.
    since: Option<Duration>,
}

#[derive(Debug, PartialEq)]
enum State {
    Waiting,
    Sent,
    Answered(Response),
}

/// The requests of one client.
#[derive(Debug)]
pub(super) struct Requests {
    /// The number of the first one that is kept.
    first: u64,
    queue: VecDeque<Request>,
    /// So many at the front are sent or answered.
    passed: usize,
    ties: Rejoin,
}

impl Default for Requests {
    fn default() -> Requests {
        Requests {
            first: 0,
            queue: VecDeque::new(),
            passed: 0,
            ties: Rejoin {
                using: TubeName::default(),
                watching: vec![TubeName::default()],
                produces: false,
                works: false,
            },
        }
    }
}

impl Requests {
    /// Nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= WINDOW
    }

    /// What holds for the client after the requests whose answers it was told.
    pub(super) fn ties(&self) -> &Rejoin {
        &self.ties
    }

    /// The client wants something.
    pub(super) fn push(&mut self, command: Command) {
        self.add(Some(command), State::Waiting);
    }

    /// The client wants something whose answer is known already.
    pub(super) fn push_answered(&mut self, response: Response) {
        self.add(None, State::Answered(response));
    }

    fn add(&mut self, command: Option<Command>, state: State) {
        self.queue.push_back(Request {
            command,
            state,
            tries: 0,
            since: None,
        });
    }

    /// What is to be sent to the scheduler next, with its number.
    pub(super) fn next_to_send(&mut self, now: Duration) -> Option<(u64, Command)> {
        if self.waits_for_job() {
            return None;
        }
        while let Some(request) = self.queue.get_mut(self.passed) {
            self.passed += 1;
            if request.state != State::Waiting {
                continue;
            }
            let since = *request.since.get_or_insert(now);
            let mut command = request.command.clone()?;
            if let Command::Reserve {
                timeout: Some(left),
            } = &mut command
            {
                // The time that it waited for a scheduler counts.
                let gone = now.saturating_sub(since).as_secs();
                *left = left.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
            }
            request.state = State::Sent;
            request.tries += 1;
            return Some((self.first + self.passed as u64 - 1, command));
        }
        None
    }

    /// Whether the last one sent is a reserve without an answer.
    pub(super) fn waits_for_job(&self) -> bool {
        self.passed
            .checked_sub(1)
            .and_then(|last| self.queue.get(last))
            .is_some_and(|last| last.state == State::Sent && last.is_reserve())
    }

    /// The scheduler, or the store, has answered.
    pub(super) fn answer(&mut self, number: u64, response: Response) {
        let index = number.checked_sub(self.first).map(|index| index as usize);
        if let Some(request) = index.and_then(|index| self.queue.get_mut(index))
            && request.state == State::Sent
        {
            request.state = State::Answered(response);
        }
    }

    /// The next answer that the client may be told.
    pub(super) fn next_answer(&mut self) -> Option<Response> {
        let first = self.queue.front()?;
        if !matches!(first.state, State::Answered(_)) {
            return None;
        }
        let Request { command, state, .. } = self.queue.pop_front()?;
        self.first += 1;
        self.passed = self.passed.saturating_sub(1);
        let State::Answered(response) = state else {
            return None;
        };
        if let Some(command) = command {
            self.tie(command, &response);
        }
        Some(response)
    }

    fn tie(&mut self, command: Command, response: &Response) {
        match (command, response) {
            (Command::Use(tube), Response::Using(_)) => self.ties.using = tube,
            (Command::Watch(tube), Response::Watching(_))
                if !self.ties.watching.contains(&tube) =>
            {
                self.ties.watching.push(tube);
            }
            (Command::Ignore(tube), Response::Watching(_)) => {
                let place = self
                    .ties
                    .watching
                    .iter()
                    .position(|watched| *watched == tube);
                if let Some(place) = place {
                    self.ties.watching.swap_remove(place);
                }
            }
            (Command::Put { .. }, _) => self.ties.produces = true,
            (Command::Reserve { .. } | Command::ReserveJob(_), _) => self.ties.works = true,
            _ => {}
        }
    }

    /// A new scheduler is there. What the one before has not answered by now was never done: what
    /// it has handed to the store is answered, for the store was asked by the new one.
    pub(super) fn again(&mut self) {
        let unanswered = |request: &Request| !matches!(request.state, State::Answered(_));
        let Some(from) = self.queue.iter().position(unanswered) else {
            return;
        };
        for request in self.queue.range_mut(from..) {
            match request.state {
                State::Waiting => {}
                State::Sent if request.tries >= TRIES && !request.is_reserve() => {
                    request.state = State::Answered(Response::InternalError);
                }
                State::Sent => request.state = State::Waiting,
                // The new one knows only what holds before the first unanswered request.
                State::Answered(_) if request.is_tie() => request.state = State::Waiting,
                State::Answered(_) => {}
            }
        }
        self.passed = from;
    }
}

impl Request {
    fn is_reserve(&self) -> bool {
        matches!(self.command, Some(Command::Reserve { .. }))
    }

    fn is_tie(&self) -> bool {
        use Command::{Ignore, Use, Watch};
        matches!(self.command, Some(Use(_) | Watch(_) | Ignore(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn put() -> Command {
        let body = [].into();
        Command::Put {
            pri: 0,
            delay: 0,
            ttr: 1,
            body,
        }
    }

    fn tube(name: &str) -> TubeName {
        name.parse().unwrap()
    }

    /// Sends all that may be sent.
    fn send(requests: &mut Requests) -> Vec<u64> {
        std::iter::from_fn(|| Some(requests.next_to_send(NOW)?.0)).collect()
    }

    #[test]
    fn answers_are_told_in_the_order_of_the_requests_whatever_order_they_come_in() {
        let mut requests = Requests::default();
        requests.push(put());
        requests.push(Command::Stats);
        requests.push_answered(Response::BadFormat);
        assert_eq!(send(&mut requests), [0, 1]);
        requests.answer(1, Response::Ok("".into()));
        assert_eq!(requests.next_answer(), None);
        requests.answer(0, Response::Inserted(1));
        assert_eq!(requests.next_answer(), Some(Response::Inserted(1)));
        assert_eq!(requests.next_answer(), Some(Response::Ok("".into())));
        assert_eq!(requests.next_answer(), Some(Response::BadFormat));
        assert!(requests.is_empty());
    }

    #[test]
    fn nothing_is_sent_before_a_reserve_is_answered() {
        let mut requests = Requests::default();
        requests.push(Command::Reserve { timeout: None });
        requests.push(Command::Delete(1));
        assert_eq!(send(&mut requests), [0]);
        assert!(requests.waits_for_job());
        requests.answer(0, Response::Reserved(1, [].into()));
        assert_eq!(send(&mut requests), [1]);
    }

    #[test]
    fn what_a_lost_scheduler_has_not_answered_is_asked_once_more_and_then_given_up() {
        let mut requests = Requests::default();
        requests.push(put());
        requests.push(Command::Reserve { timeout: None });
        assert_eq!(send(&mut requests), [0, 1]);
        requests.again();
        assert_eq!(send(&mut requests), [0, 1]);
        requests.again();
        assert_eq!(requests.next_answer(), Some(Response::InternalError));
        // Waiting harms nobody.
        assert_eq!(send(&mut requests), [1]);
    }

    #[test]
    fn a_reserve_waits_no_longer_because_a_scheduler_was_lost() {
        let mut requests = Requests::default();
        requests.push(Command::Reserve { timeout: Some(10) });
        requests.next_to_send(NOW);
        requests.again();
        let later = requests.next_to_send(NOW + Duration::from_secs(7));
        assert_eq!(later, Some((0, Command::Reserve { timeout: Some(3) })));
    }

    #[test]
    fn a_new_scheduler_gets_the_ties_as_they_were_before_what_it_is_asked() {
        let mut requests = Requests::default();
        requests.push(Command::Use(tube("a")));
        requests.push(put());
        requests.push(Command::Use(tube("b")));
        send(&mut requests);
        requests.answer(0, Response::Using(tube("a")));
        requests.answer(2, Response::Using(tube("b")));
        assert!(requests.next_answer().is_some());
        requests.again();
        assert_eq!(requests.ties().using, tube("a"));
        assert_eq!(requests.next_to_send(NOW), Some((1, put())));
        assert_eq!(
            requests.next_to_send(NOW),
            Some((2, Command::Use(tube("b"))))
        );
    }

    #[test]
    fn the_tubes_watched_are_those_of_the_answers() {
        let mut requests = Requests::default();
        let asked = [
            (Command::Watch(tube("a")), Response::Watching(2)),
            (Command::Watch(tube("a")), Response::Watching(2)),
            (Command::Ignore(TubeName::default()), Response::Watching(1)),
            (Command::Ignore(tube("a")), Response::NotIgnored),
        ];
        for (number, (command, response)) in asked.into_iter().enumerate() {
            requests.push(command);
            send(&mut requests);
            requests.answer(number as u64, response);
            requests.next_answer();
        }
        assert_eq!(requests.ties().watching, [tube("a")]);
    }
}
