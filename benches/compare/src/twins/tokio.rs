//! The workloads on tokio: a process is a task, a mailbox is an unbounded channel, a reply is a oneshot.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::measure::*;
use crate::programs::Work;
use crate::rows::Row;

/// Runs the samples of a row on a runtime of its own, as a task.
pub(super) fn run(work: Work, workers: usize) -> io::Result<()> {
    let runtime = runtime(workers)?;
    match work.row {
        Row::TcpEcho => runtime.block_on(echo(work)),
        Row::SpinLatency | Row::SpinLatencyMax => spin_latency(&runtime, work),
        _ => sample_on(&runtime, work, |work| sample(work.row, work.count)),
    }
}

/// What the actor crates that stand on tokio run on too.
pub(super) fn runtime(workers: usize) -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
}

/// The warm-up and the samples, in a task.
pub(super) fn sample_on<F>(
    runtime: &Runtime,
    work: Work,
    sample: impl Fn(Work) -> F + Send + 'static,
) -> io::Result<()>
where
    F: Future<Output = f64> + Send,
{
    let root = runtime.spawn(async move {
        if let Some(count) = work.warm_up() {
            sample(Work { count, ..work }).await;
        }
        for _ in 0..work.samples {
            work.report(sample(work).await);
        }
    });
    runtime.block_on(root).map_err(io::Error::other)
}

async fn sample(row: Row, count: u64) -> f64 {
    match row {
        Row::SpawnExit => spawn_exit(count).await,
        Row::SpawnLink => join_set(count).await,
        Row::PingPong => pairs(1, count).await,
        Row::PingPong64 => pairs(64, count).await,
        Row::ThreadRing => ring(count).await,
        Row::FanIn => fan_in(count).await,
        Row::Skynet => {
            let start = Instant::now();
            let sum = tokio::spawn(skynet(0, count))
                .await
                .expect("the tree adds up");
            assert_eq!(sum, count * (count - 1) / 2);
            nanos_each(start, skynet_processes(count))
        }
        Row::Call => calls(count, Some(Duration::from_secs(5))).await,
        Row::CallBare => calls(count, None).await,
        Row::Cast => casts(count).await,
        Row::SendAfterCancel => arm_and_cancel(count),
        Row::SendAfter => send_after(count).await,
        Row::IdleMemory => memory(count).await,
        Row::IdleCpu => idle_cpu(Duration::from_millis(count)).await,
        Row::Canary => canary(count).await,
        _ => unreachable!("{} is not run here", row.name()),
    }
}

async fn spawn_exit(count: u64) -> f64 {
    let metrics = Handle::current().metrics();
    let alive = metrics.num_alive_tasks();
    let start = Instant::now();
    for _ in 0..count / BURST {
        for _ in 0..BURST {
            tokio::spawn(async {});
        }
        yield_now().await;
    }
    while metrics.num_alive_tasks() > alive {
        yield_now().await;
    }
    nanos_each(start, count)
}

async fn join_set(count: u64) -> f64 {
    let start = Instant::now();
    let mut children = JoinSet::new();
    for _ in 0..count / BURST {
        for _ in 0..BURST {
            children.spawn(async {});
        }
        while let Some(ended) = children.join_next().await {
            ended.expect("a child ends normally");
        }
    }
    nanos_each(start, count)
}

async fn pairs(pairs: u64, count: u64) -> f64 {
    let each = count / pairs;
    let (done, mut all_done) = mpsc::unbounded_channel();
    let mut starts = Vec::new();
    for _ in 0..pairs {
        let (ping, mut pings) = mpsc::unbounded_channel::<mpsc::UnboundedSender<()>>();
        let (pong, mut pongs) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(from) = pings.recv().await {
                let _ = from.send(());
            }
        });
        let (go, started) = oneshot::channel::<()>();
        let done = done.clone();
        tokio::spawn(async move {
            started.await.expect("told to start");
            for _ in 0..each {
                ping.send(pong.clone()).expect("pong is there");
                pongs.recv().await.expect("pong answers");
            }
            done.send(()).expect("the root waits");
        });
        starts.push(go);
    }
    let start = Instant::now();
    for go in starts {
        go.send(()).expect("ping waits");
    }
    for _ in 0..pairs {
        all_done.recv().await;
    }
    nanos_each(start, each * pairs)
}

async fn ring(hops: u64) -> f64 {
    let (done, finished) = oneshot::channel();
    let mut done = Some(done);
    let (first, mut inbox) = mpsc::unbounded_channel::<u64>();
    for index in 0..RING {
        let (next, next_inbox) = mpsc::unbounded_channel();
        let next = if index == RING - 1 {
            first.clone()
        } else {
            next
        };
        let mut own = std::mem::replace(&mut inbox, next_inbox);
        // Whoever gets the last token tells; only one member is asked, so the ring is cut there.
        let mut done = if index == hops % RING {
            done.take()
        } else {
            None
        };
        tokio::spawn(async move {
            while let Some(token) = own.recv().await {
                if token > 0 {
                    let _ = next.send(token - 1);
                } else if let Some(done) = done.take() {
                    let _ = done.send(());
                    break;
                }
            }
        });
    }
    let start = Instant::now();
    first.send(hops).expect("the ring is there");
    finished.await.expect("the token comes around");
    nanos_each(start, hops)
}

async fn fan_in(count: u64) -> f64 {
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let start = Instant::now();
    for _ in 0..SENDERS {
        let sender = sender.clone();
        tokio::spawn(async move {
            for _ in 0..count / SENDERS / BURST {
                for _ in 0..BURST {
                    sender.send(1_u64).expect("the receiver is there");
                }
                yield_now().await;
            }
        });
    }
    let messages = count / SENDERS / BURST * BURST * SENDERS;
    for _ in 0..messages {
        inbox.recv().await.expect("a sender is there");
    }
    nanos_each(start, messages)
}

/// A leaf is its number, a node the sum of its ten children.
fn skynet(number: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return number;
        }
        let part = size / 10;
        let children: Vec<_> = (0..10)
            .map(|index| tokio::spawn(skynet(number + index * part, part)))
            .collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.expect("a child adds up");
        }
        sum
    })
}

enum Command {
    Add(u64),
    Get(oneshot::Sender<u64>),
}

fn counter() -> mpsc::UnboundedSender<Command> {
    let (sender, mut inbox) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut value = 0;
        while let Some(command) = inbox.recv().await {
            match command {
                Command::Add(amount) => value += amount,
                Command::Get(reply) => drop(reply.send(value)),
            }
        }
    });
    sender
}

async fn calls(count: u64, limit: Option<Duration>) -> f64 {
    let server = counter();
    let start = Instant::now();
    for _ in 0..count {
        let (reply, answer) = oneshot::channel();
        assert!(server.send(Command::Get(reply)).is_ok());
        let value = match limit {
            Some(limit) => timeout(limit, answer).await.expect("in time"),
            None => answer.await,
        };
        assert_eq!(value, Ok(0));
    }
    nanos_each(start, count)
}

async fn casts(count: u64) -> f64 {
    let server = counter();
    let start = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let server = server.clone();
        senders.spawn(async move {
            for _ in 0..count / SENDERS / BURST {
                for _ in 0..BURST {
                    assert!(server.send(Command::Add(1)).is_ok());
                }
                yield_now().await;
            }
        });
    }
    senders.join_all().await;
    let messages = count / SENDERS / BURST * BURST * SENDERS;
    let (reply, answer) = oneshot::channel();
    assert!(server.send(Command::Get(reply)).is_ok());
    assert_eq!(answer.await, Ok(messages));
    nanos_each(start, messages)
}

fn arm_and_cancel(count: u64) -> f64 {
    let (sender, _inbox) = mpsc::unbounded_channel();
    let start = Instant::now();
    for _ in 0..count {
        let sender = sender.clone();
        let timer = tokio::spawn(async move {
            sleep(Duration::from_secs(5)).await;
            let _ = sender.send(());
        });
        timer.abort();
    }
    nanos_each(start, count)
}

async fn send_after(count: u64) -> f64 {
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let start = Instant::now();
    for index in 0..count {
        let sender = sender.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(1 + index % 20)).await;
            let _ = sender.send(());
        });
    }
    for _ in 0..count {
        inbox.recv().await.expect("a timer is armed");
    }
    nanos_each(start, count)
}

async fn echo(work: Work) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    work.listening(listener.local_addr()?);
    let accepting = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
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
    accepting.await?
}

/// The program ends after it: those that compute never would.
fn spin_latency(runtime: &Runtime, work: Work) -> ! {
    let (told, telling) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let server = counter();
        for _ in 0..SPINNERS {
            tokio::spawn(async { spin(u64::MAX) });
        }
        let mut latencies = Vec::new();
        let start = Instant::now();
        while start.elapsed() < work.time() {
            let begin = Instant::now();
            let (reply, answer) = oneshot::channel();
            assert!(server.send(Command::Get(reply)).is_ok());
            assert_eq!(answer.await, Ok(0));
            latencies.push(nanos(begin));
        }
        let _ = told.send(latencies);
    });
    work.report_spin(telling.recv_timeout(3 * work.time()).ok())
}

fn idle() -> mpsc::UnboundedSender<()> {
    let (sender, mut inbox) = mpsc::unbounded_channel();
    tokio::spawn(async move { while inbox.recv().await.is_some() {} });
    sender
}

async fn memory(count: u64) -> f64 {
    let before = resident_bytes();
    let idle: Vec<_> = (0..count).map(|_| idle()).collect();
    sleep(Duration::from_millis(500)).await;
    let each = (resident_bytes() - before) as f64 / count as f64;
    drop(idle);
    each
}

async fn idle_cpu(time: Duration) -> f64 {
    let idle: Vec<_> = (0..10_000).map(|_| idle()).collect();
    sleep(Duration::from_secs(1)).await;
    let before = cpu_time();
    sleep(time).await;
    let used = cpu_time() - before;
    drop(idle);
    used.as_micros() as f64 / time.as_secs_f64()
}

async fn canary(count: u64) -> f64 {
    let turns = turns_of_20_us();
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let start = Instant::now();
    for _ in 0..count {
        let sender = sender.clone();
        tokio::spawn(async move {
            spin(turns);
            let _ = sender.send(());
        });
    }
    for _ in 0..count {
        inbox.recv().await.expect("a worker is there");
    }
    nanos_each(start, count)
}
