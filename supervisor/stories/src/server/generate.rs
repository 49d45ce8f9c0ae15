//! Random stories of servers.

use super::story::*;
use crate::random::Random;

/// The story that this seed gives.
pub fn generate(seed: u64) -> ServerStory {
    let mut maker = Maker {
        random: Random::new(seed),
        messages: 0,
        gated: Vec::new(),
        keeps_entries: false,
        suspends: false,
    };
    maker.keeps_entries = maker.random.percent(35);
    maker.suspends = maker.random.percent(50);
    let mut steps = Vec::new();
    for server in [Server::A, Server::B] {
        if maker.random.percent(85) {
            let client = maker.client();
            let op = maker.start(server);
            steps.push(ServerStep::Do(client, op));
        }
    }
    for _ in 0..maker.random.range(4, 16) {
        match maker.random.percent(8) {
            true => maker.scene(&mut steps),
            false => {
                let step = maker.step();
                steps.push(step);
            }
        }
    }
    ServerStory { steps }
}

struct Maker {
    random: Random,
    messages: u32,
    /// Servers that may be waiting for a release.
    gated: Vec<Server>,
    keeps_entries: bool,
    /// Servers are suspended; if not, they hibernate. OTP's server does not rest if it was suspended
    /// while it hibernated and a message comes: it wakes, leaves the message and sleeps, for ever.
    suspends: bool,
}

/// Where a script is: not everything makes sense everywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Init,
    /// A call, a cast, or another message; nested so deep.
    Message(u32),
    Continue(u32),
    /// An idle timeout, after which there must not be another one soon.
    Timeout,
    Terminate,
}

impl Maker {
    fn client(&mut self) -> Client {
        self.random
            .pick(&[(4, Client::One), (3, Client::Two), (2, Client::Three)])
    }

    fn server(&mut self) -> Server {
        self.random
            .pick(&[(5, Server::A), (4, Server::B), (1, Server::C)])
    }

    fn friend(&mut self) -> Friend {
        self.random.pick(&[(2, Friend::One), (1, Friend::Two)])
    }

    fn to(&mut self) -> To {
        let server = self.server();
        match self.random.percent(60) {
            true => To::Pid(server),
            false => To::Name(server),
        }
    }

    fn why(&mut self) -> Why {
        self.random.pick(&[
            (4, Why::Boom),
            (3, Why::Normal),
            (2, Why::Shutdown),
            (2, Why::ShutdownWith),
            (1, Why::Kill),
        ])
    }

    fn time(&mut self) -> Time {
        self.random
            .pick(&[(2, Time::Zero), (3, Time::Soon), (2, Time::Never)])
    }

    /// Steps that chance seldom puts together.
    fn scene(&mut self, steps: &mut Vec<ServerStep>) {
        let (client, server) = (
            self.client(),
            self.random.pick(&[(1, Server::A), (1, Server::B)]),
        );
        let to = To::Pid(server);
        let act = |op| ServerStep::Do(client, op);
        match self.random.below(4) {
            // The parent of a suspended server ends.
            0 if self.suspends => {
                let mut start = self.start(server);
                if let Op::Start(_, how, _, _, plan) = &mut start {
                    (*how, plan.trap, plan.init) = (How::Link, true, Script::nothing());
                }
                steps.push(act(start));
                steps.push(ServerStep::Do(Client::Two, Op::Sys(to, Sys::Suspend)));
                let why = self.why();
                steps.push(ServerStep::End(Who::Client(client), why));
            }
            // A system message waits when an idle timeout begins.
            1 => {
                let time = Time::Soon;
                let mut script = Script::nothing();
                script.does.push(Action::Gate);
                script.then = Then::Go(Act::Timeout(time));
                self.messages += 1;
                steps.push(act(Op::Cast(to, script.message(self.messages))));
                steps.push(act(Op::Sys(to, Sys::GetState)));
                steps.push(ServerStep::Release(server));
            }
            // A response is looked for twice in a collection that keeps it.
            2 if self.keeps_entries => {
                self.messages += 1;
                let mut script = Script::nothing();
                script.then = Then::Reply(Act::None);
                steps.push(act(Op::Collect(to, script.message(self.messages), 1)));
                steps.push(act(Op::Any(Look::Check, false)));
                steps.push(act(Op::Any(Look::Wait(Time::Zero), false)));
            }
            // A reply with a stop, and a server that waits in terminate.
            _ => {
                let mut start = self.start(server);
                if let Op::Start(_, _, _, _, plan) = &mut start {
                    plan.init = Script::nothing();
                    plan.terminate.does.insert(0, Action::Gate);
                }
                steps.push(act(start));
                self.messages += 1;
                let mut script = Script::nothing();
                script.then = Then::StopReply(self.why());
                steps.push(act(Op::Call(to, script.message(self.messages), false)));
                steps.push(ServerStep::Release(server));
            }
        }
    }

    fn step(&mut self) -> ServerStep {
        if !self.gated.is_empty() && self.random.percent(25) {
            let server = self.gated.remove(0);
            return ServerStep::Release(server);
        }
        match self.random.below(100) {
            0..82 => {
                let client = self.client();
                let op = self.op();
                ServerStep::Do(client, op)
            }
            82..86 => {
                let server = self.server();
                ServerStep::Release(server)
            }
            86..95 => {
                let who = match self.random.below(10) {
                    0..6 => Who::Server(self.server()),
                    6..8 => Who::Client(self.client()),
                    _ => Who::Friend(self.friend()),
                };
                ServerStep::Exit(who, self.why())
            }
            _ => {
                let who = match self.random.percent(50) {
                    true => Who::Client(self.client()),
                    false => Who::Friend(self.friend()),
                };
                ServerStep::End(who, self.why())
            }
        }
    }

    fn op(&mut self) -> Op {
        let impatient = self.random.percent(40);
        match self.random.below(100) {
            0..12 => {
                let server = self.server();
                self.start(server)
            }
            12..27 => {
                let to = self.to();
                Op::Cast(to, self.message(to))
            }
            27..31 => {
                let to = self.to();
                Op::Send(to, self.message(to))
            }
            31..33 => {
                let servers = self.servers();
                Op::Abcast(servers, self.plain())
            }
            33..57 => {
                let to = self.to();
                Op::Call(to, self.message(to), impatient)
            }
            57..60 => {
                let servers = self.servers();
                Op::MultiCall(servers, self.plain())
            }
            60..66 => {
                let to = self.to();
                Op::Request(to, self.message(to), self.random.range(1, 2))
            }
            66..71 => Op::Response(self.random.range(1, 2), self.look(true)),
            71..76 => {
                let to = self.to();
                Op::Collect(to, self.message(to), self.random.range(1, 3))
            }
            76..81 => {
                // Who keeps entries does not wait for ever: nothing more comes of them.
                let delete = !self.keeps_entries || self.random.percent(40);
                Op::Any(self.look(!self.keeps_entries), delete)
            }
            81..85 => {
                let number = self.earlier();
                Op::Reply(self.server(), number)
            }
            85..91 => Op::Stop(self.to(), self.why(), impatient),
            _ => {
                let suspends = u32::from(self.suspends);
                let sys = self.random.pick(&[
                    (4 * suspends, Sys::Suspend),
                    (5 * suspends, Sys::Resume),
                    (3, Sys::GetState),
                    (2, Sys::ReplaceState),
                    (1, Sys::ReplaceBadly),
                ]);
                Op::Sys(self.to(), sys)
            }
        }
    }

    fn look(&mut self, may_wait: bool) -> Look {
        let time = match self.random.percent(if may_wait { 15 } else { 0 }) {
            true => Time::Never,
            false => self.random.pick(&[(1, Time::Zero), (2, Time::Soon)]),
        };
        self.random.pick(&[
            (3, Look::Receive(time)),
            (3, Look::Wait(time)),
            (3, Look::Check),
        ])
    }

    fn servers(&mut self) -> Vec<Server> {
        let all = [Server::A, Server::B, Server::C];
        let some: Vec<_> = all
            .into_iter()
            .filter(|_| self.random.percent(70))
            .collect();
        if some.is_empty() { all.to_vec() } else { some }
    }

    /// The number of a message that has been sent before, as a rule.
    fn earlier(&mut self) -> u32 {
        let last = self.messages.max(1);
        self.random.range(last.saturating_sub(5).max(1), last)
    }

    fn start(&mut self, server: Server) -> Op {
        let how = self
            .random
            .pick(&[(3, How::Start), (6, How::Link), (2, How::Monitor)]);
        let (named, impatient) = (self.random.percent(60), self.random.percent(50));
        let init = self.script(Place::Init);
        let terminate = self.script(Place::Terminate);
        if init.is_gated() || terminate.is_gated() {
            self.gated.push(server);
        }
        let plan = Plan {
            trap: self.random.percent(60),
            init,
            timeout: self.script(Place::Timeout),
            exit: match self.random.percent(75) {
                true => Then::Go(Act::None),
                false => Then::Stop(self.why()),
            },
            terminate,
        };
        Op::Start(server, how, named, impatient, Box::new(plan))
    }

    fn message(&mut self, to: To) -> Message {
        let (To::Pid(server) | To::Name(server)) = to;
        let message = self.nested(0);
        if message.script.does.contains(&Action::Gate) {
            self.gated.push(server);
        }
        message
    }

    fn nested(&mut self, depth: u32) -> Message {
        self.messages += 1;
        let number = self.messages;
        self.script(Place::Message(depth)).message(number)
    }

    /// One that several servers get at the same time.
    fn plain(&mut self) -> Message {
        self.messages += 1;
        let then = self.random.pick(&[
            (6, Then::Reply(Act::None)),
            (1, Then::Stop(Why::Boom)),
            (1, Then::StopReply(Why::Shutdown)),
        ]);
        let script = Script {
            does: Vec::new(),
            then,
        };
        script.message(self.messages)
    }

    fn script(&mut self, place: Place) -> Script {
        let count = match place {
            Place::Message(_) => self.random.pick(&[(5, 0), (4, 1), (2, 2), (1, 3)]),
            Place::Init | Place::Continue(_) => self.random.pick(&[(6, 0), (2, 1), (1, 2)]),
            Place::Timeout | Place::Terminate => self.random.pick(&[(6, 0), (1, 1)]),
        };
        let mut does: Vec<_> = (0..count).map(|_| self.action(place)).collect();
        if place == Place::Init && self.random.percent(10) {
            does.insert(0, Action::Gate);
        }
        let then = self.then(place);
        Script { does, then }
    }

    fn action(&mut self, place: Place) -> Action {
        let depth = match place {
            Place::Message(depth) | Place::Continue(depth) => depth,
            _ => 1,
        };
        match self.random.below(100) {
            0..24 => Action::Gate,
            24..36 => Action::ReplyNow,
            36..50 => Action::ReplyKept(self.earlier()),
            50..54 => Action::CallSelf,
            54..68 if depth < 2 => {
                let (strict, impatient) = (self.random.percent(50), self.random.percent(50));
                Action::Call(self.to(), self.nested(depth + 1), strict, impatient)
            }
            68..74 if depth < 2 => Action::Cast(self.to(), self.nested(depth + 1)),
            74..79 => Action::Trap(self.random.percent(50)),
            79..87 => Action::Link(self.friend()),
            87..90 => Action::Unlink(self.friend()),
            90..97 => Action::Monitor(self.friend()),
            _ => Action::Demonitor(self.friend()),
        }
    }

    fn then(&mut self, place: Place) -> Then {
        let why = self.why();
        let act = self.act(place);
        let choices = match place {
            Place::Init => [70, 0, 5, 7, 0, 6, 5, 7],
            Place::Message(_) => [26, 38, 5, 9, 9, 7, 6, 0],
            Place::Continue(_) => [75, 0, 5, 8, 0, 6, 6, 0],
            Place::Timeout => [72, 0, 4, 14, 0, 5, 5, 0],
            Place::Terminate => [78, 0, 4, 0, 0, 9, 9, 0],
        };
        let thens = [
            Then::Go(act.clone()),
            Then::Reply(act.clone()),
            Then::Throw(act),
            Then::Stop(why),
            Then::StopReply(why),
            Then::Exit(why),
            Then::Crash,
            Then::Ignore,
        ];
        let weighed: Vec<_> = choices.into_iter().zip(thens).collect();
        self.random.pick(&weighed)
    }

    fn act(&mut self, place: Place) -> Act {
        let depth = match place {
            Place::Message(depth) | Place::Continue(depth) => depth,
            _ => 0,
        };
        match self.random.below(100) {
            0..16 if place != Place::Timeout => Act::Timeout(self.time()),
            16..24 if !self.suspends => Act::Hibernate,
            24..34 if depth < 3 && !matches!(place, Place::Timeout | Place::Terminate) => {
                Act::Continue(Box::new(self.script(Place::Continue(depth + 1))))
            }
            _ => Act::None,
        }
    }
}
