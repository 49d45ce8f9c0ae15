//! What a story of servers is: what clients do to them, and what their callbacks do.

use super::codec::{Coded, coded_enum, coded_struct, fields, tagged, wrong};
use crate::term::{Term, TermError};

/// Up to three servers, three clients and two bystanders, and a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStory {
    /// One after the other; before each, everything has come to rest.
    pub steps: Vec<ServerStep>,
}

coded_enum! {
    /// A server; started by clients, again and again if they like.
    #[derive(Copy)]
    Server {
        /// The first.
        A = "a",
        /// The second.
        B = "b",
        /// The third.
        C = "c",
    }
}

coded_enum! {
    /// A process that uses servers. The first two trap exits. One that has ended is followed by
    /// another when it has something to do.
    #[derive(Copy)]
    Client {
        /// Traps exits.
        One = "c1",
        /// Traps exits.
        Two = "c2",
        /// Does not: it has one linked server at a time and monitors nobody.
        Three = "c3",
    }
}

coded_enum! {
    /// A bystander: traps exits, and servers link themselves to it or monitor it.
    #[derive(Copy, Hash)]
    Friend {
        /// The first.
        One = "f1",
        /// The second.
        Two = "f2",
    }
}

coded_enum! {
    /// Whoever can be ended.
    #[derive(Copy)]
    Who {
        /// The latest process of a server.
        Server(server: Server) = "server",
        /// A client.
        Client(client: Client) = "client",
        /// A bystander.
        Friend(friend: Friend) = "friend",
    }
}

coded_enum! {
    /// How a server is reached.
    #[derive(Copy)]
    To {
        /// By the pid of its latest process, dead or alive.
        Pid(server: Server) = "pid",
        /// By its name, whether it has it or not.
        Name(server: Server) = "name",
    }
}

coded_enum! {
    /// Exit reasons.
    #[derive(Copy)]
    Why {
        /// `normal`
        Normal = "normal",
        /// `shutdown`
        Shutdown = "shutdown",
        /// `{shutdown, x}`
        ShutdownWith = "shutdown_x",
        /// An error.
        Boom = "boom",
        /// As a signal it cannot be trapped; as a reason of one's own it is like any other.
        Kill = "kill",
    }
}

coded_enum! {
    /// How long somebody waits: in virtual time, or in a real time that is never close.
    #[derive(Copy)]
    Time {
        /// Not at all.
        Zero = "zero",
        /// A moment, which is over before the next step.
        Soon = "soon",
        /// Longer than the story lasts.
        Never = "never",
    }
}

coded_enum! {
    /// What a callback answers besides: how the server waits.
    Act {
        /// For ever.
        None = "none",
        /// With an idle timeout.
        Timeout(time: Time) = "timeout",
        /// Hibernating.
        Hibernate = "hibernate",
        /// Not yet: `handle_continue` runs this first.
        Continue(script: Box<Script>) = "continue",
    }
}

coded_enum! {
    /// How a callback ends.
    Then {
        /// Goes on. A request that has not been answered is kept.
        Go(act: Act) = "go",
        /// Answers the request, if it is one, and goes on.
        Reply(act: Act) = "reply",
        /// Throws what it would have answered to go on, which is the same in Erlang.
        Throw(act: Act) = "throw",
        /// Stops.
        Stop(why: Why) = "stop",
        /// Stops with an answer.
        StopReply(why: Why) = "stop_reply",
        /// Calls `exit`.
        Exit(why: Why) = "exit",
        /// Panics; in Erlang `error(..)`.
        Crash = "crash",
        /// In `init`: `ignore`.
        Ignore = "ignore",
    }
}

coded_enum! {
    /// What a callback does.
    Action {
        /// Waits until a step releases it.
        Gate = "gate",
        /// Answers the request that it is given, before it ends.
        ReplyNow = "reply_now",
        /// Answers a request that was kept.
        ReplyKept(number: u32) = "reply_kept",
        /// Calls the server that it is in.
        CallSelf = "call_self",
        /// Calls a server; if that is strict, a failure is an exit. Impatient, it gives up soon if the
        /// other is stuck.
        Call(to: To, message: Message, strict: bool, impatient: bool) = "call",
        /// Casts.
        Cast(to: To, message: Message) = "cast",
        /// Traps exits from now on, or no more.
        Trap(on: bool) = "trap",
        /// Links itself to a bystander that is there.
        Link(friend: Friend) = "link",
        /// The contrary.
        Unlink(friend: Friend) = "unlink",
        /// Monitors a bystander that is there.
        Monitor(friend: Friend) = "monitor",
        /// The contrary.
        Demonitor(friend: Friend) = "demonitor",
    }
}

coded_struct! {
    /// What a callback does and answers.
    Script = "script" {
        /// One after the other.
        does: Vec<Action>,
        /// At last.
        then: Then,
    }
}

coded_struct! {
    /// A message, which brings along what its callback does.
    Message = "message" {
        /// No other message of the story has it.
        number: u32,
        /// What `handle_call`, `handle_cast` or `handle_info` does.
        script: Script,
    }
}

coded_struct! {
    /// A server before it has got any message.
    Plan = "plan" {
        /// Whether it traps exits from the beginning.
        trap: bool,
        /// What `init` does.
        init: Script,
        /// What it does when an idle timeout comes.
        timeout: Script,
        /// What it does when somebody else's exit or a `DOWN` comes.
        exit: Then,
        /// What `terminate` does.
        terminate: Script,
    }
}

coded_enum! {
    /// The ways to start a server.
    #[derive(Copy)]
    How {
        /// `start`
        Start = "start",
        /// `start_link`
        Link = "link",
        /// `start_monitor`
        Monitor = "monitor",
    }
}

coded_enum! {
    /// The ways to look for a response.
    #[derive(Copy)]
    Look {
        /// `receive_response`: what is late is abandoned.
        Receive(time: Time) = "take",
        /// `wait_response`: what is late may be asked for again.
        Wait(time: Time) = "wait",
        /// `check_response`
        Check = "check",
    }
}

coded_enum! {
    /// System messages.
    #[derive(Copy)]
    Sys {
        /// `suspend`
        Suspend = "suspend",
        /// `resume`
        Resume = "resume",
        /// `get_state`
        GetState = "get_state",
        /// `replace_state`: the number of messages grows by 100.
        ReplaceState = "replace_state",
        /// `replace_state` with a function that fails.
        ReplaceBadly = "replace_badly",
    }
}

coded_enum! {
    /// What a client does.
    Op {
        /// Starts a server, under its name or without. Impatient: `init` may take a moment, if it
        /// is one that waits for a release.
        Start(server: Server, how: How, named: bool, impatient: bool, plan: Box<Plan>) = "start",
        /// `cast`
        Cast(to: To, message: Message) = "cast",
        /// A message that is neither a call nor a cast.
        Send(to: To, message: Message) = "send",
        /// Casts to several servers.
        Abcast(to: Vec<Server>, message: Message) = "abcast",
        /// `call`; impatient, it gives up soon if the server is stuck or will not answer.
        Call(to: To, message: Message, impatient: bool) = "call",
        /// Calls several servers, by their names.
        MultiCall(to: Vec<Server>, message: Message) = "multi_call",
        /// `send_request`, for a label: what had it before is forgotten.
        Request(to: To, message: Message, label: u32) = "request",
        /// Looks for the response to it.
        Response(label: u32, look: Look) = "response",
        /// `send_request` into the client's collection.
        Collect(to: To, message: Message, label: u32) = "collect",
        /// Looks for a response to any of the collection, and whether it is deleted then.
        Any(look: Look, delete: bool) = "any",
        /// Answers a request that the server has kept.
        Reply(server: Server, number: u32) = "reply",
        /// `stop`; impatient, it gives up soon if the server is stuck or waits in `terminate`.
        Stop(to: To, why: Why, impatient: bool) = "stop",
        /// A system message.
        Sys(to: To, sys: Sys) = "sys",
    }
}

coded_enum! {
    /// Something that happens.
    ServerStep {
        /// A client does something, if it is not waiting for anything.
        Do(client: Client, op: Op) = "do",
        /// A server, if it waits in a callback, goes on.
        Release(server: Server) = "release",
        /// Somebody gets an exit signal from a stranger.
        Exit(who: Who, why: Why) = "exit",
        /// A client or a bystander ends by itself.
        End(who: Who, why: Why) = "finish",
    }
}

impl ServerStory {
    /// The story as a term.
    pub fn term(&self) -> Term {
        self.steps.term()
    }

    /// Reads what [`term`](ServerStory::term) has written.
    ///
    /// # Errors
    ///
    /// If the term is no story of servers.
    pub fn read(term: &Term) -> Result<Self, TermError> {
        let steps = Vec::read(term)?;
        Ok(ServerStory { steps })
    }
}

impl Script {
    /// Goes on.
    pub(super) fn nothing() -> Self {
        Script {
            does: Vec::new(),
            then: Then::Go(Act::None),
        }
    }

    pub(super) fn message(self, number: u32) -> Message {
        let script = self;
        Message { number, script }
    }

    /// Whether it is sure that no reply comes of it, now or by the server alone.
    pub(super) fn keeps_silent(&self) -> bool {
        let waits = [Act::None, Act::Hibernate, Act::Timeout(Time::Never)];
        self.does.is_empty() && matches!(&self.then, Then::Go(act) if waits.contains(act))
    }

    /// Whether the first thing that it does is to wait for a release.
    pub(super) fn is_gated(&self) -> bool {
        self.does.first() == Some(&Action::Gate)
    }
}
