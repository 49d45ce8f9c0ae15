//! POST /orders, GET /orders, GET /orders/{id}.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::error::{Answer, ApiError};
use super::routes::Shop;
use crate::order::{self, Order, OrderId, Request};
use crate::processing::ORDERS;
use crate::repo::{Inserted, Page, RepoError};

/// How long a request waits for a repo that is being started again.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(2);
/// Characters of an idempotency key, at most.
const KEY_MAX: usize = 255;
/// Orders on a page, unless it is said, and at most.
const PAGE: (u32, u32) = (50, 500);

/// Asks until there is an answer. All that is asked may be asked twice.
pub(super) async fn steadily<T, F>(ask: impl Fn() -> F) -> Result<T, RepoError>
where
    F: Future<Output = Result<T, RepoError>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Err(RepoError::Call(_)) if Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Accepts an order: 202 when it is on disk, and 200 if it was before.
pub(super) async fn place(
    State(shop): State<Shop>,
    headers: HeaderMap,
    request: Result<Json<Request>, JsonRejection>,
) -> Answer<Response> {
    let Json(request) = request?;
    let key = key(&headers)?;
    if let Err(why) = request.check() {
        return Err(ApiError::unprocessable(why.to_string()));
    }
    if shop.config.gate.is_closed() {
        return Err(ApiError::unavailable("the shop is closing"));
    }
    let insert = || shop.repo.insert(key.clone(), request.clone());
    let (status, order) = match steadily(insert).await? {
        Inserted::New(order) => (StatusCode::ACCEPTED, order),
        Inserted::Known(order) => (StatusCode::OK, order),
        Inserted::KeyTaken => {
            let why = "the Idempotency-Key belongs to another request";
            return Err(ApiError::unprocessable(why));
        }
        Inserted::NoProduct(sku) => {
            return Err(ApiError::unprocessable(format!(
                "there is no product {sku}"
            )));
        }
    };
    let location = format!("/orders/{}", order.id);
    Ok((status, [(header::LOCATION, location)], Json(order)).into_response())
}

/// The key that the client has chosen, or else one that nobody else has.
fn key(headers: &HeaderMap) -> Answer<String> {
    let Some(key) = headers.get("idempotency-key") else {
        let part = || RandomState::new().build_hasher().finish();
        return Ok(format!("auto-{:016x}{:016x}", part(), part()));
    };
    let key = key.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > KEY_MAX {
        let why = format!("Idempotency-Key must have 1 to {KEY_MAX} visible ASCII characters");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, why));
    }
    Ok(key.to_owned())
}

/// An order, and whether somebody works on it now.
#[derive(Serialize)]
pub(super) struct Shown {
    #[serde(flatten)]
    order: Order,
    in_process: bool,
}

pub(super) async fn show(
    State(shop): State<Shop>,
    id: Result<Path<OrderId>, PathRejection>,
) -> Answer<Json<Shown>> {
    let Path(id) = id?;
    match steadily(|| shop.repo.get(id)).await? {
        Some(order) => Ok(Json(Shown {
            order,
            in_process: ORDERS.on(&shop.handle).whereis(&id).is_some(),
        })),
        None => Err(ApiError::not_found(format!("there is no order {id}"))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing {
    #[serde(default)]
    after: OrderId,
    limit: Option<u32>,
    state: Option<order::State>,
}

/// A page of orders, by number.
#[derive(Serialize)]
pub(super) struct Orders {
    orders: Vec<Order>,
    /// Where the next page is, if there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn list(
    State(shop): State<Shop>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Answer<Json<Orders>> {
    let Query(Listing {
        after,
        limit,
        state,
    }) = listing?;
    let limit = limit.unwrap_or(PAGE.0);
    if limit == 0 || limit > PAGE.1 {
        let why = format!("`limit` must be 1 to {}", PAGE.1);
        return Err(ApiError::new(StatusCode::BAD_REQUEST, why));
    }
    let page = Page {
        after,
        limit,
        state,
    };
    let orders = steadily(|| shop.repo.list(page)).await?;
    let last = orders.last().filter(|_| orders.len() == limit as usize);
    let next = last.map(|last| {
        let state = state.map_or(String::new(), |it| format!("&state={}", it.as_str()));
        format!("/orders?after={}&limit={limit}{state}", last.id)
    });
    Ok(Json(Orders { orders, next }))
}
