//! The conductor: starts the members, gives the rounds, collects what they saw.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use regrow::{Down, ExitReason, Pid, monitor, receive, self_pid, send, spawn, try_receive};

use crate::chaos::{self, Chance, Crashes};
use crate::irc::{Line, Wire};
use crate::member::{
    CALM, Event, Order, ROLL_CALL, Report, STORM, Said, Start, Talk, member, parse_text,
};
use crate::options::{Options, member_of, room_name};

/// How many members connect at a time.
const RAMP: u32 = 50;
/// How often the roll is called before somebody's silence counts: a crash just before may still
/// swallow a message of the first one.
const ROLL_CALLS: u8 = 5;
/// After how many rooms without history the visitor goes home.
const VISIT_FAILURES: u32 = 3;

/// What the chaos process tells the conductor.
pub(crate) enum Notice {
    /// It is about to crash this member's connection.
    Crashing(u32),
    /// It is done; with its trouble if it could not go on.
    StormOver(Crashes, Option<String>),
}

/// Everything that was seen.
#[derive(Default)]
pub(crate) struct Course {
    pub(crate) reports: Vec<Report>,
    /// Whose connection was lost, and how.
    pub(crate) lost: Vec<(u32, String)>,
    /// Whose connection was crashed.
    pub(crate) victims: HashSet<u32>,
    pub(crate) crashes: Crashes,
    /// How long everybody took to connect, register and join.
    pub(crate) ramp: Duration,
    pub(crate) storm: Duration,
    /// Members who did not hear everybody at any roll call.
    pub(crate) silent: HashSet<u32>,
    pub(crate) roll_calls: u8,
    /// Rooms that a new visitor joined, and how many messages each one showed.
    pub(crate) visited: Vec<(u32, usize)>,
    /// What went wrong that is not counted elsewhere.
    pub(crate) problems: Vec<String>,
}

/// Runs all rounds; the process of `block_on`.
pub(crate) async fn conduct(options: Options, address: SocketAddr) -> Course {
    let mut conductor = Conductor {
        epoch: Instant::now(),
        chance: Chance::new(options.seed ^ 0x5eed),
        options,
        address,
        members: Vec::new(),
        joined: 0,
        said: HashSet::new(),
        heard: HashSet::new(),
        storm_over: false,
        course: Course::default(),
    };
    if let Err(missing) = conductor.rounds().await {
        conductor.course.problems.push(missing);
    }
    conductor.collect().await;
    conductor.course
}

enum Word {
    Event(Event),
    Notice(Notice),
    Down(Down),
}

struct Conductor {
    epoch: Instant,
    chance: Chance,
    options: Options,
    address: SocketAddr,
    members: Vec<Pid>,
    /// How many members are in their rooms.
    joined: i64,
    said: HashSet<(u32, u8)>,
    heard: HashSet<(u32, u8)>,
    storm_over: bool,
    course: Course,
}

impl Conductor {
    async fn rounds(&mut self) -> Result<(), String> {
        self.ramp().await?;

        let (messages, pace) = (self.options.messages, self.options.calm_pace());
        self.talk(CALM, messages, pace);
        let patience = pace * messages + self.options.patience();
        self.until(
            patience,
            "everybody hears everybody in the calm round",
            |conductor| conductor.all_heard(CALM),
        )
        .await?;

        if self.options.crashes > 0 {
            self.storm().await?;
        }
        self.call_the_roll().await?;
        self.visit_all_rooms().await;
        Ok(())
    }

    async fn ramp(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        for number in 0..self.options.connections {
            let room = self.options.room_of(number);
            let pid = spawn(member(Start {
                member: number,
                room,
                others: self.options.room_size(room) - 1,
                messages: self.options.messages,
                address: self.address,
                epoch: self.epoch,
                conductor: self_pid(),
            }));
            monitor(pid);
            self.members.push(pid);
            if number % RAMP == RAMP - 1 || number + 1 == self.options.connections {
                let started = i64::from(number) + 1;
                let patience = self.options.patience();
                self.until(patience, "everybody joins", |conductor| {
                    conductor.joined == started
                })
                .await?;
            }
        }
        self.course.ramp = begun.elapsed();
        Ok(())
    }

    async fn storm(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let pace = self.options.stormy_pace();
        self.talk(STORM, self.options.messages, pace);
        let chaos = spawn(chaos::chaos(self.options.clone(), self.address, self_pid()));
        monitor(chaos);
        let patience = pace * self.options.messages + self.options.patience();
        self.until(patience, "the storm ends", |conductor| conductor.storm_over)
            .await?;
        self.until(
            patience,
            "everybody says everything in the storm",
            |conductor| {
                (0..conductor.options.connections)
                    .all(|member| conductor.said.contains(&(member, STORM)))
            },
        )
        .await?;
        self.course.storm = begun.elapsed();
        let everybody = i64::from(self.options.connections);
        let patience = self.options.patience();
        self.until(patience, "everybody is back in their rooms", |conductor| {
            conductor.joined == everybody
        })
        .await
    }

    async fn call_the_roll(&mut self) -> Result<(), String> {
        let mut outcome = Ok(());
        for call in 0..ROLL_CALLS {
            let stage = ROLL_CALL + call;
            self.course.roll_calls += 1;
            self.talk(stage, 1, Duration::ZERO);
            let patience = self.options.patience() / u32::from(ROLL_CALLS) + Duration::from_secs(1);
            outcome = self
                .until(patience, "everybody hears the roll call", |conductor| {
                    conductor.all_heard(stage)
                })
                .await;
            self.course.silent = (0..self.options.connections)
                .filter(|member| !self.heard.contains(&(*member, stage)))
                .collect();
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Somebody new joins every room and looks at its history.
    async fn visit_all_rooms(&mut self) {
        let mut failures = 0;
        for room in 0..self.options.rooms {
            if failures == VISIT_FAILURES {
                return;
            }
            let visit = self.visit(room);
            let limit = async {
                regrow::sleep(Duration::from_secs(10)).await;
                Err(std::io::ErrorKind::TimedOut.into())
            };
            match futures_lite::future::or(visit, limit).await {
                Ok(shown) => self.course.visited.push((room, shown)),
                Err(error) => {
                    failures += 1;
                    let name = room_name(room);
                    self.course
                        .problems
                        .push(format!("a visitor to {name}: {error}"));
                }
            }
        }
    }

    /// Joins one room and counts the messages it shows, until the last roll call of everybody in
    /// the room has been shown or nothing more can come.
    async fn visit(&self, room: u32) -> std::io::Result<usize> {
        let stage = ROLL_CALL + self.course.roll_calls - 1;
        let size = self.options.room_size(room).min(50) as usize;
        let mut wire = Wire::connect(self.address).await?;
        wire.send(&format!("NICK v{room}\r\nUSER visitor 0 * :visitor"))
            .await?;
        wire.expect(&["376", "422"]).await?;
        wire.send(&format!("JOIN {}", room_name(room))).await?;
        let mut shown: HashSet<Said> = HashSet::new();
        let mut joined = false;
        while !joined || shown.iter().filter(|said| said.stage == stage).count() < size {
            let text = wire.expect(&["PRIVMSG", "366"]).await?;
            let line = Line::parse(&text);
            joined |= line.command == "366";
            if let Some(sender) = member_of(line.nick)
                && let Some((said, _, true)) = parse_text(sender, line.text())
            {
                shown.insert(said);
            }
        }
        wire.send("QUIT :seen").await?;
        Ok(shown.len())
    }

    async fn collect(&mut self) {
        for &member in &self.members {
            send(member, Order::Leave);
        }
        let everybody = self.members.len();
        let patience = Duration::from_secs(20);
        if let Err(missing) = self
            .until(patience, "everybody reports", |conductor| {
                conductor.course.reports.len() == everybody
            })
            .await
        {
            self.course.problems.push(missing);
        }
    }

    /// Tells everybody to talk; they begin at different moments of the first interval.
    fn talk(&mut self, stage: u8, count: u32, pace: Duration) {
        let pace_millis = u32::try_from(pace.as_millis()).unwrap_or(u32::MAX);
        for &member in &self.members {
            let delay = Duration::from_millis(u64::from(self.chance.below(pace_millis.max(1))));
            send(
                member,
                Order::Talk(Talk {
                    stage,
                    count,
                    pace,
                    delay,
                }),
            );
        }
    }

    fn all_heard(&self, stage: u8) -> bool {
        // The set also has other rounds; a cheap look first.
        self.heard.len() >= self.members.len()
            && (0..self.options.connections).all(|member| self.heard.contains(&(member, stage)))
    }

    /// Takes in what the others tell until `done` or until the patience is over.
    async fn until(
        &mut self,
        patience: Duration,
        what: &str,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(word) = next_word(left).await else {
                return Err(format!("waited {patience:?} in vain: {what}"));
            };
            self.take_in(word);
            // Everything that has come already, before `done` looks at everybody again.
            while let Some(event) = try_receive::<Event>() {
                self.take_in(Word::Event(event));
            }
        }
        Ok(())
    }

    fn take_in(&mut self, word: Word) {
        match word {
            Word::Event(Event::Joined) => self.joined += 1,
            Word::Event(Event::Lost(member, how)) => {
                self.joined -= 1;
                self.course.lost.push((member, how));
            }
            Word::Event(Event::Said(member, stage)) => {
                self.said.insert((member, stage));
            }
            Word::Event(Event::Heard(member, stage)) => {
                self.heard.insert((member, stage));
            }
            Word::Event(Event::Report(report)) => self.course.reports.push(*report),
            Word::Notice(Notice::Crashing(member)) => {
                self.course.victims.insert(member);
            }
            Word::Notice(Notice::StormOver(crashes, problem)) => {
                self.storm_over = true;
                self.course.crashes = crashes;
                let problem = problem.map(|problem| format!("the chaos client: {problem}"));
                self.course.problems.extend(problem);
            }
            Word::Down(down) => {
                if down.reason != ExitReason::Normal {
                    let problem = format!("a process of chat-load ended: {}", down.reason);
                    self.course.problems.push(problem);
                }
            }
        }
    }
}

/// The next thing anybody tells, `None` when the time is over.
async fn next_word(left: Duration) -> Option<Word> {
    use futures_lite::future::or;
    let event = async { Some(Word::Event(receive::<Event>().await)) };
    let notice = async { Some(Word::Notice(receive::<Notice>().await)) };
    let down = async { Some(Word::Down(receive::<Down>().await)) };
    let late = async {
        regrow::sleep(left).await;
        None
    };
    or(event, or(notice, or(down, late))).await
}
