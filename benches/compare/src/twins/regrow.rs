//! The workloads on regrow. Those about processes and servers are the ones of the criterion benches.

use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow::net::TcpListener;
use regrow::{Down, ExitReason, GenServer, Runtime};
use regrow_benches::servers::{self, Command, Counter};
use regrow_benches::{messages, spawning, timers};

use crate::measure::*;
use crate::programs::Work;
use crate::rows::Row;

use super::restart_latency;

/// Runs the samples of a row on a runtime of its own, as a process.
pub(super) fn run(work: Work, workers: usize) -> io::Result<()> {
    let runtime = Runtime::builder().workers(workers).build()?;
    match work.row {
        Row::TcpEcho => return runtime.block_on(echo(work)),
        Row::SpinLatency | Row::SpinLatencyMax => spin_latency(&runtime, work),
        _ => {}
    }
    runtime.block_on(async move {
        if let Some(count) = work.warm_up() {
            fresh(Work { count, ..work }).await;
        }
        for _ in 0..work.samples {
            work.report(fresh(work).await);
        }
    });
    Ok(())
}

/// Each sample is a process of its own, so that none inherits a mailbox; it takes what it linked along.
async fn fresh(work: Work) -> f64 {
    let root = regrow::self_pid();
    regrow::spawn_monitor(async move {
        regrow::send(root, Sampled(sample(work).await));
        ExitReason::Shutdown
    });
    let down = regrow::receive::<Down>().await;
    // Sent before the process ended, so it stands before the `Down`.
    let Some(Sampled(value)) = regrow::try_receive() else {
        panic!("the sample failed: {}", down.reason)
    };
    value
}

struct Sampled(f64);

async fn sample(work: Work) -> f64 {
    let count = work.count;
    let (time, operations) = match work.row {
        Row::SpawnExit => (spawning::spawn_exit(count).await, count),
        Row::SpawnLink => (spawning::spawn_link_exit(count).await, count),
        Row::PingPong => {
            link_idle(work.size_or(0));
            (messages::ping_pong(1, count).await, count)
        }
        Row::PingPong64 => (messages::ping_pong(work.size_or(64), count).await, count),
        Row::ThreadRing => {
            let members = work.size_or(messages::RING);
            (messages::ring_of(members, count).await, count)
        }
        Row::FanIn => {
            let senders = work.size_or(messages::SENDERS);
            (messages::fan_in_from(senders, count).await, count)
        }
        Row::Skynet => {
            let (time, sum) = spawning::skynet(count).await;
            assert_eq!(sum, count * (count - 1) / 2);
            (time, skynet_processes(count))
        }
        Row::Call => {
            link_idle(work.size_or(0));
            (servers::calls(count).await, count)
        }
        Row::CallBare => (bare_calls(count).await, count),
        Row::CallBacklog => {
            messages::fill_mailbox(work.size_or(500_000));
            (servers::calls(count).await, count)
        }
        Row::Cast => {
            let senders = work.size_or(messages::SENDERS);
            (servers::casts_from(senders, count).await, count)
        }
        Row::SelectiveReceive => {
            messages::fill_mailbox(work.size_or(10_000));
            (messages::selective_receive(count).await, count)
        }
        Row::LinkCascade => (spawning::linked_die(count).await, count),
        Row::SendAfterCancel => (timers::arm_and_cancel_beside(work.size_or(0), count), count),
        Row::SendAfter => (timers::send_after(count).await, count),
        Row::StartTerminateChild => {
            let others = work.size_or(0);
            (servers::start_terminate_beside(others, count).await, count)
        }
        Row::RestartLatency | Row::RestartLatencyP99 | Row::RestartLatencyP999 => {
            let latencies = servers::kill_restart_beside(work.size_or(0), count).await;
            return restart_latency(work.row, &latencies);
        }
        Row::OneForAll100 => (servers::one_for_all(100, count).await, count),
        Row::Canary => (canary(count).await, count),
        Row::IdleMemory | Row::LinkedMemory | Row::ServerMemory => {
            return memory(work.row, count).await;
        }
        Row::IdleCpu => return idle_cpu(work).await,
        Row::TcpEcho | Row::SpinLatency | Row::SpinLatencyMax => {
            unreachable!("these do not return")
        }
    };
    time.as_nanos() as f64 / operations as f64
}

async fn bare_calls(count: u64) -> Duration {
    let server = Counter::start_link(()).await.expect("the counter starts");
    let start = Instant::now();
    for _ in 0..count {
        let value = server.call(Command::Get).no_timeout().await;
        assert_eq!(value.ok(), Some(0));
    }
    start.elapsed()
}

/// The program ends after it; only the row's own process could be waited for.
fn spin_latency(runtime: &Runtime, work: Work) -> ! {
    let (told, telling) = mpsc::channel();
    runtime.spawn(async move {
        let server = Counter::start_link(()).await.expect("the counter starts");
        for _ in 0..work.size_or(SPINNERS) {
            regrow::spawn(async { spin(u64::MAX) });
        }
        let mut latencies = Vec::new();
        let start = Instant::now();
        while start.elapsed() < work.time() {
            let begin = Instant::now();
            let answer = server.call(Command::Get).no_timeout().await;
            assert_eq!(answer.ok(), Some(0));
            latencies.push(nanos(begin));
        }
        let _ = told.send(latencies);
    });
    work.report_spin(telling.recv_timeout(3 * work.time()).ok())
}

async fn echo(work: Work) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    work.listening(listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept().await?;
        regrow::spawn(async move {
            stream.set_nodelay(true)?;
            let mut buffer = [0; 4096];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => return io::Result::Ok(()),
                    bytes => stream.write_all(&buffer[..bytes]).await?,
                }
            }
        });
    }
}

async fn memory(row: Row, count: u64) -> f64 {
    let before = resident_bytes();
    match row {
        Row::ServerMemory => servers::start_idle(count).await,
        Row::LinkedMemory => link_idle(count),
        _ => spawn_idle(count),
    }
    regrow::sleep(Duration::from_millis(500)).await;
    (resident_bytes() - before) as f64 / count as f64
}

fn spawn_idle(count: u64) {
    for _ in 0..count {
        regrow::spawn(spawning::idle());
    }
}

/// These go with the sample.
fn link_idle(count: u64) {
    for _ in 0..count {
        regrow::spawn_link(spawning::idle());
    }
}

async fn idle_cpu(work: Work) -> f64 {
    spawn_idle(work.size_or(10_000));
    regrow::sleep(Duration::from_secs(1)).await;
    let before = cpu_time();
    regrow::sleep(work.time()).await;
    (cpu_time() - before).as_micros() as f64 / work.time().as_secs_f64()
}

async fn canary(count: u64) -> Duration {
    struct Worked;
    let turns = turns_of_20_us();
    let root = regrow::self_pid();
    let start = Instant::now();
    for _ in 0..count {
        regrow::spawn(async move {
            spin(turns);
            regrow::send(root, Worked);
        });
    }
    for _ in 0..count {
        regrow::receive::<Worked>().await;
    }
    start.elapsed()
}
