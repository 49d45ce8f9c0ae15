//! The dispatcher and the processes of orders, in a whole tree whose bank nobody answers for.

use std::collections::HashSet;
use std::future::Future;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow::{ExitReason, Pid, Runtime, exit, sleep, whereis};

use super::{DISPATCHER, ORDERS};
use crate::config::Config;
use crate::order::{Line, Order, OrderId, Request, State};
use crate::repo::{Inserted, Location, Repo, schema};
use crate::tree;

const DEADLINE: Duration = Duration::from_secs(30);

/// Runs a test as a process beside the tree, with a database of its own.
fn with_tree<F: Future<Output = ()> + Send + 'static>(name: &str, test: F) {
    let folder = std::env::temp_dir().join(format!("order-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let config = Arc::new(config(folder.join("orders.db")));
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let runtime = Runtime::builder().tokio(tokio.handle().clone());
    let runtime = runtime.workers(2).build().unwrap();
    runtime.block_on(async move {
        tree::start(config, HashSet::new()).await.unwrap();
        test.await;
    });
    drop(runtime);
    std::fs::remove_dir_all(&folder).unwrap();
}

fn config(database: PathBuf) -> Config {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    Config {
        database: Location {
            path: database,
            sync: schema::Sync::Normal,
        },
        bank: format!("http://{}", closed.local_addr().unwrap()),
        max_processing: 2,
        payment_patience: Duration::from_secs(3_600),
        drain: Duration::from_millis(1),
        chaos: true,
        chaos_rate: 0.0,
        restart_intensity: None,
        address: listener.local_addr().unwrap(),
        listener,
        gate: Arc::default(),
        kills: Arc::default(),
    }
}

async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

async fn place(key: &str) -> OrderId {
    let request = Request {
        customer: "Ada".into(),
        card: "tok_visa".into(),
        lines: vec![Line {
            sku: "orchid".into(),
            quantity: 1,
        }],
    };
    match Repo::here().insert(key.into(), request).await.unwrap() {
        Inserted::New(order) => order.id,
        other => panic!("{other:?}"),
    }
}

async fn in_state(id: OrderId, state: State) -> Order {
    eventually("such a state", async || {
        let order = Repo::here().get(id).await.unwrap().unwrap();
        (order.state == state).then_some(order)
    })
    .await
}

/// The process of an order, when it is another than that one.
async fn processor(id: OrderId, before: Option<Pid>) -> Pid {
    eventually("process of the order", async || {
        ORDERS.whereis(&id).filter(|pid| Some(*pid) != before)
    })
    .await
}

#[test]
fn an_order_whose_process_fails_by_itself_again_and_again_is_abandoned() {
    with_tree("fails", async {
        let id = place("a").await;
        in_state(id, State::Charging).await;
        let mut before = None;
        for _ in 0..5 {
            let pid = processor(id, before).await;
            exit(pid, ExitReason::error("it cannot bear this order"));
            before = Some(pid);
        }
        let order = in_state(id, State::Voiding).await;
        let reason = order.reason.unwrap();
        assert!(reason.contains("failed 5 times"), "{reason}");
        assert!(reason.contains("cannot bear"), "{reason}");
    });
}

#[test]
fn an_order_whose_process_is_killed_by_others_is_never_abandoned() {
    with_tree("killed", async {
        let id = place("a").await;
        in_state(id, State::Charging).await;
        let mut before = None;
        for _ in 0..20 {
            let pid = processor(id, before).await;
            exit(pid, ExitReason::Kill);
            before = Some(pid);
        }
        processor(id, before).await;
        in_state(id, State::Charging).await;
    });
}

#[test]
fn no_more_orders_are_worked_on_at_a_time_than_it_is_said_and_each_by_one_process() {
    with_tree("limit", async {
        let mut ids = Vec::new();
        for n in 0..5 {
            ids.push(place(&n.to_string()).await);
        }
        for id in &ids[..2] {
            in_state(*id, State::Charging).await;
        }
        // A dispatcher that knows of none finds those that are worked on.
        let first = processor(ids[0], None).await;
        let dispatcher = DISPATCHER.whereis().unwrap();
        exit(dispatcher, ExitReason::Kill);
        eventually("next dispatcher", async || {
            whereis(DISPATCHER.as_str()).filter(|pid| *pid != dispatcher)
        })
        .await;
        assert_eq!(processor(ids[0], None).await, first);
        for id in &ids[2..] {
            let order = Repo::here().get(*id).await.unwrap().unwrap();
            assert_eq!(order.state, State::Accepted);
            assert_eq!(ORDERS.whereis(id), None);
        }
        // Whoever is killed goes before those that have not begun.
        exit(first, ExitReason::Kill);
        processor(ids[0], Some(first)).await;
        assert_eq!(ORDERS.whereis(&ids[2]), None);
    });
}
