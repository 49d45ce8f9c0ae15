//! One client: it stays in its room, talks when told to, and writes down what it hears.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use regrow::{Pid, receive, self_pid, send, send_after, sleep, try_receive_matching};

use crate::irc::{Line, Wire};
use crate::options::{member_of, nick, room_name};

/// How long a client waits before it tries again what the server refused.
const RETRY: Duration = Duration::from_millis(100);

/// What the conductor, or its own timer, tells a member.
pub(crate) enum Order {
    /// Begin to talk.
    Talk(Talk),
    /// Say the next message.
    Tick,
    /// Ask to be let into the room again.
    Join,
    /// Send the report, leave and end.
    Leave,
}

/// A round of messages.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    /// Which round; later rounds have greater numbers.
    pub(crate) stage: u8,
    /// How many messages.
    pub(crate) count: u32,
    /// Time between two of them.
    pub(crate) pace: Duration,
    /// Time before the first.
    pub(crate) delay: Duration,
}

/// What a member tells the conductor.
pub(crate) enum Event {
    /// It is in its room.
    Joined,
    /// Its connection is gone; it connects again.
    Lost(u32, String),
    /// It has said everything of this round.
    Said(u32, u8),
    /// It has heard every other member of its room say everything of this round.
    Heard(u32, u8),
    /// What it wrote down; it ends now.
    Report(Box<Report>),
}

/// One message as one member heard it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Said {
    /// Who said it.
    pub(crate) sender: u32,
    /// In which round.
    pub(crate) stage: u8,
    /// As which message of that round, from 0.
    pub(crate) number: u32,
}

/// A message that arrived while the member was in the room, and how long it took.
#[derive(Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) said: Said,
    pub(crate) took: Duration,
    /// When it arrived, since the program began.
    pub(crate) at: Duration,
}

/// What one member saw.
pub(crate) struct Report {
    pub(crate) member: u32,
    /// What arrived live.
    pub(crate) deliveries: Vec<Delivery>,
    /// What was replayed from the room's history.
    pub(crate) replayed: HashSet<Said>,
    /// How many messages it sent in each round, and when the first one.
    pub(crate) sent: HashMap<u8, (u32, Duration)>,
    /// What was seen twice or out of order.
    pub(crate) wrong: Vec<String>,
    /// Lines by which the server refused something.
    pub(crate) refusals: Vec<String>,
    /// How many times it connected.
    pub(crate) connections: u32,
}

/// The round without crashes.
pub(crate) const CALM: u8 = 0;
/// The round with crashes.
pub(crate) const STORM: u8 = 1;
/// The first of the rounds in which everybody says one thing.
pub(crate) const ROLL_CALL: u8 = 2;

/// What a member must know to begin.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    pub(crate) member: u32,
    pub(crate) room: u32,
    /// How many others are in its room.
    pub(crate) others: u32,
    /// How many messages each of them says in the calm round.
    pub(crate) messages: u32,
    pub(crate) address: SocketAddr,
    /// When the program began.
    pub(crate) epoch: Instant,
    pub(crate) conductor: Pid,
}

/// The text of a message: which run of this program, the round, its number and when it was sent.
pub(crate) fn text(stage: u8, number: u32, sent: Duration) -> String {
    format!(
        "load {} {stage} {number} {}",
        std::process::id(),
        sent.as_nanos()
    )
}

/// Reads a text made by [`text`]: which message, when it was sent, and whether it is replayed
/// from the room's history; then the server has put `[2026-01-31 23:59:58] ` before it.
pub(crate) fn parse_text(sender: u32, text: &str) -> Option<(Said, Duration, bool)> {
    let past = text
        .strip_prefix('[')
        .and_then(|text| text.split_once("] "));
    let text = past.map_or(text, |(_, text)| text);
    let mut words = text.strip_prefix("load ")?.split(' ');
    if words.next()?.parse() != Ok(std::process::id()) {
        return None;
    }
    let stage = words.next()?.parse().ok()?;
    let number = words.next()?.parse().ok()?;
    let sent = Duration::from_nanos(words.next()?.parse().ok()?);
    Some((
        Said {
            sender,
            stage,
            number,
        },
        sent,
        past.is_some(),
    ))
}

/// The body of a member's process.
pub(crate) async fn member(start: Start) {
    let mut member = Member {
        start,
        room: room_name(start.room),
        in_room: false,
        talk: None,
        next: 0,
        order: HashMap::new(),
        known: HashSet::new(),
        heard: HashMap::new(),
        report: Report {
            member: start.member,
            deliveries: Vec::new(),
            replayed: HashSet::new(),
            sent: HashMap::new(),
            wrong: Vec::new(),
            refusals: Vec::new(),
            connections: 0,
        },
    };
    loop {
        match member.session().await {
            Ok(()) => break,
            Err(error) => {
                if member.in_room {
                    send(
                        start.conductor,
                        Event::Lost(start.member, error.to_string()),
                    );
                } else {
                    member.report.refusals.push(format!("connecting: {error}"));
                    sleep(RETRY).await;
                }
                member.in_room = false;
                // If there is no server any more, nobody would ever hear of the end.
                if try_receive_matching(|order: &Order| matches!(order, Order::Leave)).is_some() {
                    break;
                }
            }
        }
    }
    send(start.conductor, Event::Report(Box::new(member.report)));
}

enum Step {
    Arrived(io::Result<()>),
    Told(Order),
}

struct Member {
    start: Start,
    room: String,
    in_room: bool,
    talk: Option<Talk>,
    /// The number of the message to say next.
    next: u32,
    /// The last message of each sender.
    order: HashMap<u32, Said>,
    known: HashSet<Said>,
    /// How many different messages of each round it has heard live.
    heard: HashMap<u8, u32>,
    report: Report,
}

impl Member {
    /// One connection, from connecting to its loss (an error) or to [`Order::Leave`].
    async fn session(&mut self) -> io::Result<()> {
        let mut wire = Wire::connect(self.start.address).await?;
        self.report.connections += 1;
        let name = nick(self.start.member);
        wire.send(&format!("NICK {name}\r\nUSER {name} 0 * :load"))
            .await?;
        // After a crash the old connection's nick may be taken for a moment longer.
        while let Err(error) = wire.expect(&["376", "422"]).await {
            if !error.to_string().contains(" 433 ") {
                return Err(error);
            }
            sleep(RETRY).await;
            wire.send(&format!("NICK {name}")).await?;
        }
        self.join(&mut wire).await?;
        loop {
            while let Some(line) = wire.take_line() {
                self.hear(&line, &mut wire).await?;
            }
            let step = or(async { Step::Told(receive::<Order>().await) }, async {
                Step::Arrived(wire.fill().await)
            })
            .await;
            match step {
                Step::Arrived(result) => result?,
                Step::Told(Order::Talk(talk)) => {
                    self.talk = Some(talk);
                    self.next = 0;
                    send_after(talk.delay, self_pid(), Order::Tick);
                }
                Step::Told(Order::Tick) => self.say(&mut wire).await?,
                Step::Told(Order::Join) => self.join(&mut wire).await?,
                Step::Told(Order::Leave) => {
                    // The report matters, the farewell does not.
                    let _ = wire.send("QUIT :done").await;
                    return Ok(());
                }
            }
        }
    }

    fn now(&self) -> Duration {
        self.start.epoch.elapsed()
    }

    async fn join(&mut self, wire: &mut Wire) -> io::Result<()> {
        wire.send(&format!("JOIN {}", self.room)).await
    }

    /// Says the next message of the round, and sets the timer for the one after.
    async fn say(&mut self, wire: &mut Wire) -> io::Result<()> {
        let Some(talk) = self.talk else { return Ok(()) };
        if !self.in_room {
            send_after(RETRY, self_pid(), Order::Tick);
            return Ok(());
        }
        let now = self.now();
        let number = self.next;
        self.next += 1;
        self.report.sent.entry(talk.stage).or_insert((0, now)).0 += 1;
        if self.next < talk.count {
            send_after(talk.pace, self_pid(), Order::Tick);
        } else {
            self.talk = None;
            send(
                self.start.conductor,
                Event::Said(self.start.member, talk.stage),
            );
        }
        wire.send(&format!(
            "PRIVMSG {} :{}",
            self.room,
            text(talk.stage, number, now)
        ))
        .await
    }

    async fn hear(&mut self, text: &str, wire: &mut Wire) -> io::Result<()> {
        let line = Line::parse(text);
        match line.command {
            "PRIVMSG" => {
                if let Some(sender) = member_of(line.nick)
                    && let Some((said, sent, replayed)) = parse_text(sender, line.text())
                {
                    self.note(said, sent, replayed);
                }
            }
            "PING" => wire.send(&format!("PONG :{}", line.text())).await?,
            "366" if !self.in_room => {
                self.in_room = true;
                send(self.start.conductor, Event::Joined);
            }
            "ERROR" => return Err(io::Error::other(text.to_owned())),
            _ if line.is_refusal() => {
                self.report.refusals.push(text.to_owned());
                if !self.in_room {
                    send_after(RETRY, self_pid(), Order::Join);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes down a message.
    fn note(&mut self, said: Said, sent: Duration, replayed: bool) {
        let name = nick(self.start.member);
        if replayed && self.report.connections == 1 {
            self.report
                .wrong
                .push(format!("{name} was in the room and saw {said:?} replayed"));
        }
        if replayed {
            // It may have heard it on an earlier connection.
            self.report.replayed.insert(said);
            self.known.insert(said);
        } else if !self.known.insert(said) {
            self.report.wrong.push(format!("{name} saw {said:?} twice"));
            return;
        }
        let last = self.order.insert(said.sender, said);
        if replayed {
            return;
        }
        if let Some(last) = last
            && last >= said
        {
            self.report
                .wrong
                .push(format!("{name} saw {said:?} after {last:?}"));
        }
        let now = self.now();
        self.report.deliveries.push(Delivery {
            said,
            took: now.saturating_sub(sent),
            at: now,
        });
        let heard = self.heard.entry(said.stage).or_insert(0);
        *heard += 1;
        if Some(*heard) == self.expected(said.stage) {
            send(
                self.start.conductor,
                Event::Heard(self.start.member, said.stage),
            );
        }
    }

    /// How many messages of a round it must hear; in the storm some may be lost.
    fn expected(&self, stage: u8) -> Option<u32> {
        match stage {
            CALM => Some(self.start.messages * self.start.others),
            STORM => None,
            _ => Some(self.start.others),
        }
    }
}
