//! The listener: accepts clients and hands them to connection_sup.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regrow::net::{TcpListener, TcpStream};
use regrow::{
    ChildSpec, DynamicSupervisorRef, ExitReason, Pid, Restart, Shutdown, SpawnOptions, self_pid,
    sleep,
};

use crate::connection;
use crate::shared::Shared;
use crate::tree::{CONNECTION_SUP, LISTENER};

/// How long a connection has to say its last words when the program stops.
const CONNECTION_SHUTDOWN: Duration = Duration::from_secs(7);
/// The pause after a failed accept (no file descriptors left, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {error}")]
pub(crate) struct ListenError {
    pub(crate) address: SocketAddr,
    pub(crate) error: std::io::Error,
}

/// Starts the listener, linked to the calling process.
pub(crate) async fn start(shared: Arc<Shared>) -> Result<Pid, ExitReason> {
    // A listener that comes back listens where the first one did.
    let address = shared.address.get().copied();
    let address = address.unwrap_or(shared.settings.listen);
    let failed = |error| ListenError { address, error };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let _ = shared.address.set(listener.local_addr().map_err(failed)?);
    let body = accept(listener, shared);
    Ok(SpawnOptions::new().link().name(LISTENER).spawn(body)?.pid)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let supervisor = DynamicSupervisorRef::named(CONNECTION_SUP);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(target: "job_queue::listener", %error, "cannot accept a client");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // The start function is called once, and only if there is room.
        let socket = Mutex::new(Some(stream));
        let shared = Arc::clone(&shared);
        let spec = ChildSpec::new(peer.to_string(), move || {
            let stream = socket.lock().unwrap_or_else(PoisonError::into_inner).take();
            let shared = Arc::clone(&shared);
            async move { connect(stream, peer, shared) }
        })
        .restart(Restart::Temporary)
        .shutdown(Shutdown::Timeout(CONNECTION_SHUTDOWN));
        if let Err(error) = supervisor.start_child(spec).await {
            // The protocol has no words for it: the socket is closed.
            tracing::warn!(target: "job_queue::listener", %peer, %error, "a client is turned away");
        }
    }
}

/// Starts a connection, linked to the calling process (connection_sup).
fn connect(
    stream: Option<TcpStream>,
    peer: SocketAddr,
    shared: Arc<Shared>,
) -> Result<Pid, ExitReason> {
    let stream = stream.ok_or_else(|| ExitReason::error("the client is gone"))?;
    let body = connection::run(stream, peer, shared, self_pid());
    let options = SpawnOptions::new().link().trap_exit(true);
    Ok(options.label(format!("connection {peer}")).spawn(body)?.pid)
}
