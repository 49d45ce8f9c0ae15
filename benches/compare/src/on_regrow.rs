//! The workloads on regrow. Those about processes and servers are the ones of the criterion benches.

use std::io;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow::net::TcpListener;
use regrow::{Down, ExitReason, Runtime};
use regrow_benches::{messages, servers, spawning, timers};

use crate::echo_load;
use crate::measure::*;
use crate::rows::Row;

/// Runs `samples` samples of a row on a runtime of its own, as a process.
pub(crate) fn run(row: Row, count: u64, samples: u64, report: fn(Row, f64)) -> io::Result<()> {
    let runtime = Runtime::builder().workers(2).build()?;
    runtime.block_on(async move {
        if row.spec().repeated {
            fresh(row, (count / 10).max(BURST)).await;
        }
        for _ in 0..samples {
            report(row, fresh(row, count).await);
        }
    });
    Ok(())
}

/// Each sample is a process of its own, so that none inherits a mailbox; it takes what it linked along.
async fn fresh(row: Row, count: u64) -> f64 {
    let root = regrow::self_pid();
    regrow::spawn_monitor(async move {
        regrow::send(root, Sampled(sample(row, count).await));
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

async fn sample(row: Row, count: u64) -> f64 {
    let (time, operations) = match row {
        Row::SpawnExit => (spawning::spawn_exit(count).await, count),
        Row::SpawnLinkExit => (spawning::spawn_link_exit(count).await, count),
        Row::PingPong => (messages::ping_pong(1, count).await, count),
        Row::PingPong64 => (messages::ping_pong(64, count).await, count),
        Row::Ring => (messages::ring(count).await, count),
        Row::FanIn => (messages::fan_in(count).await, count),
        Row::Skynet => {
            let (time, sum) = spawning::skynet(count).await;
            assert_eq!(sum, count * (count - 1) / 2);
            (time, skynet_processes(count))
        }
        Row::Call | Row::CallBare => (servers::calls(count).await, count),
        Row::CallQueued => {
            messages::fill_mailbox(500_000);
            (servers::calls(count).await, count)
        }
        Row::Cast => (servers::casts(count).await, count),
        Row::SelectiveReceive => {
            messages::fill_mailbox(10_000);
            (messages::selective_receive(count).await, count)
        }
        Row::LinkedDie => (spawning::linked_die(count).await, count),
        Row::SendAfterCancel => (timers::arm_and_cancel(count), count),
        Row::SendAfter => (timers::send_after(count).await, count),
        Row::StartTerminateChild => (servers::start_terminate_child(count).await, count),
        Row::KillRestart => (quantile(servers::kill_restart(count).await, 0.5), 1),
        Row::KillRestartP99 => (quantile(servers::kill_restart(count).await, 0.99), 1),
        Row::KillRestartP999 => (quantile(servers::kill_restart(count).await, 0.999), 1),
        Row::OneForAll100 => (servers::one_for_all(100, count).await, count),
        Row::Canary => (canary(count).await, count),
        Row::TcpEcho => {
            return echo(Duration::from_millis(count))
                .await
                .expect("the echo server serves");
        }
        Row::MemoryPlain | Row::MemoryLinked | Row::MemoryGenServer => {
            return memory(row, count).await;
        }
        Row::IdleCpu => return idle_cpu(Duration::from_millis(count)).await,
    };
    time.as_nanos() as f64 / operations as f64
}

fn quantile(mut latencies: Vec<Duration>, share: f64) -> Duration {
    latencies.sort();
    let index = (latencies.len() as f64 * share) as usize;
    latencies[index.min(latencies.len() - 1)]
}

async fn echo(time: Duration) -> io::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    regrow::spawn_link(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
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
    });
    let (done, result) = regrow::reply_channel();
    std::thread::spawn(move || done.send(echo_load::run(address, CONNECTIONS, time)));
    result
        .await
        .map_err(|error| io::Error::other(error.to_string()))?
}

async fn memory(row: Row, count: u64) -> f64 {
    let before = resident_bytes();
    match row {
        Row::MemoryGenServer => servers::start_idle(count).await,
        Row::MemoryLinked => {
            for _ in 0..count {
                regrow::spawn_link(spawning::idle());
            }
        }
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

async fn idle_cpu(time: Duration) -> f64 {
    spawn_idle(10_000);
    regrow::sleep(Duration::from_secs(1)).await;
    let before = cpu_time();
    regrow::sleep(time).await;
    (cpu_time() - before).as_micros() as f64 / time.as_secs_f64()
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
