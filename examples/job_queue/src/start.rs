//! From the command line to a running server, and what people are told on the way.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use regrow::{Application, Pid, print_tree, timeout};
use rustix::process::{Resource, getrlimit, setrlimit};
use tracing_subscriber::EnvFilter;

use crate::args::Args;
use crate::listener::ListenError;
use crate::scheduler::{SCHEDULER, SchedulerMessage};
use crate::shared::{Settings, Shared};
use crate::{store, tree};

/// Files that are open besides the sockets of clients.
const OTHER_FILES: u64 = 100;
/// How long workers have to finish their jobs when the program stops; what is not done by then is
/// ready again after the next start.
const LAST_JOBS: Duration = Duration::from_secs(5);

/// Runs the server until it is told to stop (exit code 0) or cannot go on.
pub fn run(args: &Args) -> ExitCode {
    let settings = args.settings();
    if let Err(why) = log(&args.log).and_then(|()| check(&settings)) {
        // Nobody may be reading any more, and the exit code says it, too.
        let _ = writeln!(std::io::stderr(), "job-queue: {why}");
        return ExitCode::FAILURE;
    }
    raise_file_limit(settings.max_connections);
    let shared = Arc::new(Shared::new(settings));
    let tree_of = Arc::clone(&shared);
    let mut application = Application::new("job-queue")
        .root(move || tree::start(tree_of))
        .started(move |root| greet(root, shared))
        .prep_stop(|_| finish_jobs());
    if let Some(threads) = args.threads {
        application = application.workers(threads);
    }
    application.run()
}

fn log(filter: &str) -> Result<(), String> {
    let bad = |why: &dyn std::fmt::Display| format!("bad --log filter: {why}");
    let filter = EnvFilter::builder().parse(filter);
    tracing_subscriber::fmt()
        .with_env_filter(filter.map_err(|error| bad(&error))?)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init()
        .map_err(|error| bad(&error))
}

/// What would keep the tree from starting is found before, and said in one line.
fn check(settings: &Settings) -> Result<(), String> {
    let address = settings.listen;
    TcpListener::bind(address).map_err(|error| ListenError { address, error }.to_string())?;
    store::check(&settings.database).map_err(|error| error.to_string())
}

/// Many systems allow a process 1,024 files unless it asks for more.
fn raise_file_limit(connections: usize) {
    let needed = connections as u64 + OTHER_FILES;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let most = limit.maximum.unwrap_or(needed);
    limit.current = Some(most.min(needed));
    if setrlimit(Resource::Nofile, limit).is_err() || most < needed {
        tracing::warn!(
            target: "job_queue",
            allowed = most,
            "fewer files may be open than --max-connections needs"
        );
    }
}

/// Says where the server is and what it is made of.
async fn greet(root: Pid, shared: Arc<Shared>) {
    let address = shared.address.get().copied();
    let address = address.unwrap_or(shared.settings.listen);
    let database = shared.settings.database.path.display();
    let mut text = format!("job-queue listens on {address}, jobs are in {database}\n\n");
    let _ = match print_tree(root).await {
        Ok(tree) => writeln!(text, "{tree}"),
        Err(error) => writeln!(text, "(no supervision tree: {error})"),
    };
    // Whoever closed our stdout does not want to read it.
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Workers get no more jobs, and finish those that they have.
async fn finish_jobs() {
    let done = SCHEDULER.call(SchedulerMessage::StopWorkers);
    if timeout(LAST_JOBS, done).await.is_err() {
        tracing::warn!(target: "job_queue", "workers are stopped amid their jobs");
    }
}
