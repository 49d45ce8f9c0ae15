//! A room: its members, what it has shown them lately, and what is on its way to the database.
//!
//! What members say goes through the [`Outbox`]: it is stored, then shown. Members say again to
//! the next incarnation what this one had not shown when it crashed.

mod members;
mod outbox;
pub(crate) mod protocol;
mod ring;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::{
    ChildSpec, Context, DynamicSupervisorRef, ExitReason, GenServer, Info, MonitorRef, Next, Pid,
    Restart, StartChildError, receive, self_pid, send, send_after, send_named, sleep, spawn_link,
    whereis,
};

use crate::cache::{CACHE, CacheMessage};
use crate::clock;
use crate::db::{DB_POOL, PoolMessage, Post, Recent, StoreError, Ticket, Topic};
use crate::irc::line::Builder;
use crate::irc::names::RoomName;
use crate::room::outbox::{Accepted, Outbox, Todo};
use crate::room::protocol::{
    Entry, Leave, Profile, RoomMessage, Say, SayKind, ToConnection, Uid, What,
};
use crate::room::ring::Ring;
use crate::server::{SERVER_NAME, Server};
use crate::tree::ROOM_SUP;

/// How long a new room waits for its past before it lets members in without.
const PAST_WAIT: Duration = Duration::from_secs(1);
/// How soon a batch that got lost is sent again.
const RETRY_LOST: Duration = Duration::from_millis(50);
/// How soon it is tried again while nobody waits for it, or after the database has refused it.
const RETRY_REFUSED: Duration = Duration::from_secs(1);

/// Why there is no process of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// There are as many rooms as there may be.
    TooMany,
    /// It is not possible just now (chat_room_sup is restarting, for example).
    NotNow,
}

/// The process of the room with this name, started if need be.
pub(crate) async fn open(server: &Arc<Server>, name: &RoomName) -> Result<Pid, OpenError> {
    let process = name.process();
    if let Some(pid) = whereis(&process) {
        return Ok(pid);
    }
    let args = (name.clone(), Arc::clone(server));
    let start = move || Room::start_link(args.clone()).name(process.clone());
    let spec = ChildSpec::new(Arc::clone(name.key()), start).restart(Restart::Transient);
    match DynamicSupervisorRef::named(ROOM_SUP)
        .start_child(spec)
        .await
    {
        Ok(pid) | Err(StartChildError::AlreadyStarted(pid)) => Ok(pid),
        // Somebody else may have got the last place for the same room.
        Err(StartChildError::MaxChildren) => whereis(&name.process()).ok_or(OpenError::TooMany),
        Err(_) => Err(OpenError::NotNow),
    }
}

/// A member, and whether it was one of the incarnation before.
#[derive(Debug)]
struct Member {
    profile: Arc<Profile>,
    monitor: MonitorRef,
    returned: bool,
}

/// The state of a room.
pub(crate) struct Room {
    name: RoomName,
    server: Arc<Server>,
    created: i64,
    topic: Option<Arc<Topic>>,
    members: BTreeMap<Uid, Member>,
    uids: HashMap<Pid, Uid>,
    /// Members that have left and whose last words are still to be shown.
    leaving: Vec<(Uid, Leave)>,
    ring: Ring,
    outbox: Outbox,
    /// The newest time that was given to a post.
    last_at: i64,
    /// Whether the past was waited for, and whether it has come.
    past_awaited: bool,
    past_known: bool,
    /// Nothing is sent to the database before this.
    hold_until: Instant,
    /// When the next `StoreTimer` comes.
    store_timer: Option<Instant>,
    empty_since: Option<Instant>,
    /// It had members, and the last one has left.
    deserted: bool,
}

impl GenServer for Room {
    type Args = (RoomName, Arc<Server>);
    type Message = RoomMessage;

    async fn init(
        (name, server): (RoomName, Arc<Server>),
        _: &mut Context<Self>,
    ) -> Result<Self, ExitReason> {
        // A helper asks for the past; the supervisor is not kept waiting.
        let room = self_pid();
        let key = Arc::clone(name.key());
        spawn_link(async move { send(room, RoomMessage::Loaded(past(&key).await)) });
        send_after(server.config.room_idle, room, RoomMessage::IdleTimer);
        let now = Instant::now();
        Ok(Room {
            outbox: Outbox::new(server.config.history_queue, server.config.history_wait),
            created: clock::now_micros(),
            topic: None,
            members: BTreeMap::new(),
            uids: HashMap::new(),
            leaving: Vec::new(),
            ring: Ring::default(),
            last_at: 0,
            past_awaited: false,
            past_known: false,
            hold_until: now,
            store_timer: None,
            empty_since: Some(now),
            deserted: false,
            name,
            server,
        })
    }

    async fn handle(&mut self, message: RoomMessage, _: &mut Context<Self>) -> Next {
        if !std::mem::replace(&mut self.past_awaited, true)
            && !matches!(message, RoomMessage::Loaded(_))
        {
            let past = receive().matching(|m| matches!(m, RoomMessage::Loaded(_)));
            if let Ok(RoomMessage::Loaded(recent)) = past.timeout(PAST_WAIT).await {
                self.loaded(recent);
            }
        }
        match message {
            RoomMessage::Join { profile, seen } => self.join(profile, seen),
            RoomMessage::Say { from, say } => self.say(from, say),
            RoomMessage::Leave { from, how } => self.leave(from, how),
            RoomMessage::Update(profile) => self.update(profile),
            RoomMessage::Look(reply) => reply.send(self.look()),
            RoomMessage::Stored { batch, result } => self.stored(batch, result),
            RoomMessage::Loaded(recent) => self.loaded(recent),
            RoomMessage::StoreTimer => self.store_timer(),
            RoomMessage::IdleTimer => return self.idle_timer(),
            RoomMessage::Crash { by } => panic!("{by} asked {} to crash", self.name.shown()),
        }
        self.go_on()
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<Self>) -> Next {
        if let Info::Down(down) = info {
            self.down(down.pid, &down.reason);
        }
        self.go_on()
    }
}

/// What is known of a room's past, as soon as somebody can tell.
async fn past(room: &Arc<str>) -> Recent {
    loop {
        // First everything that the incarnation before had sent to be stored, then the question:
        // so the answer has it.
        if DB_POOL.server_ref().call(PoolMessage::Flush).await.is_ok() {
            let ask = |reply| CacheMessage::Recent {
                room: Arc::clone(room),
                reply,
            };
            if let Ok(recent) = CACHE.server_ref().call(ask).await {
                return recent;
            }
        }
        sleep(RETRY_LOST).await;
    }
}

impl Room {
    fn loaded(&mut self, recent: Recent) {
        let in_time = self.members.is_empty();
        let to_entry = |post: Arc<Post>| {
            let line = post.line(self.name.shown());
            Arc::new(Entry {
                room: Arc::clone(self.name.key()),
                what: What::Post(post),
                line,
            })
        };
        let past = recent.posts.into_iter().map(to_entry).collect();
        self.ring.load(past, in_time, Instant::now());
        self.last_at = self.last_at.max(self.ring.last());
        if self.topic.is_none() {
            self.topic = recent.topic.filter(|topic| !topic.text.is_empty());
        }
        self.past_known = true;
        if !in_time {
            self.notice("the history of this room is available again");
        }
    }

    /// A member says something: it is stored, then shown to all.
    fn say(&mut self, from: Uid, say: Say) {
        let Some(member) = self.members.get(&from) else {
            return;
        };
        let profile = Arc::clone(&member.profile);
        let room = Arc::clone(self.name.key());
        if self.ring.is_repeated(from, say.seq) && say.kind != SayKind::Topic {
            // It was shown by, or got lost with nobody but, the incarnation before; who comes
            // back gets it from the ring.
            send(profile.pid, ToConnection::Delivered { room, seq: say.seq });
            return;
        }
        self.last_at = clock::now_micros().max(self.last_at + 1);
        let entry = self.entry(&profile, &say);
        let now = Instant::now();
        match self.outbox.accept(Arc::new(entry), now) {
            Accepted::Queued => {}
            Accepted::DeliverNow(entry) => self.show(entry),
            Accepted::Refused => {
                let why = "too many messages wait for the history to come back";
                send(
                    profile.pid,
                    ToConnection::Refused {
                        room,
                        seq: say.seq,
                        why,
                    },
                );
            }
        }
        self.pump(now);
    }

    fn entry(&self, profile: &Profile, say: &Say) -> Entry {
        let room = Arc::clone(self.name.key());
        match say.kind {
            SayKind::Post(kind) => {
                let post = Post {
                    room: Arc::clone(&room),
                    at: self.last_at,
                    sender: profile.uid,
                    seq: say.seq,
                    kind,
                    prefix: profile.prefix().into(),
                    text: Arc::clone(&say.text),
                };
                let line = post.line(self.name.shown());
                Entry {
                    room,
                    what: What::Post(Arc::new(post)),
                    line,
                }
            }
            SayKind::Topic => {
                let topic = Topic {
                    room: Arc::clone(&room),
                    at: self.last_at,
                    setter: Arc::clone(&profile.nick),
                    text: Arc::clone(&say.text),
                };
                let line = Builder::from(&profile.prefix(), "TOPIC")
                    .param(self.name.shown().as_bytes())
                    .trailing(&say.text)
                    .at(self.last_at)
                    .line();
                let topic = Arc::new(topic);
                Entry {
                    room,
                    what: What::Topic {
                        topic,
                        sender: profile.uid,
                        seq: say.seq,
                    },
                    line,
                }
            }
        }
    }

    /// Shows an entry to all members, to the one who said it last: it takes that as the sign
    /// that all have it.
    fn show(&mut self, entry: Arc<Entry>) {
        if let What::Topic { topic, .. } = &entry.what {
            self.topic = (!topic.text.is_empty()).then(|| Arc::clone(topic));
        }
        self.ring.push(Arc::clone(&entry), Instant::now());
        let author = entry.origin().map(|(sender, _)| sender);
        for (uid, member) in &self.members {
            if Some(*uid) != author {
                send(member.profile.pid, ToConnection::Entry(Arc::clone(&entry)));
            }
        }
        if let Some(member) = author.and_then(|uid| self.members.get(&uid)) {
            send(member.profile.pid, ToConnection::Entry(entry));
        }
    }

    /// The server says something to all members.
    fn notice(&mut self, text: &str) {
        let line = Builder::from(SERVER_NAME, "NOTICE")
            .param(self.name.shown().as_bytes())
            .trailing(text)
            .at(clock::now_micros())
            .line();
        let room = Arc::clone(self.name.key());
        self.show(Arc::new(Entry {
            room,
            what: What::Notice,
            line,
        }));
    }

    fn stored(&mut self, batch: u64, result: Result<(), StoreError>) {
        let now = Instant::now();
        self.hold_until = match &result {
            Ok(()) => now,
            Err(StoreError::Lost) if self.outbox.is_away() => now + RETRY_REFUSED,
            Err(StoreError::Lost) => now + RETRY_LOST,
            Err(StoreError::Refused(_)) => now + RETRY_REFUSED,
        };
        let todo = self.outbox.answered(batch, result);
        self.carry_out(todo);
        self.pump(now);
    }

    fn carry_out(&mut self, todo: Todo) {
        if let Some(why) = todo.gone {
            tracing::warn!(target: "chat::room", room = %self.name.shown(), %why, "goes on without history");
            self.notice(&format!("chat goes on without history: {why}"));
        }
        for entry in todo.deliver {
            self.show(entry);
        }
        self.let_go();
        if let Some(lost) = todo.back {
            tracing::info!(target: "chat::room", room = %self.name.shown(), lost, "history is back");
            match lost {
                0 => self.notice("the history is back, and nothing is missing from it"),
                n => self.notice(&format!(
                    "the history is back; {n} messages are missing from it"
                )),
            }
        }
    }

    /// Sends the next batch to the database, if it is time, and sets the timer for what waits.
    fn pump(&mut self, now: Instant) {
        if now >= self.hold_until
            && let Some((batch, records)) = self.outbox.next_batch()
        {
            let ticket = Ticket::new(self_pid(), batch);
            // Without a pool the message, and the ticket in it, is dropped: `Stored` says so.
            let _ = send_named(DB_POOL.as_str(), PoolMessage::Store { records, ticket });
        }
        let retry = (now < self.hold_until && !self.outbox.is_empty()).then_some(self.hold_until);
        let Some(next) = retry.into_iter().chain(self.outbox.deadline()).min() else {
            return;
        };
        if self.store_timer.is_none_or(|armed| next < armed) {
            self.store_timer = Some(next);
            let after = next.saturating_duration_since(now);
            send_after(after, self_pid(), RoomMessage::StoreTimer);
        }
    }

    fn store_timer(&mut self) {
        let now = Instant::now();
        self.store_timer = None;
        let todo = self.outbox.look(now);
        self.carry_out(todo);
        self.pump(now);
    }

    /// A room that its last member has left, in which nothing was ever said and which has no
    /// topic, is worth nothing to anybody: it ends at once. Who is on the way in finds the next.
    fn go_on(&self) -> Next {
        let untouched = self.last_at == 0 && self.topic.is_none() && self.outbox.is_empty();
        if self.deserted && self.past_known && untouched {
            Next::Stop(ExitReason::Normal)
        } else {
            Next::Continue
        }
    }

    fn idle_timer(&mut self) -> Next {
        let idle = self.server.config.room_idle;
        match self.empty_since {
            Some(since) if since.elapsed() >= idle && self.outbox.is_empty() => {
                Next::Stop(ExitReason::Normal)
            }
            Some(_) => {
                send_after(idle, self_pid(), RoomMessage::IdleTimer);
                Next::Continue
            }
            None => Next::Continue,
        }
    }
}
