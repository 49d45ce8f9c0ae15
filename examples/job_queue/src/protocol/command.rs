//! What a client asks for, and how a line becomes it.

use std::sync::Arc;

use crate::protocol::number::{Arguments, Malformed};
use crate::protocol::{JobId, Response, TubeName};

/// What a client asks for. Times are whole seconds, as in the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A new job for the tube in use.
    Put {
        /// Smaller is more urgent.
        pri: u32,
        /// So long it is not ready yet.
        delay: u32,
        /// So long a client may keep it; 0 counts as 1.
        ttr: u32,
        /// What the job is about: not looked at.
        body: Arc<[u8]>,
    },
    /// Chooses the tube of the puts, peeks and kicks that follow.
    Use(TubeName),
    /// Reserves the most urgent job of the tubes watched, waiting for one at most so long;
    /// without a timeout, until there is one.
    Reserve {
        /// How long to wait.
        timeout: Option<u32>,
    },
    /// Reserves this job, in whatever tube and state.
    ReserveJob(JobId),
    /// Ends a job.
    Delete(JobId),
    /// Gives a reserved job back.
    Release {
        /// Which.
        id: JobId,
        /// Its new priority.
        pri: u32,
        /// So long it is not ready yet.
        delay: u32,
    },
    /// Puts a reserved job aside until it is kicked.
    Bury {
        /// Which.
        id: JobId,
        /// Its new priority.
        pri: u32,
    },
    /// Starts the TTR of a reserved job anew.
    Touch(JobId),
    /// Adds a tube to those that are reserved from.
    Watch(TubeName),
    /// Takes a tube from those that are reserved from.
    Ignore(TubeName),
    /// Shows a job.
    Peek(JobId),
    /// Shows the next ready job of the tube in use.
    PeekReady,
    /// Shows the delayed job of the tube in use that is ready first.
    PeekDelayed,
    /// Shows the buried job of the tube in use that was buried first.
    PeekBuried,
    /// Makes at most so many buried jobs of the tube in use ready; if there are none, delayed ones.
    Kick(u64),
    /// Makes a buried or delayed job ready.
    KickJob(JobId),
    /// Tells about a job.
    StatsJob(JobId),
    /// Tells about a tube.
    StatsTube(TubeName),
    /// Tells about everything.
    Stats,
    /// All tubes there are.
    ListTubes,
    /// The tube in use.
    ListTubeUsed,
    /// The tubes watched.
    ListTubesWatched,
    /// Lets nobody reserve from a tube for so long.
    PauseTube {
        /// Which.
        tube: TubeName,
        /// How long.
        delay: u32,
    },
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Command(Command),
    /// A put whose body of so many bytes, and a CRLF, follow.
    Put {
        pri: u32,
        delay: u32,
        ttr: u32,
        size: u32,
    },
    Quit,
    Refused(Response),
}

/// Reads a command line, without its CRLF.
///
/// beanstalkd compares verbs with the beginning of the line, in a certain order: so `reservex`
/// is malformed and `putx` unknown, `quitter` quits, and no space is wanted after `pause-tube`.
pub(super) fn parse(line: &[u8]) -> Line {
    if line.contains(&0) {
        return Line::Refused(Response::BadFormat);
    }
    let Some((verb, rest)) = VERBS
        .iter()
        .find_map(|(word, verb)| Some((*verb, line.strip_prefix(*word)?)))
    else {
        return Line::Refused(Response::UnknownCommand);
    };
    match verb(Arguments(rest)) {
        Ok(line) => line,
        Err(Malformed) => Line::Refused(Response::BadFormat),
    }
}

type Verb = fn(Arguments<'_>) -> Result<Line, Malformed>;

/// Longer words before those that they begin with. The frequent ones first, otherwise.
const VERBS: [(&[u8], Verb); 25] = [
    (b"put ", put),
    (b"delete ", |a| id(a, Command::Delete)),
    (b"reserve-with-timeout ", reserve_with_timeout),
    (b"reserve-job ", |a| id(a, Command::ReserveJob)),
    (b"reserve", |a| alone(a, Command::Reserve { timeout: None })),
    (b"release ", release),
    (b"bury ", bury),
    (b"touch ", |a| id(a, Command::Touch)),
    (b"use ", |a| name(a, Command::Use)),
    (b"watch ", |a| name(a, Command::Watch)),
    (b"ignore ", |a| name(a, Command::Ignore)),
    (b"peek ", |a| id(a, Command::Peek)),
    (b"peek-ready", |a| alone(a, Command::PeekReady)),
    (b"peek-delayed", |a| alone(a, Command::PeekDelayed)),
    (b"peek-buried", |a| alone(a, Command::PeekBuried)),
    (b"kick ", |a| id(a, Command::Kick)),
    (b"kick-job ", |a| id(a, Command::KickJob)),
    (b"stats-job ", |a| id(a, Command::StatsJob)),
    (b"stats-tube ", |a| name(a, Command::StatsTube)),
    (b"stats", |a| alone(a, Command::Stats)),
    (b"list-tubes-watched", |a| {
        alone(a, Command::ListTubesWatched)
    }),
    (b"list-tubes", |a| alone(a, Command::ListTubes)),
    (b"list-tube-used", |a| alone(a, Command::ListTubeUsed)),
    (b"pause-tube", pause_tube),
    (b"quit", |_| Ok(Line::Quit)),
];

fn alone(arguments: Arguments<'_>, command: Command) -> Result<Line, Malformed> {
    arguments.end()?;
    Ok(Line::Command(command))
}

fn id(mut arguments: Arguments<'_>, command: fn(u64) -> Command) -> Result<Line, Malformed> {
    let id = arguments.number()?;
    alone(arguments, command(id))
}

fn name(arguments: Arguments<'_>, command: fn(TubeName) -> Command) -> Result<Line, Malformed> {
    Ok(Line::Command(command(arguments.rest_as_name()?)))
}

fn put(mut arguments: Arguments<'_>) -> Result<Line, Malformed> {
    let pri = arguments.small()?;
    let delay = arguments.small()?;
    let ttr = arguments.small()?;
    let size = arguments.small()?;
    arguments.end()?;
    Ok(Line::Put {
        pri,
        delay,
        ttr,
        size,
    })
}

fn reserve_with_timeout(mut arguments: Arguments<'_>) -> Result<Line, Malformed> {
    let timeout = Some(arguments.small()?);
    alone(arguments, Command::Reserve { timeout })
}

fn release(mut arguments: Arguments<'_>) -> Result<Line, Malformed> {
    let id = arguments.number()?;
    let pri = arguments.small()?;
    let delay = arguments.small()?;
    alone(arguments, Command::Release { id, pri, delay })
}

fn bury(mut arguments: Arguments<'_>) -> Result<Line, Malformed> {
    let id = arguments.number()?;
    let pri = arguments.small()?;
    alone(arguments, Command::Bury { id, pri })
}

fn pause_tube(mut arguments: Arguments<'_>) -> Result<Line, Malformed> {
    let tube = arguments.name()?;
    let delay = arguments.small()?;
    alone(arguments, Command::PauseTube { tube, delay })
}

#[cfg(test)]
mod tests;
