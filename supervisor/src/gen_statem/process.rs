//! The machine's side: init, the loop, terminate.
//!
//! ```text
//! init ─> acknowledged ─> entered ─> advanced ─┬─> own events, timeouts of no time ─┬─> handle
//!                            ^                 └─> a message or a timer ────────────┘     │
//!                            └─ the state has changed, or is repeated ────────────────────┤
//!                                              stop, panic, the parent's exit ─> terminate
//! ```
//!
//! System messages are answered while a message is awaited, and at no other time. In boxes is what
//! is rare and large: a machine that waits is as large as the largest of what it may be doing.

use std::any::{Any, type_name, type_name_of_val};
use std::future::Future;
use std::mem;
use std::time::Duration;

use regrow_runtime::proc_lib::{InitAck, about_to_end};
use regrow_runtime::{
    ExitReason, Pid, TimedOut, TimerRef, cancel_timer, catch_panic, garbage_collect,
    monotonic_time, process_info, receive_any, self_pid, start_timer, yield_now,
};

use super::context::Phase;
use super::queue::{Clock, Queue};
use super::{Context, Event, StateMachine, Transition, report};
use crate::behaviour::{Behaviour, Birth};
use crate::gen_server::not_started;
use crate::gen_server::process::{End, Event as Received};
use crate::report::caught;
use crate::sys::{self, Subject, Sys, SystemMessage};

/// The kind of server that a [`StateMachine`] is.
#[derive(Debug)]
pub struct Machine;

impl<S: StateMachine> Behaviour<S> for Machine {
    type Args = S::Args;
    type Message = S::Message;

    fn run(
        args: S::Args,
        birth: Birth,
        starter: InitAck<()>,
    ) -> impl Future<Output = ExitReason> + Send + 'static {
        run::<S>(args, birth, starter)
    }
}

/// So many events a machine may have for itself in a row before others have their turn. A turn
/// with messages is as long.
const OWN_EVENTS_MAX: u32 = 1_000;

/// The text of a message whose text panicked.
const NO_TEXT: &str = "format_message panicked";

/// What the timers of timeouts deliver.
struct TimeoutTick;

struct Timers;

impl Clock for Timers {
    type Timer = TimerRef;

    fn start(&mut self, after: Duration) -> TimerRef {
        start_timer(after, self_pid(), TimeoutTick)
    }

    fn start_at(&mut self, at: Duration) -> TimerRef {
        self.start(at.saturating_sub(monotonic_time()))
    }

    fn cancel(&mut self, timer: TimerRef) {
        cancel_timer(timer);
    }
}

type EventOf<S> = Event<<S as StateMachine>::Message, <S as StateMachine>::Timer>;

/// The state and the data, as whoever looks into the machine sees them.
type Whole<S> = (<S as StateMachine>::State, S);

/// The body of a machine's process.
async fn run<S: StateMachine>(args: S::Args, birth: Birth, starter: InitAck<()>) -> ExitReason {
    let mut begun = begin::<S>(args, birth, starter).await;
    match &mut begun {
        Ok(running) => running.live().await, // where it is: there is no room for another
        Err(reason) => reason.clone(),
    }
}

/// A future of its own, so that there is no room for it later on.
async fn begin<S: StateMachine>(
    args: S::Args,
    birth: Birth,
    starter: InitAck<()>,
) -> Result<Running<S>, ExitReason> {
    let mut cx = Context::new(birth.parent, birth.hibernate_after);
    match catch_panic(S::init(args, &mut cx)).await {
        Ok(Ok(whole)) => {
            starter.ack(());
            Ok(Running::new(whole, cx))
        }
        Ok(Err(reason)) | Err(reason) => {
            let (told, reason) = not_started::outcome(reason);
            starter.fail(told);
            Err(reason)
        }
    }
}

/// A process that has begun as something else.
pub(super) async fn enter_loop<S: StateMachine>(whole: Whole<S>) -> ExitReason {
    let parent = process_info(self_pid()).await.and_then(|info| info.parent);
    Running::new(whole, Context::new(parent, None)).live().await
}

/// A machine that has a state. All in one place, so that the futures below have one reference
/// each.
struct Running<S: StateMachine> {
    whole: Whole<S>,
    cx: Context<S>,
    queue: Queue<S::Message, S::Timer, Timers>,
    /// In a row.
    own_events: u32,
    /// What was handled last, for people.
    last: &'static str,
}

impl<S: StateMachine> Running<S> {
    fn new(whole: Whole<S>, cx: Context<S>) -> Self {
        Running {
            whole,
            cx,
            queue: Queue::new(Timers),
            own_events: 0,
            last: "init",
        }
    }

    /// Returns what the process is to end with.
    async fn live(&mut self) -> ExitReason {
        // With what is the user's beside the callbacks: how states compare, and what is dropped.
        let End { reason, last } = *match catch_panic(self.serve()).await {
            Ok(end) => end,
            Err(reason) => self.end(reason),
        };
        about_to_end();
        let (state, machine) = &mut self.whole;
        let terminated = catch_panic(machine.terminate(&reason, state, &mut self.cx)).await;
        let reason = terminated.err().unwrap_or(reason);
        if !reason.is_normal_like() {
            let message = self.cx.message_text().or_else(|| last.map(str::to_owned));
            let shown = (message, self.cx.log());
            let waiting = self.queue.lengths();
            Box::pin(report::abnormal(&mut self.whole, waiting, shown, &reason)).await;
        }
        reason
    }

    /// Handles events until something ends the machine.
    async fn serve(&mut self) -> Box<End> {
        if let Err(reason) = self.enter(None).await {
            return self.end(reason);
        }
        self.queue.advance(false, &mut self.cx.actions);
        loop {
            let event = match self.next().await {
                Ok(event) => event,
                Err(end) => return end,
            };
            self.last = tell_received(&event, &mut self.cx);
            self.cx.phase = Phase::Handle;
            let (state, machine) = &mut self.whole;
            let transition = catch_panic(machine.handle(event, state, &mut self.cx)).await;
            if let Ok(transition) = &transition {
                self.cx.answered(transition);
            }
            let (changed, entered) = match transition {
                Ok(Transition::KeepState) => (false, Ok(())),
                Ok(Transition::RepeatState) => (false, self.enter(None).await),
                Ok(Transition::NextState(new)) => {
                    let old = mem::replace(&mut self.whole.0, new);
                    match old == self.whole.0 {
                        true => (false, Ok(())),
                        false => (true, self.enter(Some(old)).await),
                    }
                }
                Ok(Transition::Stop(reason)) | Err(reason) => (false, Err(reason)),
            };
            if let Err(reason) = entered {
                return self.end(reason);
            }
            self.queue.advance(changed, &mut self.cx.actions);
        }
    }

    /// Enters the present state, from an old one or from itself.
    async fn enter(&mut self, old: Option<S::State>) -> Result<(), ExitReason> {
        self.cx.phase = Phase::Enter;
        let (state, machine) = &mut self.whole;
        let old = old.as_ref().unwrap_or(state);
        let entered = catch_panic(machine.enter(old, state, &mut self.cx)).await;
        entered.unwrap_or_else(Err)
    }

    /// The next event, or why the machine is to end.
    async fn next(&mut self) -> Result<EventOf<S>, Box<End>> {
        if self.own_events == OWN_EVENTS_MAX {
            self.own_events = 0;
            yield_now().await;
        }
        let mut hibernating = mem::take(&mut self.cx.hibernate);
        if hibernating {
            self.hibernate()?;
        }
        if let Some(event) = self.queue.pop() {
            self.own_events += 1;
            return Ok(event);
        }
        self.own_events = 0;
        loop {
            let message = match self.cx.hibernate_after() {
                Some(idle) if !hibernating => match Box::pin(receive_any().timeout(idle)).await {
                    Ok(message) => message,
                    Err(_) => {
                        hibernating = true;
                        self.hibernate()?;
                        continue;
                    }
                },
                _ => receive_any().await,
            };
            let message = match message.downcast::<TimedOut<TimeoutTick>>() {
                Err(message) => message,
                Ok(tick) => match self.queue.fired(tick.timer) {
                    Some(event) => return Ok(event),
                    None => continue, // cancelled on its way
                },
            };
            match Received::of(message, self.cx.parent()) {
                Received::Message(message) => return Ok(Event::Message(message)),
                Received::Info(info) => return Ok(Event::Info(info)),
                Received::End(end) => return Err(end),
                Received::System(request) => {
                    Box::pin(self.system(*request, hibernating)).await?;
                }
            }
        }
    }

    async fn system(&mut self, request: SystemMessage, hibernating: bool) -> Result<(), Box<End>> {
        let mut seen = Seen {
            waiting: self.queue.lengths(),
            whole: &mut self.whole,
            cx: &mut self.cx,
            hibernating,
        };
        match sys::handle(request, &mut seen).await {
            Some(reason) => Err(Box::new(End { reason, last: None })),
            None if hibernating => self.hibernate(), // and back to it
            None => Ok(()),
        }
    }

    fn hibernate(&mut self) -> Result<(), Box<End>> {
        let (state, machine) = &mut self.whole;
        match caught(|| machine.hibernate(state)) {
            Ok(()) => garbage_collect(),
            Err(reason) => return Err(Box::new(End { reason, last: None })),
        }
        Ok(())
    }

    fn end(&self, reason: ExitReason) -> Box<End> {
        let last = Some(self.last);
        Box::new(End { reason, last })
    }
}

/// Tells whoever watches; returns what the event is, for people.
fn tell_received<S: StateMachine>(event: &EventOf<S>, cx: &mut Context<S>) -> &'static str {
    let (kind, message) = match event {
        Event::Message(message) => (type_name::<S::Message>(), Some(message)),
        Event::Internal(message) => ("internal", Some(message)),
        Event::EventTimeout(message) => ("event_timeout", Some(message)),
        Event::StateTimeout(message) => ("state_timeout", Some(message)),
        Event::Timeout(_, message) => ("timeout", Some(message)),
        Event::Info(info) => (info.type_name(), None),
    };
    let text = message.and_then(|message| {
        let text = caught(|| S::format_message(message));
        text.unwrap_or_else(|_| Some(NO_TEXT.to_owned()))
    });
    cx.received(kind, text);
    kind
}

/// A machine as system messages see it.
struct Seen<'a, S: StateMachine> {
    whole: &'a mut Whole<S>,
    waiting: (usize, usize),
    cx: &'a mut Context<S>,
    hibernating: bool,
}

impl<S: StateMachine> Subject for Seen<'_, S> {
    fn state(&mut self) -> &mut dyn Any {
        self.whole
    }

    fn state_type(&self) -> &'static str {
        type_name_of_val(&*self.whole)
    }

    fn parent(&self) -> Option<Pid> {
        self.cx.parent()
    }

    fn sys(&mut self) -> &mut Sys {
        self.cx.sys()
    }

    fn show(&self) -> String {
        report::formatted(self.whole, self.waiting, None, None, Vec::new()).state
    }

    fn behaviour(&self) -> &'static str {
        "gen_statem"
    }

    fn module(&self) -> &'static str {
        type_name::<S>()
    }

    fn is_hibernating(&self) -> bool {
        self.hibernating
    }
}
