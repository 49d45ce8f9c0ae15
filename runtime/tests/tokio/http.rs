//! axum and reqwest over real sockets, on either side.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use regrow_runtime::{
    Exit, ExitReason, Pid, ReplyTo, SpawnOptions, exit, receive, receive_down, reply_channel,
    self_pid, send, spawn, spawn_link, trap_exit,
};
use tokio::net::TcpListener;

use super::{beside, in_time, run, tokio_runtime};

struct Count(String, ReplyTo<usize>);

/// Counts letters; an empty word is more than it can bear.
async fn counter() {
    loop {
        let Count(word, reply) = receive().await;
        assert!(word != "zero", "no letters at all");
        reply.send(word.len());
    }
}

async fn count(State(counter): State<Pid>, Path(word): Path<String>) -> (StatusCode, String) {
    let (reply_to, reply) = reply_channel();
    send(counter, Count(word, reply_to));
    match reply.await {
        Ok(letters) => (StatusCode::OK, letters.to_string()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    }
}

fn router(counter: Pid) -> Router {
    Router::new()
        .route("/count/{word}", get(count))
        .with_state(counter)
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn ask(address: SocketAddr, word: &str) -> reqwest::Result<(u16, String)> {
    let response = reqwest::get(format!("http://{address}/count/{word}")).await?;
    Ok((response.status().as_u16(), response.text().await?))
}

#[test]
fn an_axum_server_of_tokio_asks_processes() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let counter = runtime.spawn(counter());
        tokio.block_on(async {
            let (listener, address) = listen().await;
            tokio::spawn(async move { axum::serve(listener, router(counter)).await });
            assert_eq!(ask(address, "tree").await.unwrap(), (200, "4".into()));
            let (status, why) = ask(address, "zero").await.unwrap();
            assert_eq!(status, 503);
            assert!(why.contains("no letters at all"), "{why}");
        });
    });
}

#[test]
fn an_axum_server_is_a_process_and_processes_are_its_clients() {
    run(async {
        let counter = spawn(counter());
        let (listener, address) = listen().await;
        let server = SpawnOptions::new().monitor().spawn(async move {
            let _ = axum::serve(listener, router(counter)).await;
        });
        let server = server.unwrap();
        let this = self_pid();
        for letters in 1..=50 {
            spawn(async move {
                let word = "a".repeat(letters);
                let answer = ask(address, &word).await.unwrap();
                send(this, answer == (200, letters.to_string()));
            });
        }
        for _ in 0..50 {
            assert!(receive::<bool>().await);
        }

        // Its end closes the door: nobody answers any more.
        exit(server.pid, ExitReason::Kill);
        receive_down(server.monitor.unwrap()).await;
        assert!(ask(address, "late").await.unwrap_err().is_connect());
    });
}

/// As a child of a supervisor is stopped: what it has begun is answered first.
#[test]
fn an_axum_server_in_a_process_ends_gracefully_at_an_exit_signal() {
    run(async {
        let (entered, mut has_entered) = tokio::sync::mpsc::channel(1);
        let release = Arc::new(tokio::sync::Notify::new());
        let slow = release.clone();
        let router = Router::new().route(
            "/count/{word}",
            get(move || async move {
                entered.send(()).await.unwrap();
                slow.notified().await;
                "at last"
            }),
        );
        let (listener, address) = listen().await;
        let parent = self_pid();
        trap_exit(true);
        let server = spawn_link(async move {
            trap_exit(true);
            let told = async {
                receive::<Exit>().await;
                send(parent, "stopping");
            };
            // `serve` wants a future that is nobody's: the process itself waits for the signal.
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let serving = axum::serve(listener, router)
                .with_graceful_shutdown(async move { drop(stopped.await) });
            let (served, ()) = tokio::join!(serving.into_future(), async {
                told.await;
                drop(stop);
            });
            served.map_err(ExitReason::error)
        });
        let client = tokio::spawn(async move { ask(address, "slow").await });
        has_entered.recv().await.unwrap();
        exit(server, ExitReason::Shutdown);
        assert_eq!(receive::<&str>().await, "stopping");
        release.notify_one();
        assert_eq!(client.await.unwrap().unwrap(), (200, "at last".into()));
        assert_eq!(receive::<Exit>().await.reason, ExitReason::Normal);
    });
}
