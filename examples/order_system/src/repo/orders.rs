//! What is asked of the database, as functions on a transaction.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use serde::Serialize;

use crate::order::{Event, Line, Order, OrderId, Request, State};

const COLUMNS: &str = "id, key, request, amount, state, reason, accepted_at, updated_at";

/// What became of a new order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It is one.
    New(Order),
    /// It was one already: the same request with the same key.
    Known(Order),
    /// The key belongs to another request.
    KeyTaken,
    /// There is no such product.
    NoProduct(String),
}

/// What the shop sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Product {
    pub(crate) sku: String,
    /// In cents.
    pub(crate) price: i64,
    pub(crate) stock: i64,
}

/// Which orders to list: by number, from behind `after`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) after: OrderId,
    pub(crate) limit: u32,
    pub(crate) state: Option<State>,
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |it| i64::try_from(it.as_millis()).unwrap_or(i64::MAX))
}

fn bad(column: usize, why: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.into())
}

fn order(row: &Row<'_>) -> Result<Order> {
    let (request, state): (String, String) = (row.get(2)?, row.get(4)?);
    Ok(Order {
        id: row.get(0)?,
        key: row.get(1)?,
        request: serde_json::from_str(&request).map_err(|error| bad(2, error.to_string()))?,
        amount: row.get(3)?,
        state: State::from_word(&state).ok_or_else(|| bad(4, format!("no state: {state}")))?,
        reason: row.get(5)?,
        accepted_at: row.get(6)?,
        updated_at: row.get(7)?,
    })
}

pub(crate) fn get(db: &Connection, id: OrderId) -> Result<Option<Order>> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ?1");
    db.prepare_cached(&sql)?.query_row([id], order).optional()
}

/// Accepts an order, or finds that it has been accepted.
pub(crate) fn insert(db: &Connection, key: &str, request: &Request) -> Result<Inserted> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE key = ?1");
    let known = db
        .prepare_cached(&sql)?
        .query_row([key], order)
        .optional()?;
    if let Some(known) = known {
        return Ok(match known.request == *request {
            true => Inserted::Known(known),
            false => Inserted::KeyTaken,
        });
    }
    let mut amount = 0;
    let mut price = db.prepare_cached("SELECT price FROM product WHERE sku = ?1")?;
    for Line { sku, quantity } in &request.lines {
        let found: Option<i64> = price.query_row([sku], |row| row.get(0)).optional()?;
        let Some(price) = found else {
            return Ok(Inserted::NoProduct(sku.clone()));
        };
        amount += price * i64::from(*quantity);
    }
    let text = serde_json::to_string(request).map_err(|error| bad(2, error.to_string()))?;
    let at = now();
    let sql = "INSERT INTO orders (key, request, amount, state, accepted_at, updated_at)
               VALUES (?1, ?2, ?3, 'accepted', ?4, ?4)";
    db.prepare_cached(sql)?
        .execute(params![key, text, amount, at])?;
    Ok(Inserted::New(Order {
        id: db.last_insert_rowid(),
        key: key.to_owned(),
        request: request.clone(),
        amount,
        state: State::Accepted,
        reason: None,
        accepted_at: at,
        updated_at: at,
    }))
}

/// Applies an event, with what it means for the stock. The order as it is then: one whose state
/// the event does not fit stays as it was, and so does one that does not exist.
pub(crate) fn apply(db: &Connection, id: OrderId, event: &Event) -> Result<Option<Order>> {
    let Some(order) = get(db, id)? else {
        return Ok(None);
    };
    let Some(next) = order.state.next(event) else {
        return Ok(Some(order));
    };
    match (order.state.holds_stock(), next.holds_stock()) {
        (false, true) => move_stock(db, &order, -1)?,
        (true, false) => move_stock(db, &order, 1)?,
        _ => {}
    }
    let reason = order.reason.clone().or(event.reason().map(str::to_owned));
    let at = now();
    let sql = "UPDATE orders SET state = ?2, reason = ?3, updated_at = ?4 WHERE id = ?1";
    db.prepare_cached(sql)?
        .execute(params![id, next.as_str(), reason, at])?;
    Ok(Some(Order {
        state: next,
        reason,
        updated_at: at,
        ..order
    }))
}

fn move_stock(db: &Connection, order: &Order, sign: i64) -> Result<()> {
    let mut take = db.prepare_cached("UPDATE product SET stock = stock + ?2 WHERE sku = ?1")?;
    for line in &order.request.lines {
        take.execute(params![line.sku, sign * i64::from(line.quantity)])?;
    }
    Ok(())
}

/// Puts aside what the order needs, or fails it.
pub(crate) fn reserve(db: &Connection, id: OrderId) -> Result<Option<Order>> {
    let Some(order) = get(db, id)? else {
        return Ok(None);
    };
    let mut stock = db.prepare_cached("SELECT stock FROM product WHERE sku = ?1")?;
    let mut event = Event::Reserved;
    for line in &order.request.lines {
        let left: Option<i64> = stock.query_row([&line.sku], |row| row.get(0)).optional()?;
        let left = left.unwrap_or(0);
        if left < i64::from(line.quantity) {
            let (asked, sku) = (line.quantity, &line.sku);
            event = Event::OutOfStock(format!(
                "out of stock: {sku}, {asked} asked for, {left} left"
            ));
            break;
        }
    }
    drop(stock);
    apply(db, id, &event)
}

/// The orders that somebody has to work on, the oldest first.
pub(crate) fn unfinished(db: &Connection) -> Result<Vec<OrderId>> {
    let sql = "SELECT id FROM orders WHERE state NOT IN ('completed', 'failed') ORDER BY id";
    let mut statement = db.prepare_cached(sql)?;
    statement.query_map([], |row| row.get(0))?.collect()
}

pub(crate) fn list(db: &Connection, page: Page) -> Result<Vec<Order>> {
    let state = page.state.map(State::as_str);
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE id > ?1 AND (?2 IS NULL OR state = ?2)
         ORDER BY id LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let orders = statement.query_map(params![page.after, state, page.limit], order)?;
    orders.collect()
}

pub(crate) fn products(db: &Connection) -> Result<Vec<Product>> {
    let mut statement = db.prepare_cached("SELECT sku, price, stock FROM product ORDER BY sku")?;
    let product = |row: &Row<'_>| {
        Ok(Product {
            sku: row.get(0)?,
            price: row.get(1)?,
            stock: row.get(2)?,
        })
    };
    statement.query_map([], product)?.collect()
}

/// Orders at their end whose customers have not been told, the oldest first.
pub(crate) fn unsent(db: &Connection, limit: u32) -> Result<Vec<Order>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE state IN ('completed', 'failed') AND notified = 0
         ORDER BY id LIMIT ?1"
    );
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_map([limit], order)?.collect()
}

pub(crate) fn sent(db: &Connection, ids: &[OrderId]) -> Result<()> {
    let mut statement = db.prepare_cached("UPDATE orders SET notified = 1 WHERE id = ?1")?;
    for id in ids {
        statement.execute([id])?;
    }
    Ok(())
}
