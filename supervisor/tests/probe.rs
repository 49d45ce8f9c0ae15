//! A server that does what each message says, and tells the test about each of its steps.

use regrow_runtime::{ExitReason, Message, Pid, receive, self_pid, send};
use regrow_supervisor::{Info, Next, ServerRef, Start};

use crate::common::*;

pub(crate) type Context = regrow_supervisor::Context<Probe>;

/// What a callback is to do.
pub(crate) type Act = Box<dyn FnOnce(&mut Probe, &mut Context) -> Next + Send>;

/// How it is to begin.
pub(crate) type Init = Box<dyn FnOnce(&mut Context) -> Result<(), ExitReason> + Send>;

pub(crate) struct Probe {
    pub(crate) test: Pid,
    /// What the next `handle_continue`s do, the last first.
    pub(crate) continues: Vec<(&'static str, Next)>,
    /// What `terminate` does.
    pub(crate) terminate: fn(),
    /// What `hibernate` does.
    pub(crate) hibernate: fn(),
}

pub(crate) enum Do {
    Act(Act),
    Mark(&'static str),
}

/// One of the probe's steps.
#[derive(Debug)]
pub(crate) struct Step(pub(crate) String);

/// A message that is not the probe's.
pub(crate) struct Foreign(pub(crate) &'static str);

impl Probe {
    pub(crate) fn tell(&self, step: impl Into<String>) {
        send(self.test, Step(step.into()));
    }
}

impl GenServer for Probe {
    type Args = (Pid, Init);
    type Message = Do;

    async fn init((test, init): Self::Args, cx: &mut Context) -> Result<Self, ExitReason> {
        init(cx)?;
        Ok(Probe {
            test,
            continues: vec![("second", Next::Continue), ("first", Next::HandleContinue)],
            terminate: || {},
            hibernate: || {},
        })
    }

    async fn handle(&mut self, message: Do, cx: &mut Context) -> Next {
        match message {
            Do::Act(act) => act(self, cx),
            Do::Mark(text) => {
                self.tell(text);
                Next::Continue
            }
        }
    }

    async fn handle_continue(&mut self, _: &mut Context) -> Next {
        let (text, next) = self.continues.pop().expect("something to go on with");
        self.tell(text);
        next
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context) -> Next {
        let text = match info {
            Info::Timeout => "timeout".to_owned(),
            Info::Exit(exit) => format!("exit {}", exit.reason),
            Info::Message(message) => foreign(message),
            other => format!("{other:?}"),
        };
        self.tell(text);
        Next::Continue
    }

    fn hibernate(&mut self) {
        self.tell("hibernate");
        (self.hibernate)();
    }

    async fn terminate(&mut self, reason: &ExitReason, _: &mut Context) {
        self.tell(format!("terminate {reason}"));
        (self.terminate)();
    }
}

fn foreign(message: Message) -> String {
    match message.downcast::<Foreign>() {
        Ok(Foreign(text)) => format!("foreign {text}"),
        Err(other) => other.type_name().to_owned(),
    }
}

pub(crate) type Ref = ServerRef<Do>;

/// A probe about to be started, and how it is to begin.
pub(crate) fn probe(
    init: impl FnOnce(&mut Context) -> Result<(), ExitReason> + Send + 'static,
) -> Start<Probe> {
    Probe::start_link((self_pid(), Box::new(init)))
}

/// One that just began.
pub(crate) async fn started() -> Ref {
    probe(|_| Ok(())).await.unwrap()
}

/// The message that makes the probe do this.
pub(crate) fn act(work: impl FnOnce(&mut Probe, &mut Context) -> Next + Send + 'static) -> Do {
    Do::Act(Box::new(work))
}

/// The message that makes it answer this.
pub(crate) fn answer(next: Next) -> Do {
    act(|_, _| next)
}

/// The next step.
pub(crate) async fn step() -> String {
    receive::<Step>().await.0
}

/// The next `n` steps.
pub(crate) async fn steps(n: usize) -> Vec<String> {
    let mut steps = Vec::new();
    for _ in 0..n {
        steps.push(step().await);
    }
    steps
}
