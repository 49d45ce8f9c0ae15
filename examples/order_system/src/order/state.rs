//! How an order goes: pure, and the only place that knows.
//!
//! ```text
//!                 accepted
//!      reserved  /        \ out of stock, abandoned
//!               v          v
//!           reserved ──> failed <────────────┐
//!   charge      │  \ abandoned                │ released
//!   begins      v   └───────────────────> releasing
//!            charging ── declined ──────────^ ^
//!     charged  │  └─ abandoned ──> voiding ───┘ voided
//!              v
//!            paid ── finished ──> completed
//! ```
//!
//! | state | stock is held | the bank may have the money | what is to be done |
//! |---|---|---|---|
//! | accepted | no | no | reserve |
//! | reserved | yes | no | begin to charge: write down that the bank is about to be asked |
//! | charging | yes | perhaps | charge |
//! | paid | yes | yes | finish |
//! | voiding | yes | perhaps | void: from then on the bank will not charge, and has given back what it had |
//! | releasing | yes | no | release |
//! | completed | yes, for good | yes, for good | |
//! | failed | no | no | |
//!
//! Only the repo changes the state of an order, in a transaction that applies one event. What does
//! not fit the state is refused, so it does not matter how often, or how late, somebody says it.
//! Each state is stored before what is to be done in it begins; all of it may be done twice.

use serde::{Deserialize, Serialize};

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the table above says it")]
pub enum State {
    Accepted,
    Reserved,
    Charging,
    Paid,
    Voiding,
    Releasing,
    Completed,
    Failed,
}

/// What happens to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The stock has what it needs, and has put it aside.
    Reserved,
    /// The stock has not.
    OutOfStock(String),
    /// The bank is about to be asked.
    ChargeBegins,
    /// The bank has the money.
    Charged,
    /// The bank will not give it.
    Declined(String),
    /// Nobody will try any longer.
    Abandoned(String),
    /// The bank has no money of it, and will take none.
    Voided,
    /// The stock is back.
    Released,
    /// All is done.
    Finished,
}

/// What is to be done in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table above says it")]
pub enum Action {
    Reserve,
    BeginCharge,
    Charge,
    Void,
    Release,
    Finish,
}

impl State {
    /// All there are.
    pub const ALL: [State; 8] = [
        State::Accepted,
        State::Reserved,
        State::Charging,
        State::Paid,
        State::Voiding,
        State::Releasing,
        State::Completed,
        State::Failed,
    ];

    /// Where the event leads, or none if it does not fit.
    pub fn next(self, event: &Event) -> Option<State> {
        Some(match (self, event) {
            (State::Accepted, Event::Reserved) => State::Reserved,
            (State::Accepted, Event::OutOfStock(_) | Event::Abandoned(_)) => State::Failed,
            (State::Reserved, Event::ChargeBegins) => State::Charging,
            (State::Reserved, Event::Abandoned(_)) => State::Releasing,
            (State::Charging, Event::Charged) => State::Paid,
            (State::Charging, Event::Declined(_)) => State::Releasing,
            (State::Charging, Event::Abandoned(_)) => State::Voiding,
            (State::Voiding, Event::Voided) => State::Releasing,
            (State::Releasing, Event::Released) => State::Failed,
            (State::Paid, Event::Finished) => State::Completed,
            _ => return None,
        })
    }

    /// What is to be done; nothing at the end.
    pub fn action(self) -> Option<Action> {
        Some(match self {
            State::Accepted => Action::Reserve,
            State::Reserved => Action::BeginCharge,
            State::Charging => Action::Charge,
            State::Paid => Action::Finish,
            State::Voiding => Action::Void,
            State::Releasing => Action::Release,
            State::Completed | State::Failed => return None,
        })
    }

    /// Whether it stays as it is.
    pub fn is_final(self) -> bool {
        self.action().is_none()
    }

    /// Whether the stock has something put aside for it.
    pub fn holds_stock(self) -> bool {
        !matches!(self, State::Accepted | State::Failed)
    }

    /// Its word, in the database and for people.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Accepted => "accepted",
            State::Reserved => "reserved",
            State::Charging => "charging",
            State::Paid => "paid",
            State::Voiding => "voiding",
            State::Releasing => "releasing",
            State::Completed => "completed",
            State::Failed => "failed",
        }
    }

    /// The state with that word.
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl Event {
    /// Why the order fails, if it is that.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Event::OutOfStock(why) | Event::Declined(why) | Event::Abandoned(why) => Some(why),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Reserved),
            Just(Event::OutOfStock("sold out".into())),
            Just(Event::ChargeBegins),
            Just(Event::Charged),
            Just(Event::Declined("no cover".into())),
            Just(Event::Abandoned("given up".into())),
            Just(Event::Voided),
            Just(Event::Released),
            Just(Event::Finished),
        ]
    }

    /// The world around an order, as the events tell of it.
    #[derive(Default)]
    struct World {
        stock_held: bool,
        bank_asked: bool,
        bank_has_money: bool,
        reason: Option<String>,
    }

    impl World {
        fn see(&mut self, event: &Event) {
            match event {
                Event::Reserved => self.stock_held = true,
                Event::ChargeBegins => self.bank_asked = true,
                Event::Charged => {
                    assert!(self.bank_asked, "charged before it was written down");
                    assert!(!self.bank_has_money, "paid twice");
                    self.bank_has_money = true;
                }
                Event::Released => {
                    assert!(self.stock_held, "released what was not held");
                    self.stock_held = false;
                }
                Event::Declined(_) | Event::Voided => self.bank_asked = false,
                _ => {}
            }
            self.reason = self.reason.take().or(event.reason().map(str::to_owned));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_and_how_often_money_stock_and_reasons_fit_the_state(
            events in prop::collection::vec(event(), 0..200)
        ) {
            let mut state = State::Accepted;
            let mut world = World::default();
            for event in events {
                let Some(next) = state.next(&event) else { continue };
                prop_assert!(!state.is_final(), "{state:?} was the end");
                world.see(&event);
                state = next;
                prop_assert_eq!(state.holds_stock(), world.stock_held, "{:?}", state);
                let paid = matches!(state, State::Paid | State::Completed);
                prop_assert_eq!(paid, world.bank_has_money, "{:?}", state);
                let may_be_asked = matches!(state, State::Charging | State::Voiding);
                prop_assert_eq!(may_be_asked || paid, world.bank_asked, "{:?}", state);
                let fails = matches!(state, State::Failed | State::Releasing | State::Voiding);
                prop_assert_eq!(fails, world.reason.is_some(), "{:?}", state);
            }
        }

        #[test]
        fn an_event_that_is_said_again_changes_nothing(state in 0..8_usize, event in event()) {
            if let Some(next) = State::ALL[state].next(&event) {
                // Only abandoning fits twice, as it goes back step by step.
                let again = next.next(&event);
                prop_assert!(again.is_none(), "{event:?} leads from {next:?} to {again:?}");
            }
        }
    }

    /// What may come of doing what is to be done.
    fn outcomes(action: Action) -> Vec<Event> {
        let why = || "why".to_owned();
        match action {
            Action::Reserve => vec![Event::Reserved, Event::OutOfStock(why())],
            Action::BeginCharge => vec![Event::ChargeBegins],
            Action::Charge => vec![
                Event::Charged,
                Event::Declined(why()),
                Event::Abandoned(why()),
            ],
            Action::Void => vec![Event::Voided],
            Action::Release => vec![Event::Released],
            Action::Finish => vec![Event::Finished],
        }
    }

    #[test]
    fn doing_what_is_to_be_done_leads_to_an_end_within_six_steps() {
        fn walk(state: State, steps: u32) {
            assert!(steps <= 6, "still {state:?}");
            let Some(action) = state.action() else { return };
            for event in outcomes(action) {
                let next = state.next(&event);
                walk(
                    next.unwrap_or_else(|| panic!("{event:?} in {state:?}")),
                    steps + 1,
                );
            }
        }
        for state in State::ALL {
            walk(state, 0);
        }
    }

    #[test]
    fn an_order_can_be_abandoned_until_it_is_paid() {
        for state in [State::Accepted, State::Reserved, State::Charging] {
            assert!(state.next(&Event::Abandoned("x".into())).is_some());
        }
        assert_eq!(State::Paid.next(&Event::Abandoned("x".into())), None);
    }

    #[test]
    fn each_state_has_a_word_of_its_own() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.as_str()), Some(state));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.as_str()));
        }
        assert_eq!(State::from_word("lost"), None);
    }
}
