//! The bank's door: an axum router, for whoever serves it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};

use super::client::{Charge, KEY, Outcome, Refusal};
use super::ledger::{Decision, Ledger};

/// What goes wrong between the bank and its customers, for tests: asked for each answer.
pub type Fault = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Clone)]
struct Bank {
    ledger: Arc<Mutex<Ledger>>,
    loses_answer: Fault,
}

type Answer = (StatusCode, Json<Refusal>);

/// The bank with its books in that file. Where `loses_answer` says so, it does what it is asked for
/// and then answers 504.
///
/// # Errors
///
/// If the file cannot be used.
pub fn router(books: &Path, loses_answer: Fault) -> rusqlite::Result<Router> {
    let bank = Bank {
        ledger: Arc::new(Mutex::new(Ledger::open(books)?)),
        loses_answer,
    };
    Ok(Router::new()
        .route("/charges", post(charge))
        .route("/voids", post(void))
        .with_state(bank))
}

async fn charge(bank: State<Bank>, headers: HeaderMap, Json(charge): Json<Charge>) -> Answer {
    decide(bank, &headers, charge, Ledger::charge).await
}

async fn void(bank: State<Bank>, headers: HeaderMap, Json(charge): Json<Charge>) -> Answer {
    decide(bank, &headers, charge, Ledger::void).await
}

async fn decide(
    State(bank): State<Bank>,
    headers: &HeaderMap,
    mut charge: Charge,
    how: fn(&mut Ledger, &Charge) -> rusqlite::Result<Decision>,
) -> Answer {
    let Some(key) = headers.get(KEY).and_then(|key| key.to_str().ok()) else {
        return answer(StatusCode::BAD_REQUEST, "an Idempotency-Key is needed");
    };
    charge.key = key.to_owned();
    let ledger = Arc::clone(&bank.ledger);
    let decided = tokio::task::spawn_blocking(move || {
        how(
            &mut ledger.lock().unwrap_or_else(PoisonError::into_inner),
            &charge,
        )
    });
    let decision = match decided.await {
        Ok(Ok(decision)) => decision,
        Ok(Err(error)) => return answer(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => return answer(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    };
    if (bank.loses_answer)() {
        return answer(StatusCode::GATEWAY_TIMEOUT, "the answer got lost");
    }
    match decision {
        Decision::Outcome(Outcome::Charged) => answer(StatusCode::CREATED, ""),
        Decision::Outcome(Outcome::Declined(why)) => answer(StatusCode::PAYMENT_REQUIRED, &why),
        Decision::Voided => answer(StatusCode::OK, "voided"),
        Decision::KeyTaken => answer(StatusCode::CONFLICT, "the key belongs to another charge"),
    }
}

fn answer(status: StatusCode, error: &str) -> Answer {
    let error = error.to_owned();
    (status, Json(Refusal { error }))
}
