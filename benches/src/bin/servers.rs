//! Very many gen_servers under one dynamic supervisor: how long it takes to start, count, list and
//! stop them, and what each one costs.
//!
//! `cargo run --release -p regrow-benches --bin servers -- --help`

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use regrow::{
    ChildSpec, Context, DynamicSupervisor, ExitReason, GenServer, Next, ReplyTo, Restart, Runtime,
    trap_exit,
};
use regrow_benches::resident_bytes;

#[derive(Debug, Clone, Copy, Parser)]
struct Options {
    /// How many servers.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    servers: u64,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    workers: u64,
    /// The servers trap exits, so that each runs `terminate` when it is stopped.
    #[arg(long)]
    trap: bool,
}

/// Servers that have run `terminate`.
static TERMINATED: AtomicU64 = AtomicU64::new(0);

struct Session {
    requests: u64,
}

struct Ask(ReplyTo<u64>);

impl GenServer for Session {
    /// Whether it traps exits.
    type Args = bool;
    type Message = Ask;

    async fn init(traps: bool, _: &mut Context<Self>) -> Result<Self, ExitReason> {
        if traps {
            trap_exit(true);
        }
        Ok(Session { requests: 0 })
    }

    async fn handle(&mut self, Ask(reply): Ask, _: &mut Context<Self>) -> Next {
        self.requests += 1;
        reply.send(self.requests);
        Next::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        TERMINATED.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = Runtime::builder().workers(options.workers as usize).build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime does not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(measure(options)) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Says whether every number is the one that it must be.
async fn measure(options: Options) -> bool {
    let count = options.servers;
    let supervisor = DynamicSupervisor::new().start_link().await;
    let supervisor = supervisor.expect("no name to be taken");
    let before = resident_bytes();

    let begin = Instant::now();
    let mut last = None;
    for _ in 0..count {
        let spec = ChildSpec::new("session", move || Session::start_link(options.trap))
            .restart(Restart::Temporary);
        last = Some(supervisor.start_child(spec).await.expect("it starts"));
    }
    tell("started", begin.elapsed(), count);
    let each = (resident_bytes() - before) as f64 / count as f64;
    println!("{each:.0} bytes each, with what the supervisor keeps of it");

    let begin = Instant::now();
    let counts = supervisor.count_children().await.expect("it answers");
    tell("counted", begin.elapsed(), count);
    let begin = Instant::now();
    let listed = supervisor.which_children().await.expect("it answers");
    tell("listed", begin.elapsed(), count);
    let is_known = listed.iter().any(|child| child.state.pid() == last);

    let begin = Instant::now();
    let stopped = supervisor.stop(ExitReason::Normal, None).await;
    tell("stopped", begin.elapsed(), count);
    let terminated = TERMINATED.load(Ordering::Relaxed);
    println!("{terminated} of them ran `terminate`");
    println!("{} processes left", regrow::processes().len());

    counts.active as u64 == count
        && listed.len() as u64 == count
        && is_known
        && stopped.is_ok()
        && terminated == if options.trap { count } else { 0 }
        && regrow::processes().len() == 1
}

fn tell(what: &str, time: Duration, count: u64) {
    let each = time.as_nanos() as f64 / count as f64;
    println!(
        "{what} {count} in {:.3} s, {each:.0} ns each",
        time.as_secs_f64()
    );
}
