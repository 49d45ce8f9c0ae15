//! A connection: one process that owns the socket of one client.
//!
//! It waits for the socket, its mailbox and the clock at once (`wait.rs`) and never for anything
//! else: questions to other processes are asked by short-lived helpers, rooms answer by message.
//! A client's commands are carried out one at a time and in order; while one waits for its
//! answer, messages of the rooms still get through.

mod bucket;
mod chaos;
mod commands;
mod mail;
mod membership;
mod names;
mod output;
mod queries;
mod registration;
mod speech;
mod turn;
mod wait;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::net::TcpStream;
use regrow::{ExitReason, MonitorRef, Pid, self_pid, unregister};

use crate::connection::bucket::Bucket;
use crate::connection::membership::Membership;
use crate::connection::output::Output;
use crate::connection::wait::{Event, wait};
use crate::irc::line::{Builder, Line};
use crate::irc::lines::LineBuffer;
use crate::irc::message::Message;
use crate::irc::names::nick_process;
use crate::irc::numeric::numeric;
use crate::room::protocol::{Leave, Profile, Uid};
use crate::server::{SERVER_NAME, Server};

/// Input that may wait for the client's turn; beyond it, a client that is being slowed down for
/// sending too fast is disconnected.
const INPUT_LIMIT: usize = 16 * 1024;
/// How many of its own words may be on their way before a client has to wait.
const WINDOW: usize = 64;
/// How long a JOIN may take.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);
/// How long the last words to a client may take.
const GOODBYE: Duration = Duration::from_millis(1_500);
/// How long a closing socket is still read, so that the client gets to see the last words: a
/// socket closed with unread input would throw them away.
const LINGER: Duration = Duration::from_millis(500);
/// Renames and quits that were shown lately; clients in several common rooms are told by each.
const RECENT_EVENTS: usize = 128;

/// Why the next command has to wait.
#[derive(Debug)]
enum Busy {
    /// It need not.
    No,
    /// A helper is asking others on the client's behalf.
    Asking(MonitorRef),
    /// A room has not yet let the client in.
    Joining { deadline: Instant },
    /// The client's own words must be delivered first.
    Settling { then: Then, deadline: Instant },
}

/// What is done when the client's own words are delivered.
#[derive(Debug)]
enum Then {
    Command(Message),
    Close(String),
    Nothing,
}

/// What of a connection's capabilities is switched on.
#[derive(Debug, Default, Clone, Copy)]
struct Caps {
    server_time: bool,
    echo_message: bool,
    /// CAP LS or REQ came before registration: wait for CAP END.
    negotiating: bool,
}

/// A connection that is being closed.
#[derive(Debug)]
struct Closing {
    deadline: Instant,
    reason: ExitReason,
}

/// The state of a connection.
struct Connection {
    server: Arc<Server>,
    supervisor: Pid,
    uid: Uid,
    host: Arc<str>,
    nick: Option<Arc<str>>,
    user: Option<Arc<str>>,
    real_name: Arc<[u8]>,
    invisible: bool,
    away: Option<Arc<[u8]>>,
    caps: Caps,
    /// Set once the client is registered.
    profile: Option<Arc<Profile>>,
    signed_on: i64,
    rooms: HashMap<Arc<str>, Membership>,
    /// The number of what the client said last.
    seq: i64,
    /// How much of what it said is not yet delivered.
    unsettled: usize,
    recent_events: VecDeque<(Uid, Option<Arc<str>>)>,
    busy: Busy,
    closing: Option<Closing>,
    input: LineBuffer,
    /// The client will send nothing more; what it has sent is still carried out.
    eof: bool,
    output: Output,
    bucket: Bucket,
    connected: Instant,
    heard: Instant,
    pinged: Option<Instant>,
    /// When the client last said something to others.
    spoke: Instant,
}

/// The body of a connection's process. It traps exits: `supervisor` is answered with a goodbye
/// to the client.
pub(crate) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    server: Arc<Server>,
    supervisor: Pid,
) -> ExitReason {
    // Lines are short and people wait for them; an error would show up again at the next write.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::new(server, peer.ip(), supervisor);
    loop {
        let now = Instant::now();
        connection.work(now);
        let event = if let Some(closing) = &connection.closing {
            if connection.output.pending() == 0 || closing.deadline <= now {
                break;
            }
            let deadline = Some(closing.deadline);
            wait(&stream, None, &mut connection.output, deadline).await
        } else {
            let deadline = connection.deadline(now);
            let input = connection.wants_input().then_some(&mut connection.input);
            wait(&stream, input, &mut connection.output, deadline).await
        };
        connection.on(event);
    }
    let reason = connection
        .closing
        .map_or(ExitReason::Normal, |closing| closing.reason);
    linger(&stream).await;
    reason
}

/// Lets the client read the last words before the socket is gone.
async fn linger(stream: &TcpStream) {
    if stream.shutdown(std::net::Shutdown::Write).is_err() {
        return;
    }
    let deadline = Instant::now() + LINGER;
    let mut input = LineBuffer::default();
    let mut nothing = Output::new(0);
    while Instant::now() < deadline {
        match wait(stream, Some(&mut input), &mut nothing, Some(deadline)).await {
            Event::Read => input = LineBuffer::default(),
            Event::Mail(_) | Event::Wrote => {}
            Event::Eof | Event::Failed(_) | Event::Overflow | Event::Deadline => return,
        }
    }
}

impl Connection {
    fn new(server: Arc<Server>, address: IpAddr, supervisor: Pid) -> Connection {
        let now = Instant::now();
        let config = &server.config;
        let host = match address.to_canonical() {
            // A parameter cannot begin with a colon.
            IpAddr::V6(v6) if v6.to_string().starts_with(':') => format!("0{v6}"),
            address => address.to_string(),
        };
        Connection {
            bucket: Bucket::new(config.flood_burst, config.flood_rate, now),
            output: Output::new(config.send_queue),
            uid: server.next_uid(),
            server,
            supervisor,
            host: host.into(),
            nick: None,
            user: None,
            real_name: Arc::default(),
            invisible: false,
            away: None,
            caps: Caps::default(),
            profile: None,
            signed_on: crate::clock::now_micros(),
            rooms: HashMap::new(),
            seq: 0,
            unsettled: 0,
            recent_events: VecDeque::new(),
            busy: Busy::No,
            closing: None,
            input: LineBuffer::default(),
            eof: false,
            connected: now,
            heard: now,
            pinged: None,
            spoke: now,
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Mail(mail) => self.mail(mail),
            Event::Read => {
                self.heard = Instant::now();
                self.pinged = None;
            }
            // It reads what it has asked for; a PING would come long after that.
            Event::Wrote if self.output.is_long() => {
                self.heard = Instant::now();
                self.pinged = None;
            }
            Event::Wrote => {}
            Event::Eof => self.eof = true,
            Event::Failed(error) => {
                let nobody_reads = Instant::now();
                let reason = match error.kind() {
                    std::io::ErrorKind::ConnectionReset => "Connection reset by peer".into(),
                    _ => format!("Connection broken: {error}"),
                };
                self.close(&reason, ExitReason::Normal);
                if let Some(closing) = &mut self.closing {
                    closing.deadline = nobody_reads;
                }
            }
            Event::Overflow => self.close("SendQ exceeded", ExitReason::Normal),
            Event::Deadline => self.on_deadline(Instant::now()),
        }
    }

    /// Says goodbye: to the rooms, to the client, and then ends with `exit`.
    fn close(&mut self, reason: &str, exit: ExitReason) {
        if self.closing.is_some() {
            return;
        }
        let leave = match exit {
            ExitReason::Normal => Leave::Quit(reason.as_bytes().into()),
            _ => Leave::Silent,
        };
        self.leave_all(&leave);
        if let Some(nick) = &self.nick {
            // The nick is free at once, not only when the last words are read.
            let _ = unregister(&nick_process(nick));
        }
        if self.output.is_long() {
            // Only the last words still matter, and there is little time for them.
            self.output.clear_waiting();
        }
        let text = format!("Closing Link: {} ({reason})", self.host);
        self.closing = Some(Closing {
            deadline: Instant::now() + GOODBYE,
            reason: exit,
        });
        self.output
            .push(Builder::bare("ERROR").trailing(text).line());
    }

    /// Queues a line for the client.
    fn push(&mut self, line: Line) {
        if self.closing.is_none() {
            self.output.push(line);
        }
    }

    /// Queues a line of an answer that may be long. The next command waits until most of it is
    /// written.
    fn push_answer(&mut self, line: Line) {
        if self.closing.is_none() {
            self.output.push_answer(line);
        }
    }

    /// Queues a numeric reply.
    fn reply(&mut self, code: u16, rest: impl FnOnce(Builder) -> Builder) {
        let start = numeric(SERVER_NAME, self.nick_or_star(), code);
        self.push(rest(start).line());
    }

    /// Queues a notice of the server to the client.
    fn notice(&mut self, text: &str) {
        let line = Builder::from(SERVER_NAME, "NOTICE")
            .param(self.nick_or_star())
            .trailing(text);
        self.push(line.line());
    }

    fn nick_or_star(&self) -> &str {
        self.nick.as_deref().unwrap_or("*")
    }

    /// A fresh profile after something about the client has changed; all its rooms get it.
    fn renew_profile(&mut self) {
        let (Some(nick), Some(user)) = (&self.nick, &self.user) else {
            return;
        };
        let profile = Arc::new(Profile {
            uid: self.uid,
            pid: self_pid(),
            nick: Arc::clone(nick),
            user: Arc::clone(user),
            host: Arc::clone(&self.host),
            real_name: Arc::clone(&self.real_name),
            away: self.away.clone(),
            invisible: self.invisible,
        });
        self.tell_rooms(&profile);
        self.profile = Some(profile);
    }
}
