//! Looks at every job after a restart, before any client is there, and empties the queue at the end.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use job_queue::trial::answer::Answer;
use job_queue::trial::wire::Wire;

use super::body;
use super::crew::{Shared, TUBES, tube_name};
use super::ledger::{Known, Seen, SeenState};
use super::violation::Kind;

/// A server that has just started may have much to read.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many jobs are asked for at once.
const BATCH: usize = 100;

/// What the looks have shown.
#[derive(Default)]
pub(crate) struct Audit {
    /// Jobs that were looked for once after they had gone.
    gone: HashSet<u64>,
}

impl Audit {
    /// Looks at every job; how many there are.
    pub(crate) fn look(&mut self, shared: &Shared, address: SocketAddr) -> io::Result<u64> {
        let mut wire = Wire::connect(address, PATIENCE)?;
        let mut wanted = Vec::new();
        let mut without_id = 0;
        for (serial, entry) in shared.ledger().entries() {
            match entry.id {
                Some(_) if entry.known == Known::Gone && !self.gone.insert(serial) => {}
                Some(id) => wanted.push((serial, id)),
                None => without_id += 1,
            }
        }
        let mut found = 0;
        for batch in wanted.chunks(BATCH) {
            let commands: String = batch
                .iter()
                .map(|(_, id)| format!("stats-job {id}\r\npeek {id}\r\n"))
                .collect();
            wire.send(commands.as_bytes())?;
            for &(serial, id) in batch {
                let (stats, peek) = (wire.answer()?, wire.answer()?);
                let seen = seen(shared.seed, serial, &stats, &peek);
                let seen = seen.map_err(|problem| {
                    io::Error::other(format!("looking at the job {id}: {problem}"))
                })?;
                found += u64::from(seen.is_some());
                shared.ledger().seen(serial, seen, shared.now());
            }
        }
        let total = total(&wire.ask("stats")?)?;
        // Those whose put was not answered may be there as well.
        if total < found || total > found + without_id {
            let detail = format!("{total} jobs are counted, {found} were found");
            shared.violation(Kind::Unknown, 0, detail);
        }
        Ok(total)
    }

    /// Takes out every job; whatever cannot be had is lost.
    pub(crate) fn empty(&self, shared: &Shared, address: SocketAddr) -> io::Result<u64> {
        let mut wire = Wire::connect(address, PATIENCE)?;
        for tube in 0..TUBES {
            let name = tube_name(tube);
            wire.ask(&format!("watch {name}"))?;
            wire.ask(&format!("use {name}"))?;
            // First the buried ones, then the delayed ones.
            while wire.ask("kick 1000000")?.number() != Some(0) {}
        }
        let client = u64::MAX;
        let mut count = 0;
        loop {
            let asked = shared.now();
            let answer = wire.ask("reserve-with-timeout 0")?;
            let (Some(id), Some(bytes)) = (answer.number(), &answer.body) else {
                break;
            };
            let Some((serial, right)) = body::read(shared.seed, bytes) else {
                shared.violation(Kind::Unknown, 0, answer.line);
                break;
            };
            if !right {
                shared.violation(Kind::Changed, serial, "its body is another".into());
            }
            {
                let mut ledger = shared.ledger();
                ledger.reserved(client, serial, id, asked, shared.now());
                ledger.lets_go(client, serial);
                ledger.delete_sent(serial);
            }
            let deleted = wire.ask(&format!("delete {id}"))?;
            if deleted.word() == "DELETED" {
                shared.ledger().deleted(serial);
            } else {
                shared.violation(Kind::TakenEarly, serial, deleted.line);
            }
            count += 1;
        }
        let mut ledger = shared.ledger();
        let left: Vec<u64> = ledger
            .entries()
            .filter(|(_, entry)| entry.known == Known::There)
            .map(|(serial, _)| serial)
            .collect();
        for serial in left {
            ledger.seen(serial, None, shared.now());
        }
        Ok(count)
    }
}

fn seen(seed: u64, serial: u64, stats: &Answer, peek: &Answer) -> Result<Option<Seen>, String> {
    if stats.word() == "NOT_FOUND" && peek.word() == "NOT_FOUND" {
        return Ok(None);
    }
    let bytes = match (stats.word(), peek.word(), &peek.body) {
        ("OK", "FOUND", Some(bytes)) => bytes,
        _ => return Err(format!("{} and {}", stats.line, peek.line)),
    };
    let value = |key: &str| stats.value(key).ok_or_else(|| format!("no {key}"));
    let number = |key: &str| -> Result<u32, String> {
        value(key)?
            .parse()
            .map_err(|_| format!("{key} is no number"))
    };
    let tube = value("tube")?.trim_matches('"');
    Ok(Some(Seen {
        state: match value("state")? {
            "ready" => SeenState::Ready,
            "delayed" => SeenState::Delayed,
            "buried" => SeenState::Buried,
            "reserved" => SeenState::Reserved,
            other => return Err(format!("the state {other}")),
        },
        pri: number("pri")?,
        tube: (0..TUBES)
            .find(|&number| tube_name(number) == tube)
            .ok_or_else(|| format!("the tube {tube}"))?,
        ttr: number("ttr")?,
        body_is_right: body::read(seed, bytes) == Some((serial, true)),
    }))
}

/// How many jobs the server counts in all.
fn total(stats: &Answer) -> io::Result<u64> {
    let counts: BTreeMap<&str, u64> = ["ready", "delayed", "buried", "reserved"]
        .into_iter()
        .filter_map(|state| {
            let count = stats.value(&format!("current-jobs-{state}"))?;
            Some((state, count.parse().ok()?))
        })
        .collect();
    if counts.len() == 4 {
        Ok(counts.values().sum())
    } else {
        Err(io::Error::other("stats does not count the jobs"))
    }
}
