//! The shop's database, the bank's books and what customers were told, compared.

use std::collections::HashMap;

use order_system::order::{Request, State};
use rusqlite::{Connection, OpenFlags};

use crate::Trouble;
use crate::customer::Told;
use crate::server::Folder;

fn read(folder: &Folder, name: &str) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(folder.file(name), OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// How many orders are not at their end, or nobody has told their customers so.
pub(crate) fn unfinished(folder: &Folder) -> rusqlite::Result<i64> {
    let sql = "SELECT count(*) FROM orders
               WHERE state NOT IN ('completed', 'failed') OR notified = 0";
    read(folder, "orders.db")?.query_row(sql, [], |row| row.get(0))
}

struct Row {
    key: String,
    request: Request,
    amount: i64,
    state: State,
    reason: Option<String>,
    notified: bool,
}

fn orders(db: &Connection) -> Result<HashMap<i64, Row>, Trouble> {
    let sql = "SELECT id, key, request, amount, state, reason, notified FROM orders";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut orders = HashMap::new();
    while let Some(row) = rows.next()? {
        let (request, state): (String, String) = (row.get(2)?, row.get(4)?);
        let order = Row {
            key: row.get(1)?,
            request: serde_json::from_str(&request)?,
            amount: row.get(3)?,
            state: State::from_word(&state).ok_or(format!("no state: {state}"))?,
            reason: row.get(5)?,
            notified: row.get(6)?,
        };
        orders.insert(row.get(0)?, order);
    }
    Ok(orders)
}

/// For each order: how often the bank took money, and how much of it the bank has.
fn money(db: &Connection) -> rusqlite::Result<HashMap<i64, (i64, i64)>> {
    let sql = "SELECT order_id, sum(amount > 0), sum(amount) FROM movement GROUP BY order_id";
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    rows.collect()
}

/// What does not hold.
pub(crate) fn check(folder: &Folder, told: &[Told]) -> Result<Vec<String>, Trouble> {
    let db = read(folder, "orders.db")?;
    let (orders, money) = (orders(&db)?, money(&read(folder, "bank.db")?)?);
    let mut wrong = Vec::new();
    for Told { key, id } in told {
        match id.map(|id| (id, orders.get(&id))) {
            None => wrong.push(format!("{key} was never accepted")),
            Some((id, None)) => wrong.push(format!("lost: order {id} ({key})")),
            Some((id, Some(order))) if order.key != *key => {
                wrong.push(format!(
                    "order {id} was promised to {key}, but is of {}",
                    order.key
                ));
            }
            Some(_) => {}
        }
    }
    let mut states: HashMap<State, u32> = HashMap::new();
    let mut sold: HashMap<&str, i64> = HashMap::new();
    for (id, order) in &orders {
        *states.entry(order.state).or_default() += 1;
        let (times, amount) = money.get(id).copied().unwrap_or_default();
        if times > 1 {
            wrong.push(format!("order {id} was paid {times} times"));
        }
        let due = match order.state {
            State::Completed => order.amount,
            _ => 0,
        };
        if amount != due {
            wrong.push(format!(
                "order {id} is {:?}, and the bank has {amount}",
                order.state
            ));
        }
        match (order.state, &order.reason) {
            (State::Completed, None) | (State::Failed, Some(_)) => {}
            (state, reason) => wrong.push(format!("order {id} is {state:?}, reason {reason:?}")),
        }
        if order.state.holds_stock() {
            for line in &order.request.lines {
                *sold.entry(&line.sku).or_default() += i64::from(line.quantity);
            }
        }
        if !order.notified {
            wrong.push(format!("nobody has told the customer of order {id}"));
        }
    }
    let strangers = money.keys().filter(|id| !orders.contains_key(id)).count();
    if strangers > 0 {
        wrong.push(format!(
            "the bank has money of {strangers} orders that nobody knows"
        ));
    }
    wrong.extend(stock(&db, &sold)?);
    let count = |state| states.get(&state).copied().unwrap_or(0);
    let (completed, failed) = (count(State::Completed), count(State::Failed));
    println!("in the database: {completed} completed, {failed} failed with a reason");
    Ok(wrong)
}

/// What is there and what was sold is what there was in the beginning.
fn stock(db: &Connection, sold: &HashMap<&str, i64>) -> Result<Vec<String>, Trouble> {
    let mut statement = db.prepare("SELECT sku, stock, initial FROM product")?;
    let mut rows = statement.query([])?;
    let mut wrong = Vec::new();
    while let Some(row) = rows.next()? {
        let (sku, left, initial): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let sold = sold.get(sku.as_str()).copied().unwrap_or(0);
        if left + sold != initial {
            wrong.push(format!(
                "of {initial} {sku} there are {left}, and {sold} are sold"
            ));
        }
    }
    Ok(wrong)
}
