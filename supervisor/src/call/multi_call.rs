//! One request to many servers.

use std::future::Future;

use regrow_runtime::ReplyTo;

use super::{Call, CallError, ResponseTimeout, wait_here};
use crate::ServerRef;

/// The replies, and why there is none from the others; each in the order of the servers.
type Replies<M, R> = (Vec<(ServerRef<M>, R)>, Vec<(ServerRef<M>, CallError)>);

/// Sends a request to each of the servers and waits for all replies (OTP:
/// `gen_server:multi_call/4`).
///
/// The result is the servers that replied, with their replies, and the *bad* ones: those that are
/// gone, that nobody has the name of, that end without a reply, or are late; with the reason.
/// Both are in the order of `servers`, and one that is there twice is asked twice. All requests
/// are sent at once, and there is one timeout for all; a late reply is dropped. A process that is
/// among the servers itself is a bad one ([`CallError::CallingSelf`]) and sent nothing.
///
/// ```
/// # use regrow_supervisor::*;
/// # use regrow_runtime::*;
/// use std::time::Duration;
/// # struct Counter(u64);
/// enum Command { Get(ReplyTo<u64>) }
/// # impl GenServer for Counter {
/// #     type Args = u64;
/// #     type Message = Command;
/// #     async fn init(n: u64, _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Counter(n)) }
/// #     async fn handle(&mut self, command: Command, _: &mut Context<Self>) -> Next {
/// #         let Command::Get(reply) = command;
/// #         reply.send(self.0);
/// #         Next::Continue
/// #     }
/// # }
/// # Runtime::new().unwrap().block_on(async {
/// let one = Counter::start_link(1).await.unwrap();
/// let two = Counter::start_link(2).await.unwrap();
/// let nobody = Name::new("nobody").server_ref();
///
/// let servers = [one.clone(), nobody.clone(), two.clone()];
/// let (replies, bad) = multi_call(servers, Command::Get, Duration::from_secs(5)).await;
/// assert_eq!(replies, [(one, 1), (two, 2)]);
/// assert_eq!(bad, [(nobody, CallError::NoProc)]);
/// # });
/// ```
///
/// # Panics
///
/// For a name, outside a process.
#[track_caller]
pub fn multi_call<M, R, I, F>(
    servers: I,
    mut request: F,
    timeout: impl Into<ResponseTimeout>,
) -> impl Future<Output = Replies<M, R>> + Send
where
    M: Send + 'static,
    R: Send + 'static,
    I: IntoIterator<Item = ServerRef<M>>,
    F: FnMut(ReplyTo<R>) -> M,
{
    let servers = servers.into_iter();
    let calls = servers.map(|server| {
        let Call { request, .. } = server.call(&mut request);
        (server, request)
    });
    let requests: Vec<_> = calls.collect();
    let limit = timeout.into();
    wait_here(async move {
        // One after the other, each for what is left: replies that come meanwhile are kept.
        let limit = limit.fixed();
        let (mut replies, mut bad) = (Vec::new(), Vec::new());
        for (server, request) in requests {
            match request.receive_response(limit).await {
                Ok(reply) => replies.push((server, reply)),
                Err(error) => bad.push((server, error)),
            }
        }
        (replies, bad)
    })
}

/// Sends a message to each of the servers and forgets about it (OTP: `gen_server:abcast/3`). As
/// with [`ServerRef::cast`], a server that is gone is no error.
///
/// ```
/// # use regrow_supervisor::*;
/// # use regrow_runtime::*;
/// # struct Counter;
/// enum Command { Reset }
/// # impl GenServer for Counter {
/// #     type Args = Pid;
/// #     type Message = Command;
/// #     async fn init(_: Pid, _: &mut Context<Self>) -> Result<Self, ExitReason> { Ok(Counter) }
/// #     async fn handle(&mut self, Command::Reset: Command, _: &mut Context<Self>) -> Next {
/// #         Next::Stop(ExitReason::Normal)
/// #     }
/// # }
/// # Runtime::new().unwrap().block_on(async {
/// # let servers = [Counter::start(self_pid()).await.unwrap()];
/// # let ended = monitor(servers[0].pid().unwrap());
/// abcast(servers, || Command::Reset);
/// # receive_down(ended).await;
/// # });
/// ```
///
/// # Panics
///
/// For a name, outside a process.
pub fn abcast<M: Send + 'static>(
    servers: impl IntoIterator<Item = ServerRef<M>>,
    mut message: impl FnMut() -> M,
) {
    for server in servers {
        server.cast(message());
    }
}
