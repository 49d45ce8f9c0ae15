//! The bank's books: a database of its own.
//!
//! `charge` says what was decided on each key, once and for all; `movement` has every cent that
//! moved. They change in one transaction.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, TransactionBehavior, params};

use super::client::{Charge, Outcome};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS charge (
    key      TEXT    PRIMARY KEY,
    order_id INTEGER NOT NULL,
    amount   INTEGER NOT NULL,
    status   TEXT    NOT NULL CHECK (status IN ('charged', 'declined', 'voided'))
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS movement (
    id       INTEGER PRIMARY KEY,
    key      TEXT    NOT NULL,
    order_id INTEGER NOT NULL,
    amount   INTEGER NOT NULL
);
";

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This.
    Outcome(Outcome),
    /// The charge was voided.
    Voided,
    /// The key belongs to another charge.
    KeyTaken,
}

/// The books.
#[derive(Debug)]
pub struct Ledger(Connection);

impl Ledger {
    /// Opens them, or begins new ones.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub fn open(path: &Path) -> Result<Self> {
        let db = Connection::open(path)?;
        db.busy_timeout(Duration::from_secs(5))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // It is not the bank's survival that is shown here.
        db.pragma_update(None, "synchronous", "NORMAL")?;
        db.execute_batch(SCHEMA)?;
        Ok(Ledger(db))
    }

    /// Decides on a charge, or says what was decided.
    ///
    /// # Errors
    ///
    /// If the books cannot be written; then nothing was decided.
    pub fn charge(&mut self, charge: &Charge) -> Result<Decision> {
        let books = self
            .0
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let decision = match status(&books, charge)? {
            Some((_, false)) => Decision::KeyTaken,
            Some((status, true)) if status == "voided" => Decision::Voided,
            Some((status, true)) if status == "charged" => Decision::Outcome(Outcome::Charged),
            Some(_) => Decision::Outcome(declined()),
            None if charge.card.starts_with("tok_declined") => {
                enter(&books, charge, "declined")?;
                Decision::Outcome(declined())
            }
            None => {
                enter(&books, charge, "charged")?;
                move_money(&books, charge, charge.amount)?;
                Decision::Outcome(Outcome::Charged)
            }
        };
        books.commit()?;
        Ok(decision)
    }

    /// Voids a charge, also one that is not known yet.
    ///
    /// # Errors
    ///
    /// If the books cannot be written; then it is not voided.
    pub fn void(&mut self, charge: &Charge) -> Result<Decision> {
        let books = self
            .0
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let decision = match status(&books, charge)? {
            Some((_, false)) => Decision::KeyTaken,
            Some((status, true)) => {
                if status == "charged" {
                    move_money(&books, charge, -charge.amount)?;
                }
                let sql = "UPDATE charge SET status = 'voided' WHERE key = ?1";
                books.execute(sql, [&charge.key])?;
                Decision::Voided
            }
            None => {
                enter(&books, charge, "voided")?;
                Decision::Voided
            }
        };
        books.commit()?;
        Ok(decision)
    }
}

fn declined() -> Outcome {
    Outcome::Declined("the bank has declined the card".into())
}

/// The status of the charge with this key, and whether it is this charge.
fn status(books: &Connection, charge: &Charge) -> Result<Option<(String, bool)>> {
    let sql = "SELECT status, order_id, amount FROM charge WHERE key = ?1";
    let mut statement = books.prepare_cached(sql)?;
    let found = statement.query_row([&charge.key], |row| {
        let is_same =
            (row.get::<_, i64>(1)?, row.get::<_, i64>(2)?) == (charge.order, charge.amount);
        Ok((row.get(0)?, is_same))
    });
    found.optional()
}

fn enter(books: &Connection, charge: &Charge, status: &str) -> Result<()> {
    let sql = "INSERT INTO charge (key, order_id, amount, status) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = books.prepare_cached(sql)?;
    statement.execute(params![charge.key, charge.order, charge.amount, status])?;
    Ok(())
}

fn move_money(books: &Connection, charge: &Charge, amount: i64) -> Result<()> {
    let sql = "INSERT INTO movement (key, order_id, amount) VALUES (?1, ?2, ?3)";
    let mut statement = books.prepare_cached(sql)?;
    statement.execute(params![charge.key, charge.order, amount])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(key: &str, card: &str) -> Charge {
        Charge {
            key: key.into(),
            order: 1,
            card: card.into(),
            amount: 100,
        }
    }

    fn balance(ledger: &Ledger) -> i64 {
        let sql = "SELECT coalesce(sum(amount), 0) FROM movement";
        ledger.0.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_key_is_charged_once_and_what_is_voided_is_given_back_once() {
        let mut bank = Ledger::open(Path::new("")).unwrap();
        let one = charge("one", "tok_visa");
        for _ in 0..3 {
            let decision = bank.charge(&one).unwrap();
            assert_eq!(decision, Decision::Outcome(Outcome::Charged));
            assert_eq!(balance(&bank), 100);
        }
        for _ in 0..3 {
            assert_eq!(bank.void(&one).unwrap(), Decision::Voided);
            assert_eq!(balance(&bank), 0);
            assert_eq!(bank.charge(&one).unwrap(), Decision::Voided);
        }
    }

    #[test]
    fn a_charge_that_was_voided_before_it_came_is_not_made() {
        let mut bank = Ledger::open(Path::new("")).unwrap();
        let late = charge("late", "tok_visa");
        assert_eq!(bank.void(&late).unwrap(), Decision::Voided);
        assert_eq!(bank.charge(&late).unwrap(), Decision::Voided);
        assert_eq!(balance(&bank), 0);
    }

    #[test]
    fn a_declined_card_stays_declined_and_a_key_belongs_to_one_charge() {
        let mut bank = Ledger::open(Path::new("")).unwrap();
        let bad = charge("bad", "tok_declined_1");
        for _ in 0..2 {
            let decision = bank.charge(&bad).unwrap();
            assert!(matches!(decision, Decision::Outcome(Outcome::Declined(_))));
        }
        let other = Charge { amount: 5, ..bad };
        assert_eq!(bank.charge(&other).unwrap(), Decision::KeyTaken);
        assert_eq!(bank.void(&other).unwrap(), Decision::KeyTaken);
        assert_eq!(balance(&bank), 0);
    }
}
