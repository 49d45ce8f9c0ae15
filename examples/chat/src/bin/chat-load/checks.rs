//! The account: what everybody said, what everybody saw, what the database holds.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::conduct::Course;
use crate::member::{CALM, Report, STORM, Said, parse_text};
use crate::options::{Options, member_of, nick};
use crate::server::End;

/// How many examples of one kind of fault are printed.
const EXAMPLES: usize = 5;

/// The outcome: figures and checks.
#[derive(Default)]
pub(crate) struct Verdict {
    figures: Vec<(String, String)>,
    checks: Vec<Check>,
}

struct Check {
    what: &'static str,
    faults: Vec<String>,
}

impl Verdict {
    /// Whether every check held.
    pub(crate) fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.faults.is_empty())
    }

    fn figure(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        self.figures.push((name.into(), value.to_string()));
    }

    fn check(&mut self, what: &'static str, faults: Vec<String>) {
        self.checks.push(Check { what, faults });
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.figures {
            writeln!(f, "  {name:<34} {value}")?;
        }
        for check in &self.checks {
            let word = if check.faults.is_empty() {
                "ok    "
            } else {
                "FAILED"
            };
            writeln!(f, "{word} {}", check.what)?;
            for fault in check.faults.iter().take(EXAMPLES) {
                writeln!(f, "       - {fault}")?;
            }
            if check.faults.len() > EXAMPLES {
                writeln!(f, "       - and {} more", check.faults.len() - EXAMPLES)?;
            }
        }
        let word = if self.passed() { "passed" } else { "FAILED" };
        writeln!(f, "{word}")
    }
}

/// Holds what was seen against what must be.
pub(crate) fn check(options: &Options, course: &Course, end: &End, database: &Path) -> Verdict {
    let mut verdict = Verdict::default();
    verdict.figure("connected, registered, joined in", seconds(course.ramp));
    round(&mut verdict, course, CALM, "calm");
    if options.crashes > 0 {
        round(&mut verdict, course, STORM, "storm");
        storm_figures(&mut verdict, options, course);
    }

    verdict.check("every round came to its end", course.problems.clone());
    verdict.check(
        "calm round: every message reached every other member",
        missing_in_calm(options, course),
    );
    let wrong = course
        .reports
        .iter()
        .flat_map(|report| report.wrong.iter().cloned());
    verdict.check(
        "nothing was seen twice or out of its sender's order",
        wrong.collect(),
    );
    verdict.check(
        "no member lost its connection but those whose connection crashed",
        lost(course),
    );
    let silent = course.silent.iter();
    let mut silent: Vec<String> = silent
        .map(|m| format!("{} missed somebody", nick(*m)))
        .collect();
    if course.roll_calls == 0 {
        silent.push("it never came to it".to_owned());
    }
    let what = "roll call: everybody heard everybody in their room";
    verdict.check(what, silent);
    let unvisited = usize::try_from(options.rooms).unwrap_or(usize::MAX) - course.visited.len();
    let unvisited = (unvisited > 0).then(|| format!("{unvisited} rooms showed no whole history"));
    verdict.check(
        "a new visitor to every room is shown its history",
        unvisited.into_iter().collect(),
    );

    let acknowledged = acknowledged(course);
    verdict.figure("acknowledged messages", acknowledged.len());
    match stored(database) {
        Ok(stored) => history(&mut verdict, &acknowledged, &stored),
        Err(error) => {
            verdict.check(
                "the history holds every acknowledged message",
                vec![error.to_string()],
            );
        }
    }
    ended(&mut verdict, end);
    verdict
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

/// The figures of one round.
fn round(verdict: &mut Verdict, course: &Course, stage: u8, name: &str) {
    let sent = course
        .reports
        .iter()
        .filter_map(|report| report.sent.get(&stage));
    let messages: u32 = sent.clone().map(|(count, _)| count).sum();
    let Some(begun) = sent.map(|(_, first)| *first).min() else {
        return;
    };
    let deliveries = || {
        let all = course.reports.iter().flat_map(|report| &report.deliveries);
        all.filter(move |delivery| delivery.said.stage == stage)
    };
    let mut took: Vec<Duration> = deliveries().map(|delivery| delivery.took).collect();
    let Some(last) = deliveries().map(|delivery| delivery.at).max() else {
        return;
    };
    let length = last.saturating_sub(begun).max(Duration::from_micros(1));
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    let each_second = |count: f64| format!("{:.0}/s", count / length.as_secs_f64());
    verdict.figure(format!("{name}: messages sent"), messages);
    verdict.figure(format!("{name}: deliveries"), took.len());
    verdict.figure(format!("{name}: lasted"), seconds(length));
    verdict.figure(
        format!("{name}: messages"),
        each_second(f64::from(messages)),
    );
    verdict.figure(
        format!("{name}: deliveries"),
        each_second(took.len() as f64),
    );
    let (half, most, slowest) = (millis(at(50)), millis(at(99)), millis(at(100)));
    verdict.figure(
        format!("{name}: delivery p50 / p99 / max"),
        format!("{half} / {most} / {slowest}"),
    );
}

fn storm_figures(verdict: &mut Verdict, options: &Options, course: &Course) {
    let crashes = &course.crashes;
    verdict.figure(
        "storm: CRASH of rooms/pool/cache/conn",
        format!(
            "{} = {} + {} + {} + {}, {} of them hit nothing",
            crashes.total(),
            crashes.rooms,
            crashes.pools,
            crashes.caches,
            crashes.connections,
            crashes.missed
        ),
    );
    verdict.figure("storm: lasted with all recoveries", seconds(course.storm));
    verdict.figure("storm: connections that crashed", course.lost.len());
    let reconnects: u32 = course
        .reports
        .iter()
        .map(|report| report.connections - 1)
        .sum();
    verdict.figure("storm: reconnects", reconnects);
    let refusals: usize = course
        .reports
        .iter()
        .map(|report| report.refusals.len())
        .sum();
    verdict.figure("storm: refusals seen by members", refusals);
    if let Some(refusal) = course
        .reports
        .iter()
        .flat_map(|report| &report.refusals)
        .next()
    {
        verdict.figure("storm: the first refusal", refusal);
    }
    let heard: HashSet<Said> = seen(course).filter(|said| said.stage == STORM).collect();
    let sent: u32 = course
        .reports
        .iter()
        .filter_map(|report| report.sent.get(&STORM))
        .map(|sent| sent.0)
        .sum();
    let lost = u64::from(sent).saturating_sub(heard.len() as u64);
    verdict.figure("storm: messages nobody saw", lost);
    let (unheard, all) = unheard_by_survivors(options, course);
    let share = format!("{unheard} of {all}");
    verdict.figure("storm: missing between unbroken", share.clone());
    let faults = (unheard > 0 && refusals == 0).then_some(share);
    let what = "storm: what was lost between unbroken connections was refused by the server";
    verdict.check(what, faults.into_iter().collect());
    verdict.figure("roll calls needed", course.roll_calls);
}

/// Of what members with an unbroken connection said in the storm to others like them: how much
/// did not arrive, and how much there was.
fn unheard_by_survivors(options: &Options, course: &Course) -> (usize, usize) {
    let survivors = || {
        course
            .reports
            .iter()
            .filter(|report| report.connections == 1)
    };
    let (mut unheard, mut all) = (0, 0);
    for hearer in survivors() {
        let room = options.room_of(hearer.member);
        let heard = hearer
            .deliveries
            .iter()
            .filter(|delivery| delivery.said.stage == STORM);
        let heard: HashSet<Said> = heard.map(|delivery| delivery.said).collect();
        let others = survivors().filter(|sender| {
            sender.member != hearer.member && options.room_of(sender.member) == room
        });
        for sender in others {
            let sent = sender.sent.get(&STORM).map_or(0, |sent| sent.0);
            let sender = sender.member;
            let said = (0..sent).map(|number| Said {
                sender,
                stage: STORM,
                number,
            });
            all += sent as usize;
            unheard += said.filter(|said| !heard.contains(said)).count();
        }
    }
    (unheard, all)
}

/// Every message that some member saw.
fn seen(course: &Course) -> impl Iterator<Item = Said> {
    course.reports.iter().flat_map(|report| {
        let live = report.deliveries.iter().map(|delivery| delivery.said);
        live.chain(report.replayed.iter().copied())
    })
}

fn acknowledged(course: &Course) -> HashSet<Said> {
    seen(course).collect()
}

/// What did not arrive in the calm round.
fn missing_in_calm(options: &Options, course: &Course) -> Vec<String> {
    let by_member: HashMap<u32, &Report> = course
        .reports
        .iter()
        .map(|report| (report.member, report))
        .collect();
    let mut missing = Vec::new();
    for hearer in 0..options.connections {
        let Some(report) = by_member.get(&hearer) else {
            missing.push(format!("{} made no report", nick(hearer)));
            continue;
        };
        let heard: HashSet<Said> = report
            .deliveries
            .iter()
            .map(|delivery| delivery.said)
            .collect();
        let room = options.room_of(hearer);
        let others = (0..options.connections)
            .filter(|&sender| sender != hearer && options.room_of(sender) == room);
        for sender in others {
            let lacking = (0..options.messages)
                .filter(|&number| {
                    !heard.contains(&Said {
                        sender,
                        stage: CALM,
                        number,
                    })
                })
                .count();
            if lacking > 0 {
                let (hearer, sender) = (nick(hearer), nick(sender));
                missing.push(format!("{hearer} did not hear {lacking} of {sender}"));
            }
        }
    }
    missing
}

fn lost(course: &Course) -> Vec<String> {
    let innocent = course
        .lost
        .iter()
        .filter(|(member, _)| !course.victims.contains(member));
    innocent
        .map(|(member, how)| format!("{}: {how}", nick(*member)))
        .collect()
}

/// What the database holds, in the order of storing.
fn stored(database: &Path) -> rusqlite::Result<Vec<Said>> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut statement =
        connection.prepare("SELECT prefix, text FROM post WHERE notice = 0 ORDER BY id")?;
    let rows = statement
        .query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let messages = rows.iter().filter_map(|(prefix, text)| {
        let sender = member_of(prefix.split('!').next()?)?;
        let (said, _, _) = parse_text(sender, std::str::from_utf8(text).ok()?)?;
        Some(said)
    });
    Ok(messages.collect())
}

fn history(verdict: &mut Verdict, acknowledged: &HashSet<Said>, stored: &[Said]) {
    verdict.figure("messages in the database", stored.len());
    let mut known = HashSet::new();
    let mut last: HashMap<u32, Said> = HashMap::new();
    let (mut twice, mut unordered) = (Vec::new(), Vec::new());
    for &said in stored {
        if !known.insert(said) {
            twice.push(format!("{said:?} is stored twice"));
        } else if let Some(last) = last.insert(said.sender, said)
            && last > said
        {
            unordered.push(format!("{said:?} is stored after {last:?}"));
        }
    }
    let missing = acknowledged
        .difference(&known)
        .map(|said| format!("{said:?} is missing"));
    verdict.check(
        "the history holds every acknowledged message",
        missing.collect(),
    );
    verdict.check("the history holds nothing twice", twice);
    verdict.check("the history keeps each sender's order", unordered);
}

fn ended(verdict: &mut Verdict, end: &End) {
    let faults = match end {
        End::NotOurs => return,
        End::Ended {
            status,
            panics,
            took,
        } => {
            // The server says of such a panic who asked for it.
            let (asked, unasked): (Vec<&String>, Vec<&String>) =
                panics.iter().partition(|line| line.contains("chaos asked"));
            verdict.figure("server: crashes in the log", asked.len());
            verdict.figure("server: stopped in", millis(*took));
            let unasked = unasked.into_iter().cloned().collect();
            verdict.check("nothing panicked but what CRASH was sent to", unasked);
            (!status.success()).then(|| format!("it ended with {status}"))
        }
        End::Killed => Some("it did not stop and was killed".to_owned()),
        End::Unknown(error) => Some(error.clone()),
    };
    let what = "the server stops on SIGTERM with code 0";
    verdict.check(what, faults.into_iter().collect());
}
