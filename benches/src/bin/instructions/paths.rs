//! What is counted.

use std::time::Duration;

use clap::ValueEnum;
use regrow::{
    Runtime, cancel_timer, receive, receive_down, reply_channel, self_pid, send, send_after,
    spawn_monitor, yield_now,
};
use regrow_benches::{messages, servers, spawning};

/// A hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Path {
    /// A process sends a message to itself and receives it
    SendReceive,
    /// A message to another process, which waits for it, and one back
    PingPong,
    /// A process yields to another
    Switch,
    /// A process is born and ends
    SpawnExit,
    /// The same with a link, whose exit signal becomes a message
    SpawnLinkExit,
    /// A process is monitored, ends, and its `Down` is received
    SpawnMonitorDown,
    /// A message from one of eight senders to one receiver
    FanIn,
    /// A reply that is there when it is waited for
    Reply,
    /// A timer is started and cancelled
    SendAfterCancel,
    /// A call of a gen_server, with its timeout
    Call,
    /// A cast to a gen_server
    Cast,
    /// A supervisor starts a server and terminates it
    StartTerminateChild,
    /// A killed server is restarted and answers
    KillRestart,
}

impl Path {
    /// As on the command line.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().to_owned()
    }
}

/// Runs one path on one worker.
pub(crate) fn run(path: Path, count: u64) {
    let runtime = Runtime::builder().workers(1).build();
    let runtime = runtime.expect("the runtime starts");
    runtime.block_on(async move {
        match path {
            Path::SendReceive => send_receive(count).await,
            Path::PingPong => drop(messages::ping_pong(1, count).await),
            Path::Switch => switch(count).await,
            Path::SpawnExit => drop(spawning::spawn_exit(count).await),
            Path::SpawnLinkExit => drop(spawning::spawn_link_exit(count).await),
            Path::SpawnMonitorDown => spawn_monitor_down(count).await,
            Path::FanIn => drop(messages::fan_in(count).await),
            Path::Reply => reply(count).await,
            Path::SendAfterCancel => send_after_cancel(count).await,
            Path::Call => drop(servers::calls(count).await),
            Path::Cast => drop(servers::casts(count).await),
            Path::StartTerminateChild => drop(servers::start_terminate_child(count).await),
            Path::KillRestart => drop(servers::kill_restart(count).await),
        }
    });
}

async fn send_receive(count: u64) {
    for number in 0..count {
        send(self_pid(), number);
        assert_eq!(receive::<u64>().await, number);
    }
}

/// One of two: a switch to the other and one back are two operations.
async fn switch(count: u64) {
    let yields = count / 2;
    let other = spawn_monitor(async move {
        for _ in 0..yields {
            yield_now().await;
        }
    });
    for _ in 0..yields {
        yield_now().await;
    }
    receive_down(other.1).await;
}

async fn spawn_monitor_down(count: u64) {
    for _ in 0..count {
        let (_, monitor) = spawn_monitor(async {});
        let down = receive_down(monitor).await;
        assert!(down.reason.is_normal_like());
    }
}

async fn reply(count: u64) {
    for number in 0..count {
        let (reply_to, reply) = reply_channel();
        reply_to.send(number);
        assert_eq!(reply.await, Ok(number));
    }
}

async fn send_after_cancel(count: u64) {
    for number in 0..count {
        let timer = send_after(Duration::from_secs(5), self_pid(), number);
        assert!(cancel_timer(timer).is_some());
    }
}
