//! The listener: accepts clients and hands them to chat_conn_sup.

use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use regrow::net::{TcpListener, TcpStream};
use regrow::{
    ChildSpec, DynamicSupervisorRef, ExitReason, Pid, Restart, SpawnOptions, StartChildError,
    self_pid, sleep, spawn_link,
};

use crate::connection;
use crate::irc::line::Builder;
use crate::server::Server;
use crate::tree::CONN_SUP;

/// How long a connection has to say goodbye when the server stops.
const CONNECTION_SHUTDOWN: Duration = Duration::from_secs(5);
/// How long the socket of a client that is turned away is still read: what the client has sent
/// by then must not take the last words with it.
const REFUSAL: Duration = Duration::from_secs(1);
/// The same when many are turned away.
const BUSY_REFUSAL: Duration = Duration::from_millis(100);
/// How many are many, and how many are so many that the sockets of more are closed at once.
const REFUSALS: (usize, usize) = (256, MOST_REFUSALS);
/// More sockets than this never wait for clients that are turned away.
pub(crate) const MOST_REFUSALS: usize = 2_000;
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
pub(crate) async fn start(server: Arc<Server>) -> Result<Pid, ExitReason> {
    // A listener that comes back listens where the first one did.
    let address = server
        .address
        .get()
        .copied()
        .unwrap_or(server.config.listen);
    let failed = |error| ListenError { address, error };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let _ = server.address.set(listener.local_addr().map_err(failed)?);
    let body = accept(listener, server);
    Ok(SpawnOptions::new().link().name("listener").spawn(body)?.pid)
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    let supervisor = DynamicSupervisorRef::named(CONN_SUP);
    let refusals = Arc::new(());
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(target: "chat::listener", %error, "cannot accept a client");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // The start function may be called once, and only if there is room.
        let socket = Arc::new(Mutex::new(Some(stream)));
        let take = |socket: &Mutex<Option<TcpStream>>| {
            socket.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let (handed, shared) = (Arc::clone(&socket), Arc::clone(&server));
        let spec = ChildSpec::new(peer.to_string(), move || {
            let (stream, server) = (take(&handed), Arc::clone(&shared));
            async move { connect(stream, peer, server) }
        });
        let spec = spec.restart(Restart::Temporary);
        let spec = spec.shutdown(regrow::Shutdown::Timeout(CONNECTION_SHUTDOWN));
        let why = match supervisor.start_child(spec).await {
            Ok(_) => continue,
            Err(StartChildError::MaxChildren) => "server full, try again later".to_owned(),
            Err(error) => {
                tracing::warn!(target: "chat::listener", %error, "cannot serve a client");
                "server is not ready, try again".to_owned()
            }
        };
        if let Some(stream) = take(&socket) {
            let place = Arc::clone(&refusals);
            spawn_link(async move {
                let patience = match Arc::strong_count(&place) {
                    few if few <= REFUSALS.0 => REFUSAL,
                    many if many <= REFUSALS.1 => BUSY_REFUSAL,
                    _ => Duration::ZERO,
                };
                refuse(&stream, peer, &why, patience).await;
            });
        }
    }
}

/// Starts a connection, linked to the calling process (chat_conn_sup).
fn connect(
    stream: Option<TcpStream>,
    peer: SocketAddr,
    server: Arc<Server>,
) -> Result<Pid, ExitReason> {
    let stream = stream.ok_or_else(|| ExitReason::error("the client is gone"))?;
    let body = connection::run(stream, peer, server, self_pid());
    let options = SpawnOptions::new().link().trap_exit(true);
    Ok(options.label(format!("connection {peer}")).spawn(body)?.pid)
}

/// Tells a client that there is no room for it, and waits for it to close its side.
async fn refuse(mut stream: &TcpStream, peer: SocketAddr, why: &str, patience: Duration) {
    let line = Builder::bare("ERROR").trailing(format!("Closing Link: {} ({why})", peer.ip()));
    let line = line.line();
    let told = async {
        stream.write_all(line.wire(false)).await?;
        stream.shutdown(Shutdown::Write)?;
        let mut nothing = [0; 512];
        while stream.read(&mut nothing).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // It is going away: nothing can be done about a socket that fails.
    let _ = future::or(told, async {
        sleep(patience).await;
        Ok(())
    })
    .await;
}
