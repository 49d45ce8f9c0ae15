//! Requests and replies between processes and from OS threads, with servers that answer at once,
//! late, from another process, not at all, or die with the request in their hands.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use regrow_runtime::{
    ExitReason, Pid, Reply, ReplyError, ReplyTo, exit, receive, reply_channel, self_pid, send,
    spawn, spawn_monitor, yield_now,
};

use super::{Ledger, Payload, Random, Threads, all_end_normally};

const PROCESSES: u64 = 4;
const CALLERS: u64 = 6;

struct Request(u64, u64, ReplyTo<Payload>);
struct Finished;

/// Four processes and two OS threads call one server.
pub(super) async fn calls(ledger: Arc<Ledger>, mut random: Random, count: u64) -> Threads {
    let each = count / CALLERS;
    let server = spawn(serve(Arc::clone(&ledger), random.fork()));
    let mut processes = Vec::new();
    for caller in 0..PROCESSES {
        let (ledger, timed) = (Arc::clone(&ledger), caller % 2 == 0);
        processes.push(spawn_monitor(async move {
            for number in 0..each {
                let reply = request(server, caller, number);
                let answer = if timed {
                    reply.timeout(Duration::from_secs(3600)).await
                } else {
                    reply.await
                };
                check(answer, caller, number);
                ledger.tick();
            }
        }));
    }
    let judge = self_pid();
    let threads = (PROCESSES..CALLERS).map(|caller| {
        let ledger = Arc::clone(&ledger);
        thread::spawn(move || {
            for number in 0..each {
                check(block_on(request(server, caller, number)), caller, number);
                ledger.tick();
            }
            send(judge, Finished);
        })
    });
    let threads: Threads = threads.collect();
    all_end_normally(processes).await;
    for _ in &threads {
        receive::<Finished>().await;
    }
    exit(server, ExitReason::Kill);
    threads
}

fn request(server: Pid, caller: u64, number: u64) -> Reply<Payload> {
    let (reply_to, reply) = reply_channel();
    send(server, Request(caller, number, reply_to));
    reply
}

fn check(answer: Result<Payload, ReplyError>, caller: u64, number: u64) {
    match answer {
        Ok(payload) => assert_eq!(
            (payload.sender, payload.number),
            (caller, number),
            "another's reply"
        ),
        Err(ReplyError::Dropped | ReplyError::Exit(_)) => {}
        Err(other) => panic!("a call ended with {other:?}"),
    }
}

async fn serve(ledger: Arc<Ledger>, mut random: Random) {
    let mut kept = Vec::new();
    loop {
        let request: Request = if kept.is_empty() {
            receive().await
        } else {
            // What is kept is answered when nothing new comes: callers wait for it.
            match receive().timeout(Duration::from_micros(50)).await {
                Ok(request) => request,
                Err(_) => {
                    kept.drain(..).for_each(|request| answer(&ledger, request));
                    continue;
                }
            }
        };
        match random.below(8) {
            0 => drop(request),
            1 => kept.push(request),
            2 => {
                let ledger = Arc::clone(&ledger);
                spawn(async move {
                    yield_now().await;
                    answer(&ledger, request);
                });
            }
            3 => {
                // Dies with the reply handle in its body.
                spawn(async move {
                    let _held = request;
                    yield_now().await;
                    exit(self_pid(), ExitReason::Shutdown);
                });
            }
            _ => answer(&ledger, request),
        }
    }
}

fn answer(ledger: &Arc<Ledger>, Request(caller, number, reply_to): Request) {
    reply_to.send(Payload::new(ledger, caller, number));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest foreign executor.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
