//! The endpoint: HTTP on axum, as a process of the tree.

mod error;
pub(crate) mod gate;
mod orders;
mod routes;

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use regrow::{
    ChildSpec, Exit, ExitReason, Handle, Pid, Shutdown, proc_lib, receive, set_label, trap_exit,
};
use tokio::sync::oneshot;

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
            let gate = Arc::clone(&config.gate);
            let last = async move {
                if gate.is_closed() {
                    gate.empty().await;
                }
            };
            serve(ENDPOINT, &config.listener, router, last).await
        }
    };
    ChildSpec::new(ENDPOINT, start).shutdown(Shutdown::Timeout(drain))
}

/// Starts a process that serves HTTP, linked to the calling one. Told to end, it takes no more
/// connections, answers what has been asked, and does what is to be done `last`.
pub(crate) async fn serve(
    name: &'static str,
    listener: &TcpListener,
    router: Router,
    last: impl Future<Output = ()> + Send + 'static,
) -> Result<Pid, ExitReason> {
    let listener = listener.try_clone()?;
    let started = proc_lib::start_link(move |ready| async move {
        trap_exit(true);
        set_label(name);
        regrow::register(name, regrow::self_pid())?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        ready.ack(());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(async move { drop(stopped.await) });
        let (served, exit) = tokio::join!(serving.into_future(), async {
            let exit: Exit = receive().await;
            drop(stop);
            exit
        });
        served?;
        last.await;
        Err::<(), _>(exit.reason)
    });
    Ok(started.await?.pid)
}
