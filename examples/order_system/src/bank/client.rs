//! The bank as the shop sees it: HTTP, by reqwest.

use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::order::Order;

/// How long the bank may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The header that names a charge.
pub const KEY: &str = "idempotency-key";

/// What the bank is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Charge {
    /// By what the bank knows it.
    #[serde(skip)]
    pub key: String,
    /// The shop's number for it.
    pub order: i64,
    /// Who pays.
    pub card: String,
    /// In cents.
    pub amount: i64,
}

impl Charge {
    /// That of an order: always the same.
    pub fn of(order: &Order) -> Self {
        Charge {
            key: order.payment_key(),
            order: order.id,
            card: order.request.card.clone(),
            amount: order.amount,
        }
    }
}

/// What the bank has decided, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has taken the money.
    Charged,
    /// It will not.
    Declined(String),
}

/// What the bank writes with a refusal.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub error: String,
}

/// Why it is not known what the bank has done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BankError {
    /// There is no answer.
    #[error("the bank does not answer: {0}")]
    NoAnswer(String),
    /// There is one that makes no sense.
    #[error("the bank answers {0}")]
    Answer(StatusCode),
}

impl From<reqwest::Error> for BankError {
    fn from(error: reqwest::Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = cause.to_string();
            source = cause.source();
        }
        BankError::NoAnswer(text)
    }
}

/// A way to the bank. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bank {
    client: Client,
    url: String,
}

impl Bank {
    /// The bank at that address, as in `http://127.0.0.1:8081`.
    ///
    /// # Errors
    ///
    /// If there can be no HTTP client.
    pub fn new(url: String) -> reqwest::Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Bank { client, url })
    }

    /// Takes the money, or hears that it was taken before.
    ///
    /// # Errors
    ///
    /// If it is not known whether the bank has; ask again.
    pub async fn charge(&self, charge: &Charge) -> Result<Outcome, BankError> {
        let response = self.post("/charges", charge).await?;
        match response.status() {
            StatusCode::CREATED => Ok(Outcome::Charged),
            StatusCode::OK => Ok(Outcome::Declined("the charge was voided".into())),
            StatusCode::PAYMENT_REQUIRED => {
                Ok(Outcome::Declined(response.json::<Refusal>().await?.error))
            }
            status => Err(BankError::Answer(status)),
        }
    }

    /// Gives the money back, or sees to it that it will never be taken.
    ///
    /// # Errors
    ///
    /// If it is not known whether the bank has; ask again.
    pub async fn void(&self, charge: &Charge) -> Result<(), BankError> {
        let response = self.post("/voids", charge).await?;
        match response.status() {
            StatusCode::OK => Ok(()),
            status => Err(BankError::Answer(status)),
        }
    }

    async fn post(&self, path: &str, charge: &Charge) -> reqwest::Result<Response> {
        let request = self.client.post(format!("{}{path}", self.url));
        request.header(KEY, &charge.key).json(charge).send().await
    }
}
