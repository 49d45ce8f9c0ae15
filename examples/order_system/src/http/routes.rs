//! What can be asked, and how it is with the tree.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use regrow::{Handle, print_tree, reply_channel};
use serde::Serialize;

use super::error::{Answer, ApiError};
use super::gate;
use super::orders::{self, steadily};
use crate::chaos;
use crate::config::Config;
use crate::repo::{self, Product, Repo};
use crate::tree::{PARTS, ROOT};

/// The largest body that is read.
const BODY_MAX: usize = 64 * 1024;
/// The longest that a request may take, the sending of its body included.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// The longest that the repo may take to be called well.
const HEALTH: Duration = Duration::from_secs(1);

/// What the handlers work with.
#[derive(Clone)]
pub(super) struct Shop {
    pub(super) config: Arc<Config>,
    pub(super) repo: Repo,
    pub(super) handle: Handle,
}

pub(super) fn router(config: &Arc<Config>, handle: Handle) -> Router {
    let shop = Shop {
        config: Arc::clone(config),
        repo: Repo::on(&handle),
        handle,
    };
    let mut router = Router::new()
        .route("/orders", get(orders::list).post(orders::place))
        .route("/orders/{id}", get(orders::show))
        .route("/products", get(products))
        .route("/healthz", get(health));
    if config.chaos || config.chaos_rate > 0.0 {
        router = router.route("/chaos", get(kills)).route("/tree", get(tree));
    }
    if config.chaos {
        router = router.route("/chaos/{part}", post(kill));
    }
    router
        .fallback(|| async { ApiError::not_found("there is nothing here") })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(shop.clone(), attend))
        .with_state(shop)
}

/// What is done around each request.
async fn attend(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    let gate: &gate::Gate = &shop.config.gate;
    let Some(_pass) = gate.enter() else {
        return close(ApiError::unavailable("the shop is closed").into_response());
    };
    match tokio::time::timeout(REQUEST_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            close(ApiError::new(StatusCode::REQUEST_TIMEOUT, "that took too long").into_response())
        }
    }
}

/// Has the connection closed after the answer.
fn close(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

async fn products(State(shop): State<Shop>) -> Answer<Json<Vec<Product>>> {
    Ok(Json(steadily(|| shop.repo.products()).await?))
}

#[derive(Serialize)]
struct Health {
    ready: bool,
    parts: BTreeMap<&'static str, String>,
}

/// 200 if every part of the tree is there and the repo answers; else 503.
async fn health(State(shop): State<Shop>) -> Response {
    let mut ready = !shop.config.gate.is_closed();
    let mut parts = BTreeMap::new();
    for part in PARTS {
        let is_up = shop.handle.whereis(part).is_some();
        ready &= is_up;
        parts.insert(part, if is_up { "up" } else { "down" }.to_owned());
    }
    let down = match tokio::time::timeout(HEALTH, shop.repo.ping()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("no answer in time".to_owned()),
    };
    if let Some(why) = down {
        ready = false;
        parts.insert(repo::NAME, why);
    }
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Health { ready, parts })).into_response()
}

async fn kill(
    State(shop): State<Shop>,
    part: Result<Path<String>, PathRejection>,
) -> Answer<Json<BTreeMap<&'static str, String>>> {
    let Path(part) = part?;
    if !PARTS.contains(&part.as_str()) {
        let why = format!("no part {part}; there are {}", PARTS.join(", "));
        return Err(ApiError::not_found(why));
    }
    match chaos::kill(&part, &shop.handle, &shop.config.kills) {
        Some(pid) => Ok(Json(BTreeMap::from([("killed", pid.to_string())]))),
        None => Err(ApiError::unavailable(format!("{part} is not running"))),
    }
}

async fn kills(State(shop): State<Shop>) -> Json<BTreeMap<String, u64>> {
    Json(shop.config.kills.get())
}

/// The supervision tree as text. Only a process can ask for it.
async fn tree(State(shop): State<Shop>) -> Answer<String> {
    let Some(root) = shop.handle.whereis(ROOT) else {
        return Err(ApiError::unavailable("there is no tree"));
    };
    let (reply_to, reply) = reply_channel();
    shop.handle.spawn(async move {
        reply_to.send(print_tree(root).await.map(|tree| tree.to_string()));
    });
    match reply.await {
        Ok(Ok(tree)) => Ok(tree),
        Ok(Err(error)) => Err(ApiError::unavailable(error.to_string())),
        Err(error) => Err(ApiError::unavailable(error.to_string())),
    }
}
