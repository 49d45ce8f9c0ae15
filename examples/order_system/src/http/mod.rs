//! The endpoint: HTTP on axum, as a process of the tree.

mod error;
pub(crate) mod gate;
mod orders;
mod routes;

use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use regrow::{
    ChildSpec, Exit, ExitReason, Handle, Pid, Shutdown, proc_lib, receive, set_label, trap_exit,
};

use self::gate::Gate;
use crate::config::Config;

/// The name of the endpoint.
pub(crate) const ENDPOINT: &str = "endpoint";

/// The endpoint as a child.
pub(crate) fn spec(config: Arc<Config>) -> ChildSpec {
    let drain = config.drain + Duration::from_secs(1);
    let start = move || {
        let config = Arc::clone(&config);
        async move {
            let router = routes::router(&config, Handle::current());
            serve(ENDPOINT, &config.listener, router, &config.gate).await
        }
    };
    ChildSpec::new(ENDPOINT, start).shutdown(Shutdown::Timeout(drain))
}

/// Starts a process that serves HTTP, linked to the calling one. Told to end when the gate is
/// closed, it answers first what has been asked. A kill ends no connection: their tasks go on, and
/// so clients do not notice.
pub(crate) async fn serve(
    name: &'static str,
    listener: &TcpListener,
    router: Router,
    gate: &Arc<Gate>,
) -> Result<Pid, ExitReason> {
    let (listener, gate) = (listener.try_clone()?, Arc::clone(gate));
    let started = proc_lib::start_link(move |ready| async move {
        trap_exit(true);
        set_label(name);
        regrow::register(name, regrow::self_pid())?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        ready.ack(());
        let closing = Arc::clone(&gate);
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(async move { closing.closed().await });
        let mut serving = pin!(serving.into_future());
        let mut is_done = false;
        let exit = loop {
            tokio::select! {
                served = &mut serving, if !is_done => {
                    served?;
                    is_done = true;
                }
                exit = receive::<Exit>() => break exit,
            }
        };
        if gate.is_closed() {
            if !is_done {
                serving.await?;
            }
            gate.empty().await;
        }
        Err::<(), _>(exit.reason)
    });
    Ok(started.await?.pid)
}
