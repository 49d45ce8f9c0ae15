//! Orders as values: what is asked for, and how far it has come.

pub mod state;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::state::{Action, Event, State};

/// The number of an order: its row in the database.
pub type OrderId = i64;

/// Lines of an order, at most.
pub const LINES_MAX: usize = 100;
/// Of one product in one order, at most.
pub const QUANTITY_MAX: u32 = 1_000;
/// Characters of a name or a card, at most.
pub const TEXT_MAX: usize = 200;

/// What a customer asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Who orders.
    pub customer: String,
    /// Who pays: what the bank knows the card by.
    pub card: String,
    /// What.
    pub lines: Vec<Line>,
}

/// So many of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The product.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

/// Why a request can never become an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A text is empty, too long, or has control characters.
    #[error("`{0}` must have 1 to {TEXT_MAX} characters, and no control characters")]
    Text(&'static str),
    /// There are no lines, or too many.
    #[error("`lines` must have 1 to {LINES_MAX} entries")]
    Lines,
    /// A quantity is out of range.
    #[error("`quantity` of {0} must be 1 to {QUANTITY_MAX}")]
    Quantity(String),
    /// A product comes twice.
    #[error("{0} comes twice: add the quantities up")]
    Twice(String),
}

impl Request {
    /// Whether it could be an order, as far as one can tell without the shop.
    ///
    /// # Errors
    ///
    /// See [`RequestError`].
    pub fn check(&self) -> Result<(), RequestError> {
        text("customer", &self.customer)?;
        text("card", &self.card)?;
        if self.lines.is_empty() || self.lines.len() > LINES_MAX {
            return Err(RequestError::Lines);
        }
        let mut seen = BTreeSet::new();
        for line in &self.lines {
            text("sku", &line.sku)?;
            if line.quantity == 0 || line.quantity > QUANTITY_MAX {
                return Err(RequestError::Quantity(line.sku.clone()));
            }
            if !seen.insert(&line.sku) {
                return Err(RequestError::Twice(line.sku.clone()));
            }
        }
        Ok(())
    }
}

fn text(what: &'static str, text: &str) -> Result<(), RequestError> {
    let fits = !text.is_empty() && text.chars().count() <= TEXT_MAX;
    match fits && !text.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(RequestError::Text(what)),
    }
}

/// An order that the shop has accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// The idempotency key that it was accepted with.
    pub key: String,
    /// What was asked for.
    #[serde(flatten)]
    pub request: Request,
    /// What it costs, in cents.
    pub amount: i64,
    /// How far it has come.
    pub state: State,
    /// Why it fails, or has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was accepted, in milliseconds since 1970.
    pub accepted_at: i64,
    /// When it came to the state that it is in.
    pub updated_at: i64,
}

impl Order {
    /// By what the bank knows its charge: always the same, however often it is sent.
    pub fn payment_key(&self) -> String {
        format!("order-{}-{}", self.id, self.accepted_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            customer: "Ada".into(),
            card: "tok_visa".into(),
            lines: vec![Line {
                sku: "spade".into(),
                quantity: 1,
            }],
        }
    }

    #[test]
    fn a_request_with_something_missing_or_too_much_of_it_is_refused() {
        assert_eq!(request().check(), Ok(()));
        let check = |change: fn(&mut Request)| {
            let mut request = request();
            change(&mut request);
            request.check().unwrap_err()
        };
        use RequestError::*;
        assert_eq!(check(|it| it.customer.clear()), Text("customer"));
        assert_eq!(check(|it| it.customer = "x".repeat(201)), Text("customer"));
        assert_eq!(check(|it| it.card = "a\nb".into()), Text("card"));
        assert_eq!(check(|it| it.lines.clear()), Lines);
        assert_eq!(check(|it| it.lines = vec![it.lines[0].clone(); 101]), Lines);
        assert_eq!(
            check(|it| it.lines[0].quantity = 0),
            Quantity("spade".into())
        );
        assert_eq!(
            check(|it| it.lines[0].quantity = 1001),
            Quantity("spade".into())
        );
        assert_eq!(
            check(|it| it.lines.push(it.lines[0].clone())),
            Twice("spade".into())
        );
    }
}
