//! A server of a story: each callback does what its script says and tells the recorder.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use regrow_runtime::{
    ExitReason, MonitorRef, Pid, ReplyTo, demonitor_flush, exit_with, link, monitor, self_pid,
    trap_exit, unlink,
};
use regrow_supervisor::{CallError, Context, GenServer, Info, Next, ServerRef};

use super::super::story::{Act, Action, Friend, Message, Plan, Script, Server, Then, Time, To};
use super::recorder::{Flags, Request, ask};
use super::{SOON, World, duration, names, text};
use crate::stage::names::panic_quietly;

/// A call or a cast.
pub(super) enum Asked {
    Call(Message, ReplyTo<Answer>),
    Cast(Message),
}

/// What is neither.
pub(super) struct Raw(pub(super) Message);

/// The number of the message, and how many the server had had before the callback that answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer(pub(super) u32, pub(super) u32);

pub(super) type Ref = ServerRef<Asked>;

/// The requests that wait for an answer.
pub(super) type Kept = HashMap<u32, ReplyTo<Answer>>;

pub(super) struct Told {
    world: World,
    plan: Plan,
    pub(super) count: u32,
    pub(super) kept: Mutex<Kept>,
    monitors: HashMap<Friend, Vec<MonitorRef>>,
    next: Option<Script>,
    hibernates: Arc<AtomicBool>,
}

pub(super) struct Args {
    pub(super) world: World,
    pub(super) server: Server,
    pub(super) plan: Plan,
}

/// What a callback was asked for: the number, and where the answer goes if it is a call.
type From = (u32, Option<ReplyTo<Answer>>);

impl GenServer for Told {
    type Args = Args;
    type Message = Asked;

    async fn init(args: Args, cx: &mut Context<Self>) -> Result<Self, ExitReason> {
        let Args {
            world,
            server,
            plan,
        } = args;
        trap_exit(plan.trap);
        let hibernates = Arc::new(AtomicBool::new(false));
        let flags = Flags {
            gated_end: plan.terminate.is_gated(),
            ..Flags::default()
        };
        let (id, pid, seen) = (names::server(server), self_pid(), hibernates.clone());
        ask(world.recorder, |reply| {
            Request::Born(id, pid, flags, seen.into(), reply)
        })
        .await;
        let mut told = Told {
            world,
            plan,
            count: 0,
            kept: Mutex::default(),
            monitors: HashMap::new(),
            next: None,
            hibernates,
        };
        let script = told.plan.init.clone();
        if script.then == Then::Ignore {
            told.tell("init").await;
            let failed = told.does(&script, &mut (0, None)).await;
            return Err(failed.unwrap_or_else(|| cx.ignore()));
        }
        match told.run("init", script, (0, None), cx).await {
            Next::Stop(why) => Err(why),
            next => {
                cx.after_init(next);
                Ok(told)
            }
        }
    }

    async fn handle(&mut self, asked: Asked, cx: &mut Context<Self>) -> Next {
        let (message, kind, from) = match asked {
            Asked::Call(message, from) => (message, "call", Some(from)),
            Asked::Cast(message) => (message, "cast", None),
        };
        let what = format!("handle {} {kind}", message.number);
        self.run(&what, message.script, (message.number, from), cx)
            .await
    }

    async fn handle_info(&mut self, info: Info, cx: &mut Context<Self>) -> Next {
        let (what, pid, why) = match info {
            Info::Timeout => {
                let script = self.plan.timeout.clone();
                return self.run("timeout", script, (0, None), cx).await;
            }
            Info::Exit(exit) => ("exit", exit.pid, exit.reason),
            Info::Down(down) => ("down", down.pid, down.reason),
            Info::Message(raw) => match raw.downcast::<Raw>() {
                Ok(Raw(message)) => {
                    let what = format!("handle {} info", message.number);
                    return self
                        .run(&what, message.script, (message.number, None), cx)
                        .await;
                }
                Err(other) => panic!("{other:?} is nobody's"),
            },
            other => panic!("{other:?} is nobody's"),
        };
        self.awake();
        self.world.heard(what, pid, why).await;
        self.then(self.plan.exit.clone(), (0, None), cx).await
    }

    async fn handle_continue(&mut self, cx: &mut Context<Self>) -> Next {
        let script = self.next.take().expect("what is to be done");
        self.run("continue", script, (0, None), cx).await
    }

    fn hibernate(&mut self) {
        self.hibernates.store(true, Ordering::Relaxed);
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        self.awake();
        let count = text(format!(" {}", self.count));
        let parts = vec![text("terminate "), super::Part::Why(reason.clone()), count];
        self.world.event(parts).await;
        let script = self.plan.terminate.clone();
        if let Some(failed) = self.does(&script, &mut (0, None)).await {
            exit_with(failed);
        }
        match script.then {
            Then::Exit(why) => exit_with(names::exit_reason(why)),
            Then::Crash => panic_quietly(),
            _ => {}
        }
    }
}

impl Told {
    /// As after a `replace_state`.
    pub(super) fn replaced(&self) -> Told {
        Told {
            world: self.world.clone(),
            plan: self.plan.clone(),
            count: self.count + 100,
            kept: Mutex::new(std::mem::take(&mut *self.kept())),
            monitors: self.monitors.clone(),
            next: self.next.clone(),
            hibernates: self.hibernates.clone(),
        }
    }

    pub(super) fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn awake(&self) {
        self.hibernates.store(false, Ordering::Relaxed);
    }

    async fn tell(&self, what: &str) {
        self.awake();
        let line = format!("{what} {}", self.count);
        self.world.event(vec![text(line)]).await;
    }

    async fn run(
        &mut self,
        what: &str,
        script: Script,
        mut from: From,
        cx: &mut Context<Self>,
    ) -> Next {
        self.tell(what).await;
        if let Some(failed) = self.does(&script, &mut from).await {
            exit_with(failed);
        }
        self.then(script.then, from, cx).await
    }

    /// Returns the failure of a strict call.
    async fn does(&mut self, script: &Script, from: &mut From) -> Option<ExitReason> {
        for action in &script.does {
            if let Err(failed) = self.act(action, from).await {
                return Some(failed);
            }
        }
        None
    }

    async fn act(&mut self, action: &Action, (number, from): &mut From) -> Result<(), ExitReason> {
        let this = self_pid();
        match action {
            Action::Gate => ask(self.world.recorder, |reply| Request::Gate(this, reply)).await,
            Action::ReplyNow => self.reply(*number, from.take()),
            Action::ReplyKept(number) => {
                let kept = self.kept().remove(number);
                self.reply(*number, kept);
            }
            Action::CallSelf => {
                let message = Script::nothing().message(0);
                let called = Ref::from_pid(this).call(|reply| Asked::Call(message, reply));
                let error = called.await.expect_err("nobody can answer");
                let line = format!("calls itself: exit {}", names::call(&error));
                self.world.event(vec![text(line)]).await;
            }
            Action::Call(to, message, strict, impatient) => {
                let answer = self.call(*to, message, *impatient).await;
                let line = match &answer {
                    Ok(Answer(number, count)) => format!("asked: reply {number} {count}"),
                    Err(error) => format!("asked: exit {}", names::call(error)),
                };
                self.world.event(vec![text(line)]).await;
                if let (true, Err(error)) = (*strict, answer) {
                    return Err(error.into());
                }
            }
            Action::Cast(to, message) => {
                if let Some(server) = self.world.reach(*to).await {
                    server.cast(Asked::Cast(message.clone()));
                }
            }
            Action::Trap(on) => {
                trap_exit(*on);
            }
            Action::Link(friend) => self.with(*friend, link).await,
            Action::Unlink(friend) => self.with(*friend, unlink).await,
            Action::Monitor(friend) => {
                if let Some(pid) = self.world.find(names::friend(*friend)).await {
                    self.monitors.entry(*friend).or_default().push(monitor(pid));
                }
            }
            Action::Demonitor(friend) => {
                for reference in self.monitors.remove(friend).unwrap_or_default() {
                    demonitor_flush(reference);
                }
            }
        }
        Ok(())
    }

    async fn with<R>(&self, friend: Friend, what: impl FnOnce(Pid) -> R) {
        if let Some(pid) = self.world.find(names::friend(friend)).await {
            what(pid);
        }
    }

    async fn call(&self, to: To, message: &Message, impatient: bool) -> Result<Answer, CallError> {
        let this = self_pid();
        self.world.change(this, |it| it.asking = true).await;
        let server = self.world.reach(to).await;
        let pid = server.as_ref().and_then(Ref::pid);
        let soon = impatient && (self.world.is_stuck(pid).await || message.script.keeps_silent());
        self.world.change(this, move |it| it.ticking = soon).await;
        let answer = match server {
            None => Err(CallError::NoProc),
            Some(server) => {
                let call = server.call(|reply| Asked::Call(message.clone(), reply));
                match soon {
                    true => call.timeout(SOON).await,
                    false => call.no_timeout().await,
                }
            }
        };
        self.world.change(this, |it| it.ticking = false).await;
        answer
    }

    /// A second reply has no handle to go through.
    fn reply(&self, number: u32, from: Option<ReplyTo<Answer>>) {
        if let Some(from) = from {
            from.send(Answer(number, self.count));
        }
    }

    fn keep(&mut self, (number, from): From) {
        if let Some(from) = from {
            self.kept().insert(number, from);
        }
    }

    async fn then(&mut self, then: Then, from: From, cx: &mut Context<Self>) -> Next {
        let next = match then {
            Then::Exit(why) => exit_with(names::exit_reason(why)),
            Then::Crash => panic_quietly(),
            Then::Stop(why) => {
                self.keep(from);
                Next::Stop(names::exit_reason(why))
            }
            Then::StopReply(why) => {
                let why = names::exit_reason(why);
                match from {
                    (number, Some(to)) => cx.stop_and_reply(why, to, Answer(number, self.count)),
                    _ => Next::Stop(why),
                }
            }
            Then::Reply(act) => {
                self.reply(from.0, from.1);
                self.wait(act).await
            }
            Then::Go(act) | Then::Throw(act) => {
                self.keep(from);
                self.wait(act).await
            }
            Then::Ignore => panic!("only init can"),
        };
        self.count += 1;
        next
    }

    async fn wait(&mut self, act: Act) -> Next {
        match act {
            Act::None => Next::Continue,
            Act::Hibernate => Next::Hibernate,
            Act::Continue(script) => {
                self.next = Some(*script);
                Next::HandleContinue
            }
            Act::Timeout(time) => {
                let soon = time != Time::Never;
                self.world
                    .change(self_pid(), move |it| it.armed = soon)
                    .await;
                Next::Timeout(duration(time))
            }
        }
    }
}
