//! From the command line to a running shop, and what people are told on the way.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use regrow::{Application, ChildSpec, Pid, Runtime, Strategy, Supervisor, print_tree, processes};
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::bank::server;
use crate::chaos::Kills;
use crate::config::Config;
use crate::http::gate::Gate;
use crate::http::serve;
use crate::repo::lock::Lock;
use crate::repo::{Location, schema};
use crate::tree;

/// So many clients may wait in line while the endpoint is started again.
const BACKLOG: i32 = 4_096;

/// Runs the shop until it is told to stop (exit code 0) or cannot go on.
pub fn run(args: &Args) -> ExitCode {
    match prepare(args) {
        Ok(program) => program.run(),
        Err(why) => {
            // Nobody may be reading any more, and the exit code says it, too.
            let _ = writeln!(std::io::stderr(), "order-system: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What would keep the tree from starting is found before, and said in one line.
struct Program {
    config: Arc<Config>,
    /// The bank in the program, if there is one: its socket, and what it answers.
    bank: Option<(TcpListener, Router)>,
    tokio: tokio::runtime::Runtime,
    workers: Option<usize>,
    _lock: Lock,
}

fn prepare(args: &Args) -> Result<Program, String> {
    start_log(&args.log).map_err(|why| format!("bad --log filter: {why}"))?;
    let database = Location {
        path: args.database.clone(),
        sync: args.sync,
    };
    schema::prove(&database.path, database.sync).map_err(|error| error.to_string())?;
    let lock = Lock::of(&database.path).map_err(|error| error.to_string())?;
    let (listener, address) = listen(args.listen)?;
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.tokio_threads)
        .thread_name("tokio")
        .enable_all()
        .build()
        .map_err(|error| format!("tokio does not start: {error}"))?;
    let (bank, url) = match &args.bank {
        Some(url) => (None, url.clone()),
        None => {
            let path = &args.bank_database;
            let router = server::router(path, Arc::new(|| false)).map_err(|error| {
                format!("cannot use bank database `{}`: {error}", path.display())
            })?;
            let (listener, address) = listen(([127, 0, 0, 1], 0).into())?;
            (Some((listener, router)), format!("http://{address}"))
        }
    };
    let config = Arc::new(Config {
        database,
        bank: url,
        max_processing: args.max_processing,
        payment_patience: args.payment_patience,
        drain: args.drain,
        chaos: args.chaos,
        chaos_rate: args.chaos_rate,
        restart_intensity: args.restart_intensity,
        listener,
        address,
        gate: Arc::new(Gate::default()),
        kills: Arc::new(Kills::default()),
    });
    Ok(Program {
        config,
        bank,
        tokio,
        workers: args.workers,
        _lock: lock,
    })
}

fn start_log(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::builder().parse(filter);
    let filter = filter.map_err(|error| error.to_string())?;
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    let log = log.with_writer(std::io::stderr).with_ansi(false);
    log.try_init().map_err(|error| error.to_string())
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind(address);
    let bound = listener.and_then(|it| {
        rustix::net::listen(&it, BACKLOG)?;
        Ok((it.local_addr()?, it))
    });
    bound
        .map(|(address, listener)| (listener, address))
        .map_err(|error| format!("cannot listen on {address}: {error}"))
}

impl Program {
    fn run(self) -> ExitCode {
        let runtime = Runtime::builder().tokio(self.tokio.handle().clone());
        let (for_root, for_greeting) = (Arc::clone(&self.config), Arc::clone(&self.config));
        let gate = Arc::clone(&self.config.gate);
        let mut shop = Application::new("order-system")
            .runtime(runtime)
            .root(move || async move {
                // The bank's, and those above us.
                let before: HashSet<Pid> = processes().into_iter().collect();
                tree::start(for_root, before).await
            })
            .started(move |root| greet(root, for_greeting))
            .prep_stop(move |_| async move {
                tracing::info!(target: "order", "closing");
                gate.close();
            })
            .stopped(|| async { tracing::info!(target: "order", "closed") });
        if let Some(workers) = self.workers {
            shop = shop.workers(workers);
        }
        if let Some((listener, router)) = self.bank {
            shop = shop.depends_on(bank(listener, router));
        }
        shop.run()
        // The tree is down, and so is regrow. What connections are left end with tokio, now.
    }
}

/// The bank in the program: another application, which the shop reaches by HTTP like any other.
fn bank(listener: TcpListener, router: Router) -> Application {
    let (listener, gate) = (Arc::new(listener), Arc::new(Gate::default()));
    let to_close = Arc::clone(&gate);
    let server = ChildSpec::new("bank", move || {
        let (listener, router) = (Arc::clone(&listener), router.clone());
        let gate = Arc::clone(&gate);
        async move { serve("bank", &listener, router, &gate).await }
    });
    Application::new("bank")
        .root(|| {
            Supervisor::new(Strategy::OneForOne)
                .name("bank_sup")
                .child(server)
                .start_link()
        })
        .prep_stop(move |_| async move { to_close.close() })
}

/// Says where the shop is and what it is made of.
async fn greet(root: Pid, config: Arc<Config>) {
    let address = config.address;
    let mut text = format!("order-system listens on http://{address}\n\n");
    let order =
        r#"{"customer": "Ada", "card": "tok_visa", "lines": [{"sku": "spade", "quantity": 1}]}"#;
    let _ = writeln!(text, "order:  curl -H 'content-type: application/json' \\");
    let _ = writeln!(text, "            -H 'idempotency-key: my-first' \\");
    let _ = writeln!(text, "            -d '{order}' http://{address}/orders");
    let _ = writeln!(text, "look:   curl http://{address}/orders/1");
    if config.chaos {
        let _ = writeln!(text, "kill:   curl -X POST http://{address}/chaos/payment");
    }
    text.push('\n');
    match print_tree(root).await {
        Ok(tree) => {
            let _ = writeln!(text, "{tree}");
        }
        Err(error) => {
            let _ = writeln!(text, "(no supervision tree: {error})");
        }
    }
    // Whoever closed our stdout does not want to read it.
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}
