//! A circuit breaker: when a service has failed three times, nobody bothers it for a while; then one
//! request tries whether it is back.
//!
//! ```sh
//! cargo run --example circuit_breaker
//! ```
//!
//! ```text
//!            3 failures                 the time is over
//!  Closed ───────────────> Open ───────────────────────────> HalfOpen
//!     ^                     ^                                   │  │
//!     │                     └───── the trial fails, or is lost ─┘  │
//!     └────────────────────────────── the trial succeeds ──────────┘
//! ```
//!
//! Callers ask the breaker, call the service themselves and tell how it went: the breaker never waits. In
//! OTP: `gen_statem` with state enter calls and state timeouts; in Erlang programs, the library fuse.

use std::time::Duration;

use regrow::gen_statem::{Context, Event, StateMachine, Transition};
use regrow::{Agent, CallError, ExitReason, Name, ReplyTo, Runtime, receive, send, sleep};

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Closed,
    Open,
    HalfOpen,
}
use State::{Closed, HalfOpen, Open};

enum Request {
    Ask(ReplyTo<Option<u32>>), // to call the service, and with which number to report it
    Report(u32, bool),         // whether that went well
    TimeIsOver,                // from the state timeouts
}

const BREAKER: Name<Request> = Name::new("breaker");
const LIMIT: u32 = 3;
const PAUSE: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_secs(60); // whoever makes the trial may have crashed

#[derive(Default)]
struct Breaker {
    number: u32,   // of states entered: reports of calls made in an earlier one do not count
    failures: u32, // one after the other
    tried: bool,   // the trial is under way
}

impl StateMachine for Breaker {
    type Args = ();
    type State = State;
    type Message = Request;
    type Timer = ();

    async fn init((): (), _: &mut Context<Self>) -> Result<(State, Self), ExitReason> {
        Ok((Closed, Breaker::default()))
    }

    /// However a state is reached, it begins here; its timeout ends with it.
    async fn enter(
        &mut self,
        _: &State,
        state: &State,
        cx: &mut Context<Self>,
    ) -> Result<(), ExitReason> {
        println!("-- {state:?}");
        if let Some(parent) = cx.parent() {
            send(parent, *state); // for this lesson
        }
        (self.number, self.failures, self.tried) = (self.number + 1, 0, false);
        match state {
            Closed => {}
            Open => cx.state_timeout(PAUSE, Request::TimeIsOver),
            HalfOpen => cx.state_timeout(PATIENCE, Request::TimeIsOver),
        }
        Ok(())
    }

    async fn handle(
        &mut self,
        event: Event<Request>,
        state: &State,
        _: &mut Context<Self>,
    ) -> Transition<State> {
        use Event::{Message, StateTimeout};
        use Request::{Ask, Report};
        use Transition::NextState;
        match (state, event) {
            (_, Message(Report(number, _))) if number != self.number => {}
            (Closed, Message(Ask(reply))) => reply.send(Some(self.number)),
            (Closed, Message(Report(_, true))) => self.failures = 0,
            (Closed, Message(Report(..))) if self.failures + 1 == LIMIT => return NextState(Open),
            (Closed, Message(Report(..))) => self.failures += 1,
            (Open, Message(Ask(reply))) => reply.send(None),
            (Open, StateTimeout(_)) => return NextState(HalfOpen),
            (HalfOpen, Message(Ask(reply))) => {
                reply.send((!self.tried).then_some(self.number)); // one is let through
                self.tried = true;
            }
            (HalfOpen, Message(Report(_, true))) => return NextState(Closed),
            (HalfOpen, Message(Report(..)) | StateTimeout(_)) => return NextState(Open),
            _ => {}
        }
        Transition::KeepState
    }
}

/// What clients call instead of the service; `None` if they had better not.
async fn guarded() -> Option<Result<u32, CallError>> {
    let number = BREAKER.call(Request::Ask).await.ok()??;
    let answer = Agent::named("service").get(|answer: &u32| *answer).await;
    println!("the service: {answer:?}");
    BREAKER.cast(Request::Report(number, answer.is_ok()));
    Some(answer)
}

fn main() -> std::io::Result<()> {
    Runtime::new()?.block_on(async {
        let breaker = Breaker::start_link(()).name(BREAKER);
        breaker.await.expect("nobody else has the name");

        // A client that never gives up, and would ask a service that is away each millisecond.
        let (mut failed, mut refused) = (0, 0);
        while failed < LIMIT + 2 {
            match guarded().await {
                Some(answer) => failed += u32::from(answer.is_err()),
                None => refused += 1,
            }
            BREAKER.cast(Request::Report(0, true)); // too late to mean anything
            sleep(Duration::from_millis(1)).await;
        }
        for state in [Closed, Open, HalfOpen, Open, HalfOpen, Open] {
            assert_eq!(receive::<State>().await, state);
        }
        println!("{refused} requests were refused, {failed} were not; and here is the service");

        let service = Agent::start_link(|| 42_u32).name("service");
        service.await.expect("nobody else has the name");
        while guarded().await != Some(Ok(42)) {
            sleep(Duration::from_millis(1)).await;
        }
        for state in [HalfOpen, Closed] {
            assert_eq!(receive::<State>().await, state);
        }
    });
    Ok(())
}
