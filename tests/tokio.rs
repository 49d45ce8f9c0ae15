//! gen_servers and axum: a server of tokio that asks them, and one that stands in their tree.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use regrow::{
    Application, Applications, CallError, ChildSpec, Context, Exit, ExitReason, GenServer, Handle,
    Name, Next, Pid, ReplyTo, Runtime, ServerRef, Shutdown, Strategy, Supervisor, exit, monitor,
    proc_lib, receive, receive_down, spawn, trap_exit,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

struct Counter(u64);

enum Count {
    Add(u64, ReplyTo<u64>),
    Get(ReplyTo<u64>),
}

const COUNTER: Name<Count> = Name::new("counter");

impl GenServer for Counter {
    type Args = ();
    type Message = Count;

    async fn init((): (), _: &mut Context<Self>) -> Result<Self, ExitReason> {
        // Its own work may be tokio's.
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(Counter(0))
    }

    async fn handle(&mut self, message: Count, _: &mut Context<Self>) -> Next {
        match message {
            Count::Add(n, reply) => {
                assert_ne!(n, 13, "that is no number");
                self.0 += n;
                reply.send(self.0);
            }
            Count::Get(reply) => reply.send(self.0),
        }
        Next::Continue
    }
}

type Answer = Result<Json<u64>, (StatusCode, String)>;

fn answer(result: Result<u64, CallError>) -> Answer {
    let unavailable = |error: CallError| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    result.map(Json).map_err(unavailable)
}

fn router(counter: ServerRef<Count>) -> Router {
    let show = |State(counter): State<ServerRef<Count>>| async move {
        answer(counter.call(Count::Get).await)
    };
    let add = |State(counter): State<ServerRef<Count>>, Json(n): Json<u64>| async move {
        answer(counter.call(|reply| Count::Add(n, reply)).await)
    };
    Router::new()
        .route("/", get(show))
        .route("/", post(add))
        .with_state(counter)
}

/// The HTTP server as a child: it listens when it has started. Told to stop, it answers what it
/// has begun with.
async fn endpoint(bound: mpsc::Sender<SocketAddr>) -> Result<Pid, proc_lib::StartError> {
    let handle = Handle::current();
    let started = proc_lib::start_link(|ready| async move {
        trap_exit(true);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let told = bound.send(listener.local_addr()?);
        told.expect("the test listens");
        let router = router(COUNTER.server_ref_on(&handle));
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
        Err::<(), _>(exit.reason)
    });
    Ok(started.await?.pid)
}

fn tree(bound: mpsc::Sender<SocketAddr>) -> Supervisor {
    let endpoint = ChildSpec::new("endpoint", move || endpoint(bound.clone()));
    Supervisor::new(Strategy::OneForOne)
        .name("root")
        .intensity(10, Duration::from_secs(60))
        .child(ChildSpec::new("counter", || {
            Counter::start_link(()).name(COUNTER)
        }))
        .child(endpoint.shutdown(Shutdown::Timeout(Duration::from_secs(10))))
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("tokio starts")
}

async fn add(address: SocketAddr, n: u64) -> reqwest::Result<(u16, String)> {
    let client = reqwest::Client::new();
    let response = client.post(format!("http://{address}/")).json(&n);
    let response = response.send().await?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// Asks until the counter is there again.
async fn total(address: SocketAddr) -> String {
    loop {
        let response = reqwest::get(format!("http://{address}/")).await.unwrap();
        if response.status().is_success() {
            return response.text().await.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn handlers_of_an_axum_server_in_the_tree_call_gen_servers_and_survive_their_crashes() {
    let tokio = tokio_runtime();
    let runtime = Runtime::builder().tokio(tokio.handle().clone());
    let runtime = runtime.build().unwrap();
    let (bound, addresses) = mpsc::channel();
    let root = runtime.spawn(async move {
        trap_exit(true);
        let root = tree(bound).start_link().await.unwrap();
        receive::<Exit>().await;
        root.stop(ExitReason::Shutdown, None).await.unwrap();
    });
    let first = addresses.recv().unwrap();
    tokio.block_on(async {
        assert_eq!(add(first, 5).await.unwrap(), (200, "5".into()));
        let (status, why) = add(first, 13).await.unwrap();
        assert_eq!(status, 503);
        assert!(why.contains("that is no number"), "{why}");
        assert_eq!(total(first).await, "0"); // grown back
    });

    // The endpoint itself, by its sockets' only way of failing here: somebody kills it.
    runtime.block_on(async {
        let root = regrow::SupervisorRef::named("root");
        let children = root.which_children().await.unwrap();
        let endpoint = children.iter().find(|child| &*child.id == "endpoint");
        exit(endpoint.unwrap().state.pid().unwrap(), ExitReason::Kill);
    });
    let second = addresses.recv().unwrap();
    tokio.block_on(async {
        assert_eq!(add(second, 7).await.unwrap(), (200, "7".into()));
    });

    // In order: the door is closed when the tree is down.
    let end = runtime.block_on(async move {
        let down = monitor(root);
        exit(root, ExitReason::Shutdown);
        receive_down(down).await
    });
    assert_eq!(end.reason, ExitReason::Normal);
    tokio.block_on(async {
        assert!(add(second, 1).await.unwrap_err().is_connect());
    });
}

/// The other direction: the HTTP server is tokio's, and knows a handle of ours.
#[test]
fn a_server_of_tokio_calls_gen_servers_by_name() {
    let tokio = tokio_runtime();
    let runtime = Runtime::builder().tokio(tokio.handle().clone());
    let runtime = runtime.build().unwrap();
    let handle = runtime.handle();
    tokio.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(COUNTER.server_ref_on(&handle));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (status, why) = add(address, 1).await.unwrap();
        assert_eq!(status, 503); // nobody has the name yet
        assert!(why.contains("no such process"), "{why}");
        let (started, has_started) = oneshot::channel();
        handle.spawn(async move {
            let server = Counter::start(()).name(COUNTER).await.unwrap();
            started.send(server).unwrap();
        });
        let server = has_started.await.unwrap();
        let many = (0..64).map(|_| tokio::spawn(add(address, 1)));
        for request in many.collect::<Vec<_>>() {
            assert_eq!(request.await.unwrap().unwrap().0, 200);
        }
        assert_eq!(server.call(Count::Get).await, Ok(64));
        exit(server.pid().unwrap(), ExitReason::Kill);
        // In a moment it is gone, and who asks is told so.
        while server.call(Count::Get).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.call(Count::Get).await, Err(CallError::NoProc));
    });
}

#[test]
fn an_application_beside_tokio_runs_and_ends_in_order() {
    let tokio = tokio_runtime();
    let (bound, addresses) = mpsc::channel();
    let (told, telling) = mpsc::channel();
    let code = Application::new("demo")
        .runtime(Runtime::builder().tokio(tokio.handle().clone()))
        .root(|| tree(bound).start_link())
        .started(move |_| async move {
            let address = addresses.recv().unwrap();
            spawn(async move {
                told.send(add(address, 42).await.unwrap()).unwrap();
                Applications::current().begin_shut_down();
            });
        })
        .run();
    assert_eq!(
        format!("{code:?}"),
        format!("{:?}", std::process::ExitCode::SUCCESS)
    );
    assert_eq!(telling.recv(), Ok((200, "42".into())));
}
