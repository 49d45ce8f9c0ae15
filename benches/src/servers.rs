//! gen_servers and supervisors.

use std::time::{Duration, Instant};

use regrow::{
    ChildSpec, Context, DynamicSupervisor, ExitReason, GenServer, Name, Next, Pid, ReplyTo,
    Restart, ServerRef, Strategy, Supervisor,
};

use crate::messages::SENDERS;
use crate::{Done, bursts, shares};

/// What a [`Counter`] understands.
#[derive(Debug)]
pub enum Command {
    /// Adds
    Add(u64),
    /// Answers with the sum
    Get(ReplyTo<u64>),
}

/// The smallest gen_server that has a state.
#[derive(Debug)]
pub struct Counter {
    value: u64,
}

impl GenServer for Counter {
    type Args = ();
    type Message = Command;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        Ok(Counter { value: 0 })
    }

    async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
        match command {
            Command::Add(amount) => self.value += amount,
            Command::Get(reply) => reply.send(self.value),
        }
        Next::Continue
    }
}

async fn start() -> ServerRef<Command> {
    Counter::start_link(()).await.expect("the counter starts")
}

async fn stop(server: ServerRef<Command>) {
    server
        .stop(ExitReason::Normal, None)
        .await
        .expect("the counter stops");
}

/// Calls one after the other, each with the timeout of 5 s that a call has if nothing else is said.
pub async fn calls(count: u64) -> Duration {
    let server = start().await;
    let begin = Instant::now();
    for _ in 0..count {
        assert_eq!(server.call(Command::Get).await.ok(), Some(0));
    }
    let elapsed = begin.elapsed();
    stop(server).await;
    elapsed
}

/// [`SENDERS`] processes cast `count` messages to one server; ends when it has handled all.
pub fn casts(count: u64) -> impl Future<Output = Duration> + Send {
    casts_from(SENDERS, count)
}

/// The same from so many.
pub async fn casts_from(senders: u64, count: u64) -> Duration {
    let server = start().await;
    let root = regrow::self_pid();
    let begin = Instant::now();
    for messages in shares(count, senders) {
        let server = server.clone();
        regrow::spawn_link(async move {
            for burst in bursts(messages) {
                for _ in 0..burst {
                    server.cast(Command::Add(1));
                }
                regrow::yield_now().await;
            }
            regrow::send(root, Done);
        });
    }
    for _ in 0..senders {
        regrow::receive::<Done>().await;
    }
    let sum = server.call(Command::Get).no_timeout().await;
    let elapsed = begin.elapsed();
    assert_eq!(sum.ok(), Some(count));
    stop(server).await;
    elapsed
}

/// Starts and terminates gen_servers under a dynamic supervisor, one after the other.
pub fn start_terminate_child(count: u64) -> impl Future<Output = Duration> + Send {
    start_terminate_beside(0, count)
}

/// The same beside so many other children.
pub async fn start_terminate_beside(others: u64, count: u64) -> Duration {
    let supervisor = DynamicSupervisor::new()
        .start_link()
        .await
        .expect("the supervisor starts");
    let spec = || ChildSpec::new("counter", || Counter::start_link(())).restart(Restart::Temporary);
    for _ in 0..others {
        supervisor
            .start_child(spec())
            .await
            .expect("the child starts");
    }
    let begin = Instant::now();
    for _ in 0..count {
        let child = supervisor
            .start_child(spec())
            .await
            .expect("the child starts");
        supervisor
            .terminate_child(child)
            .await
            .expect("the child ends");
    }
    let elapsed = begin.elapsed();
    supervisor
        .stop(ExitReason::Normal, None)
        .await
        .expect("the supervisor stops");
    elapsed
}

const VICTIM: Name<Command> = Name::new("bench_victim");

/// Kills a supervised server `count` times; how long each time until its successor answered.
pub fn kill_restart(count: u64) -> impl Future<Output = Vec<Duration>> + Send {
    kill_restart_beside(0, count)
}

/// The same beside so many other children.
pub async fn kill_restart_beside(others: u64, count: u64) -> Vec<Duration> {
    let mut supervisor =
        Supervisor::new(Strategy::OneForOne).intensity(1_000_000, Duration::from_secs(1));
    for index in 0..others {
        let id = format!("other_{index}");
        supervisor = supervisor.child(ChildSpec::new(id, || Counter::start_link(())));
    }
    let supervisor = supervisor
        .child(ChildSpec::new("victim", || {
            Counter::start_link(()).name(VICTIM)
        }))
        .start_link()
        .await
        .expect("the supervisor starts");
    let mut latencies = Vec::new();
    for _ in 0..count {
        let old = VICTIM.whereis().expect("the victim is up");
        let begin = Instant::now();
        regrow::exit(old, ExitReason::Kill);
        answered(&VICTIM, old).await;
        latencies.push(begin.elapsed());
    }
    supervisor
        .stop(ExitReason::Normal, None)
        .await
        .expect("the supervisor stops");
    latencies
}

/// Kills the oldest of so many children `count` times; how long in all until the youngest, which
/// is stopped first and started last, answered again.
pub async fn one_for_all(children: usize, count: u64) -> Duration {
    let names: Vec<Name<Command>> = (0..children)
        .map(|index| Name::from_string(format!("bench_{index}")))
        .collect();
    let mut supervisor =
        Supervisor::new(Strategy::OneForAll).intensity(1_000_000, Duration::from_secs(1));
    for name in &names {
        let named = name.clone();
        let start = move || Counter::start_link(()).name(&named);
        supervisor = supervisor.child(ChildSpec::new(name.as_str(), start));
    }
    let supervisor = supervisor
        .start_link()
        .await
        .expect("the supervisor starts");
    let (oldest, youngest) = (&names[0], &names[children - 1]);
    let begin = Instant::now();
    for _ in 0..count {
        let old = youngest.whereis().expect("the youngest is up");
        regrow::exit(
            oldest.whereis().expect("the oldest is up"),
            ExitReason::Kill,
        );
        answered(youngest, old).await;
    }
    let elapsed = begin.elapsed();
    supervisor
        .stop(ExitReason::Normal, None)
        .await
        .expect("the supervisor stops");
    elapsed
}

/// Until another process than `old` has the name and answers.
async fn answered(name: &Name<Command>, old: Pid) {
    loop {
        match name.whereis() {
            Some(new) if new != old => {
                if name.server_ref().call(Command::Get).await.is_ok() {
                    return;
                }
            }
            _ => regrow::yield_now().await,
        }
    }
}

/// Starts linked counters that stay idle.
pub async fn start_idle(count: u64) {
    for _ in 0..count {
        start().await;
    }
}
