//! A customer: orders, and remembers what it was told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use order_system::order::{Line, Request};
use regrow::sleep;
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use crate::figures::Seen;
use crate::options::{Chance, Options};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a request that was not answered.
const PAUSE: Duration = Duration::from_millis(5);
/// After so long without an answer an order is lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of 100 orders so many are paid by a card that the bank declines, and so many are for something of
/// which there is little.
const DECLINED: u64 = 10;
const SCARCE: u64 = 2;

/// What a customer was told: this order is accepted.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) key: String,
    /// None if it never heard.
    pub(crate) id: Option<i64>,
}

pub(crate) struct Customer {
    number: u32,
    client: Client,
    orders: String,
    pace: Duration,
    chance: Chance,
    seed: u64,
    stop: Arc<AtomicBool>,
    seen: Seen,
}

#[derive(Deserialize)]
struct Accepted {
    id: i64,
    key: String,
}

impl Customer {
    pub(crate) fn new(
        number: u32,
        shop: SocketAddr,
        options: &Options,
        stop: &Arc<AtomicBool>,
    ) -> Self {
        Customer {
            number,
            client: Client::builder()
                .timeout(TIMEOUT)
                .no_proxy()
                .build()
                .expect("a client without settings that could be wrong"),
            orders: format!("http://{shop}/orders"),
            pace: Duration::from_millis(options.pace),
            chance: Chance::new(options.seed.wrapping_mul(1_000_003) ^ u64::from(number)),
            seed: options.seed,
            stop: Arc::clone(stop),
            seen: Seen::default(),
        }
    }

    /// Orders until it is told to stop.
    pub(crate) async fn shop(mut self) -> (Vec<Told>, Seen) {
        let mut told = Vec::new();
        for n in 0_u64.. {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let key = format!("{}-{}-{n}", self.seed, self.number);
            let request = self.request();
            let begun = Instant::now();
            let id = self.order(&key, &request, begun).await;
            self.seen.accepted.push(begun.elapsed());
            told.push(Told { key, id });
            if let Some(id) = id
                && self.chance.below(4) == 0
            {
                self.look(id).await;
            }
            sleep(self.pace).await;
        }
        (told, self.seen)
    }

    fn request(&mut self) -> Request {
        let card = match self.chance.below(100) < DECLINED {
            true => "tok_declined".to_owned(),
            false => format!("tok_{}", self.number),
        };
        let mut lines = Vec::new();
        for sku in ["spade", "rake", "tulip-bulb"] {
            if lines.is_empty() || self.chance.below(2) == 0 {
                let quantity = 1 + self.chance.below(3) as u32;
                let sku = sku.to_owned();
                lines.push(Line { sku, quantity });
            }
        }
        if self.chance.below(100) < SCARCE {
            let (sku, quantity) = ("orchid".to_owned(), 3);
            lines.push(Line { sku, quantity });
        }
        Request {
            customer: format!("customer {}", self.number),
            card,
            lines,
        }
    }

    /// The same order again and again, until it is known to be accepted.
    async fn order(&mut self, key: &str, request: &Request, begun: Instant) -> Option<i64> {
        loop {
            let post = self.client.post(&self.orders);
            let post = post.header("idempotency-key", key).json(request);
            let sent = Instant::now();
            let answer = async {
                let answer = post.send().await?;
                let status = answer.status();
                let is_accepted = matches!(status, StatusCode::OK | StatusCode::ACCEPTED);
                let order: Option<Accepted> = match is_accepted {
                    true => Some(answer.json().await?),
                    false => None,
                };
                reqwest::Result::Ok((status, order))
            };
            match answer.await {
                Ok((_, Some(order))) => {
                    self.seen.answered(sent.elapsed());
                    if order.key != key {
                        self.seen
                            .nonsense
                            .push(format!("{key} was answered {}", order.key));
                    }
                    return Some(order.id);
                }
                Ok((status, None)) if !status.is_server_error() => {
                    self.seen.answered(sent.elapsed());
                    self.seen
                        .nonsense
                        .push(format!("{key} was refused: {status}"));
                    return None;
                }
                Ok(_) => self.seen.unavailable += 1,
                Err(error) => self.seen.no_answer(&error),
            }
            if begun.elapsed() > PATIENCE {
                return None;
            }
            sleep(PAUSE).await;
        }
    }

    /// Whoever was told that an order is accepted finds it.
    async fn look(&mut self, id: i64) {
        let sent = Instant::now();
        match self
            .client
            .get(format!("{}/{id}", self.orders))
            .send()
            .await
        {
            Ok(answer) if answer.status().is_success() => self.seen.answered(sent.elapsed()),
            Ok(answer) if answer.status().is_server_error() => self.seen.unavailable += 1,
            Ok(answer) => {
                let status = answer.status();
                self.seen.nonsense.push(format!("order {id}: {status}"));
            }
            Err(error) => self.seen.no_answer(&error),
        }
    }
}
