//! What the tests stand on: a folder, a shop, a bank, and how to ask them.

use std::fs::File;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use order_system::bank::server::router;
use reqwest::{Client, StatusCode};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How long anything that must happen may take. Only a failing test waits as long as this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// An empty folder; removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("order-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Folder(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command for a shop in that folder.
pub(crate) fn command(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order-system"));
    command
        .args(["--listen", "127.0.0.1:0", "--database"])
        .arg(folder.file("orders.db"))
        .args(arguments)
        .stdin(Stdio::null());
    if !arguments.contains(&"--bank") {
        command.arg("--bank-database").arg(folder.file("bank.db"));
    }
    command
}

/// A running shop; killed when dropped.
pub(crate) struct Shop {
    child: Child,
    pub(crate) address: SocketAddr,
    client: Client,
    log: PathBuf,
}

impl Shop {
    pub(crate) async fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let (output, log) = (folder.file("out"), folder.file("log"));
        let mut command = command(folder, arguments);
        command
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&log).unwrap());
        let mut child = command.spawn().expect("the program starts");
        let address = eventually("the address", async || {
            let text = std::fs::read_to_string(&output).unwrap();
            let (first, _) = text.split_once('\n')?;
            first.rsplit_once("http://")?.1.parse().ok()
        });
        let address = tokio::select! {
            address = address => address,
            status = ended(&mut child) => {
                let said = std::fs::read_to_string(&log).unwrap();
                panic!("the shop ended, {status}: {said}");
            }
        };
        Shop {
            child,
            address,
            client: Client::builder().no_proxy().build().unwrap(),
            log,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.client.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str) -> (StatusCode, Value) {
        answer(self.client.post(self.url(path))).await
    }

    pub(crate) async fn order(&self, key: &str, order: &Value) -> (StatusCode, Value) {
        let request = self.client.post(self.url("/orders")).json(order);
        answer(request.header("idempotency-key", key)).await
    }

    /// Orders, and returns the number.
    pub(crate) async fn accepted(&self, key: &str, order: &Value) -> i64 {
        let (status, order) = self.order(key, order).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{order}");
        order["id"].as_i64().unwrap()
    }

    /// Waits until an order is in that state.
    pub(crate) async fn wait(&self, id: i64, state: &str) -> Value {
        let path = format!("/orders/{id}");
        let what = format!("order {id} {state}");
        eventually(&what, async || {
            let (_, order) = self.get(&path).await;
            (order["state"] == state).then_some(order)
        })
        .await
    }

    /// SIGTERM, and the exit status.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        ended(&mut self.child).await
    }

    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it is there");
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        ended(&mut self.child).await
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the shop's log:\n{}", self.log());
        }
    }
}

async fn ended(child: &mut Child) -> ExitStatus {
    eventually("its end", async || child.try_wait().unwrap()).await
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(json!(text)))
}

/// Asks until there is something.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An order of one product.
pub(crate) fn order(sku: &str, quantity: u32, card: &str) -> Value {
    let lines = json!([{ "sku": sku, "quantity": quantity }]);
    json!({ "customer": "Ada", "card": card, "lines": lines })
}

/// A bank of the test's own; while it is `deaf` it does as it is told and loses the answers.
pub(crate) struct Bank {
    pub(crate) url: String,
    pub(crate) deaf: Arc<AtomicBool>,
    books: PathBuf,
}

impl Bank {
    pub(crate) async fn open(folder: &Folder) -> Self {
        let books = folder.file("books.db");
        let deaf = Arc::new(AtomicBool::new(false));
        let is_deaf = Arc::clone(&deaf);
        let loses = Arc::new(move || is_deaf.load(Ordering::SeqCst));
        let router = router(&books, loses).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Bank { url, deaf, books }
    }

    /// How often money of the order was taken, and how much the bank has.
    pub(crate) fn money(&self, id: i64) -> (i64, i64) {
        let sql = "SELECT coalesce(sum(amount > 0), 0), coalesce(sum(amount), 0)
                   FROM movement WHERE order_id = ?1";
        let books = Connection::open(&self.books).unwrap();
        let row = books.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?)));
        row.unwrap()
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Does something on a runtime of tokio with threads.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    tokio.block_on(test);
}
