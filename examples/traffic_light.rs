//! A traffic light at a crossing: cars have green until somebody wants to cross, and if a lamp fails it
//! blinks until it is repaired.
//!
//! ```sh
//! cargo run --example traffic_light
//! ```
//!
//! ```text
//!  Green ──> Amber ──> Red ──> RedAmber ──> Green        any of them ── LampFailed ──> Blinking
//!    stays until somebody has pressed the button          Blinking ──── Repaired ────> Red
//! ```
//!
//! In OTP: `gen_statem`. What it has and a gen_server has not: a state timeout ends with its state, an event
//! that comes too early is postponed until the state changes, and `enter` runs however a state is reached.

use std::time::Duration;

use regrow::gen_statem::{Context, Event, StateMachine, Transition};
use regrow::{ExitReason, Name, Pid, ReplyTo, Runtime, receive, self_pid, send};

/// What the drivers see.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Light {
    Green,
    Amber,
    Red,
    RedAmber,
    Blinking,
}

enum Message {
    /// The button; answered when it is safe to go.
    Cross(ReplyTo<Light>),
    LampFailed,
    Repaired,
    /// From the state timeouts.
    Change,
    /// From the timeout with a name.
    Blink,
}

const LIGHT: Name<Message> = Name::new("light");
const SECOND: Duration = Duration::from_millis(10); // a short one, for a short example

struct TrafficLight {
    /// Told of each change.
    watcher: Pid,
    lit: bool,
}

impl StateMachine for TrafficLight {
    type Args = Pid;
    type State = Light;
    type Message = Message;
    /// Timeouts with a name outlast states, until somebody cancels them.
    type Timer = &'static str;

    async fn init(watcher: Pid, _: &mut Context<Self>) -> Result<(Light, Self), ExitReason> {
        Ok((Light::Red, TrafficLight { watcher, lit: true }))
    }

    async fn enter(
        &mut self,
        old: &Light,
        light: &Light,
        cx: &mut Context<Self>,
    ) -> Result<(), ExitReason> {
        println!("{light:?}");
        send(self.watcher, *light);
        match light {
            Light::Green => {} // nobody waits: nothing is to come
            Light::Amber | Light::RedAmber => cx.state_timeout(SECOND, Message::Change),
            Light::Red => cx.state_timeout(3 * SECOND, Message::Change),
            Light::Blinking => cx.timeout("blink", SECOND / 2, Message::Blink),
        }
        if *old == Light::Blinking {
            cx.cancel_timeout("blink");
        }
        Ok(())
    }

    /// A row for each pair of light and event that means something.
    async fn handle(
        &mut self,
        event: Event<Message, &'static str>,
        light: &Light,
        cx: &mut Context<Self>,
    ) -> Transition<Light> {
        use Light::{Amber, Blinking, Green, Red, RedAmber};
        use Transition::{KeepState, NextState};
        match (light, event) {
            (Red, Event::Message(Message::Cross(reply))) => reply.send(Red),
            (Green, event @ Event::Message(Message::Cross(_))) => {
                cx.postpone(event); // comes again in each new state, until one has an answer
                return NextState(Amber);
            }
            (_, event @ Event::Message(Message::Cross(_))) => cx.postpone(event),

            (Amber, Event::StateTimeout(_)) => return NextState(Red),
            (Red, Event::StateTimeout(_)) => return NextState(RedAmber),
            (RedAmber, Event::StateTimeout(_)) => return NextState(Green),

            (Blinking, Event::Timeout("blink", _)) => {
                self.lit = !self.lit;
                cx.timeout("blink", SECOND / 2, Message::Blink);
            }
            (Blinking, Event::Message(Message::Repaired)) => return NextState(Red),
            (_, Event::Message(Message::LampFailed)) => return NextState(Blinking),
            _ => {}
        }
        KeepState
    }
}

async fn expect(lights: &[Light]) {
    for light in lights {
        assert_eq!(receive::<Light>().await, *light);
    }
}

fn main() -> std::io::Result<()> {
    use Light::{Amber, Blinking, Green, Red, RedAmber};
    Runtime::new()?.block_on(async {
        let light = TrafficLight::start_link(self_pid()).name(LIGHT);
        light.await.expect("nobody else has the name");
        expect(&[Red, RedAmber, Green]).await;

        println!("two people press the button");
        let (first, second) = (LIGHT.call(Message::Cross), LIGHT.call(Message::Cross)); // sent
        let seen = (first.await, second.await);
        println!("they cross while the cars have {seen:?}");
        assert_eq!(seen, (Ok(Red), Ok(Red)));
        expect(&[Amber, Red, RedAmber, Green]).await;

        println!("a lamp fails, and two people press the button");
        LIGHT.cast(Message::LampFailed);
        let patient = LIGHT.call(Message::Cross);
        let impatient = LIGHT.call(Message::Cross).timeout(4 * SECOND).await;
        println!("one goes another way: {}", impatient.unwrap_err());
        LIGHT.cast(Message::Repaired);
        assert_eq!(patient.await, Ok(Red), "whoever waits crosses at last");
        expect(&[Blinking]).await;
        expect(&[Red, RedAmber, Green]).await;
    });
    Ok(())
}
