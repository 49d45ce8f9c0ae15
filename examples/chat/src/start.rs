//! From the command line to a running server, and what people are told on the way.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;

use regrow::{
    Application, Down, Pid, SupervisorRef, monitor, print_tree, receive, reply_channel, spawn,
};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::args::Args;
use crate::db::schema;
use crate::listener::{ListenError, MOST_REFUSALS};
use crate::log;
use crate::server::{Config, SERVER_NAME, Server};
use crate::tree;

/// Files that are open besides the sockets of clients.
const OTHER_FILES: u64 = MOST_REFUSALS as u64 + 100;

/// Runs the server until it is told to stop (exit code 0) or cannot go on.
pub fn run(args: &Args) -> ExitCode {
    let config = args.config();
    if let Err(why) = log::start(&args.log).map_err(|why| format!("bad --log filter: {why}")) {
        return refuse(&why);
    }
    if let Err(why) = check(&config) {
        return refuse(&why);
    }
    raise_file_limit(&config);
    let server = Arc::new(Server::new(config));
    let tree_of = Arc::clone(&server);
    let mut application = Application::new("chat")
        .root(move || tree::start(tree_of))
        .started(move |root| greet(root, server))
        .prep_stop(report_stops);
    if let Some(workers) = args.workers {
        application = application.workers(workers);
    }
    application.run()
}

fn refuse(why: &str) -> ExitCode {
    // Nobody may be reading any more, and the exit code says it, too.
    let _ = writeln!(std::io::stderr(), "chat: {why}");
    ExitCode::FAILURE
}

/// What would keep the tree from starting is found before, and said in one line.
fn check(config: &Config) -> Result<(), String> {
    schema::prepare(&config.database).map_err(|error| error.to_string())?;
    let address = config.listen;
    TcpListener::bind(address)
        .map_err(|error| ListenError { address, error }.to_string())
        .map(|_| ())
}

/// Many systems allow a process 1,024 files unless it asks for more.
fn raise_file_limit(config: &Config) {
    let needed = config.max_connections as u64 + OTHER_FILES;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = limit
            .maximum
            .map(|maximum| maximum.min(needed.max(4_096)))
            .or(Some(needed));
        if setrlimit(Resource::Nofile, limit).is_err()
            || limit.current.is_some_and(|current| current < needed)
        {
            tracing::warn!(
                target: "chat",
                allowed = limit.current,
                "fewer files may be open than --max-connections needs"
            );
        }
    }
}

/// Says where the server is and what it is made of.
async fn greet(root: Pid, server: Arc<Server>) {
    let address = server
        .address
        .get()
        .copied()
        .unwrap_or(server.config.listen);
    let (host, port) = (address.ip(), address.port());
    let mut text = format!("{SERVER_NAME} listens on {address}\n\n");
    let _ = writeln!(text, "connect:  irssi -c {host} -p {port} -n YOURNICK");
    let _ = writeln!(
        text,
        "          weechat irc://YOURNICK@{host}:{port}/#lobby"
    );
    let _ = writeln!(text, "then:     /join #lobby");
    if server.config.chaos {
        let _ = writeln!(text, "and:      /quote CRASH #lobby");
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

/// Sees to it that the log tells in which order the children of the root stop. The supervisors
/// themselves report only what goes wrong.
async fn report_stops(root: Pid) {
    let Ok(children) = SupervisorRef::from_pid(root).which_children().await else {
        return;
    };
    let (ready, watching) = reply_channel();
    spawn(async move {
        let mut watched = Vec::new();
        for child in children {
            watched.extend(child.state.pid().map(|pid| (monitor(pid), child.id)));
        }
        ready.send(());
        for _ in 0..watched.len() {
            let down: Down = receive().await;
            if let Some((_, id)) = watched
                .iter()
                .find(|(reference, _)| *reference == down.reference)
            {
                tracing::info!(target: "chat::stop", %id, pid = %down.pid, reason = %down.reason);
            }
        }
    });
    // From here on nothing is missed.
    let _ = watching.await;
}
