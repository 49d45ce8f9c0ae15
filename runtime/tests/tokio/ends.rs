//! Both runtimes end, in either order.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use regrow_runtime::{EventKinds, ExitReason, Runtime, SpawnOptions, receive, sleep};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;

use super::{FOR_EVER, beside, in_time, tokio_runtime};

/// Less than a drop waits for what is stuck.
const SOON: Duration = Duration::from_secs(4);

/// Processes that wait for each kind of thing that tokio has; each holds `held`.
fn spawn_waiting(runtime: &Runtime, held: &Arc<()>) {
    let (ready, is_ready) = mpsc::channel();
    for kind in 0..4 {
        let (held, ready) = (held.clone(), ready.clone());
        runtime.spawn(async move {
            let _held = held;
            match kind {
                0 => {
                    ready.send(()).unwrap();
                    tokio::time::sleep(FOR_EVER).await;
                }
                1 => {
                    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                    ready.send(()).unwrap();
                    let _ = listener.accept().await;
                }
                2 => {
                    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    ready.send(()).unwrap();
                    let _ = socket.recv(&mut [0]).await;
                }
                _ => {
                    let (_never, answer) = oneshot::channel::<()>();
                    let task = tokio::spawn(answer);
                    ready.send(()).unwrap();
                    let _ = task.await;
                }
            }
        });
    }
    for _ in 0..4 {
        is_ready.recv().unwrap();
    }
}

#[test]
fn ours_ends_first_and_nothing_is_left_in_either() {
    in_time(|| {
        let tokio = tokio_runtime();
        for _ in 0..10 {
            let runtime = beside(&tokio).build().unwrap();
            let held = Arc::new(());
            spawn_waiting(&runtime, &held);
            let start = Instant::now();
            drop(runtime);
            assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
            assert_eq!(Arc::strong_count(&held), 1);
        }
        // It has outlived ten of ours, and works.
        tokio.block_on(async { tokio::time::sleep(Duration::from_millis(1)).await });
        drop(tokio);
    });
}

#[test]
fn tokio_ends_first_and_who_waits_for_it_fails() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let held = Arc::new(());
        let events = runtime.handle().events(EventKinds::EXITED, 100);
        spawn_waiting(&runtime, &held);
        let (slept, is_over) = mpsc::channel();
        runtime.spawn(async move {
            tokio::time::sleep(FOR_EVER).await;
            slept.send(()).unwrap();
        });
        let start = Instant::now();
        drop(tokio);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        // Nobody waits for ever, and nobody believes that he has slept.
        for _ in 0..5 {
            assert!(events.recv().is_some());
        }
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(is_over.recv().is_err());

        // What has nothing to do with tokio goes on; what begins to fails with a reason.
        let end = runtime.block_on(async {
            sleep(Duration::from_millis(1)).await;
            let options = SpawnOptions::new().monitor();
            let late = options.spawn(async { tokio::time::sleep(FOR_EVER).await });
            regrow_runtime::receive_down(late.unwrap().monitor.unwrap()).await
        });
        assert!(matches!(end.reason, ExitReason::Panic(_)), "{}", end.reason);
        assert!(
            end.reason.to_string().contains("shutdown"),
            "{}",
            end.reason
        );
        let start = Instant::now();
        drop(runtime);
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    });
}

#[test]
fn tokio_ends_in_the_background_while_processes_wait_for_it() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let held = Arc::new(());
        spawn_waiting(&runtime, &held);
        tokio.shutdown_background();
        drop(runtime);
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn ours_is_dropped_in_a_task_of_the_tokio_that_it_is_beside() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let held = Arc::new(());
        spawn_waiting(&runtime, &held);
        tokio.block_on(async { tokio::spawn(async move { drop(runtime) }).await.unwrap() });
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn tokio_is_dropped_in_a_process_beside_it() {
    in_time(|| {
        let tokio = tokio_runtime();
        let runtime = beside(&tokio).build().unwrap();
        let (told, telling) = mpsc::channel();
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            tokio.shutdown_background();
            told.send(()).unwrap();
        });
        telling.recv().unwrap();
        drop(runtime);
    });
}

/// A thread of ours that outlives the patience still drops what it has in the context.
#[test]
fn a_process_that_is_left_behind_is_dropped_when_it_gets_out() {
    in_time(|| {
        let tokio = tokio_runtime();
        let builder = beside(&tokio).shutdown_patience(Duration::from_millis(50));
        let runtime = builder.build().unwrap();
        let (to, heard) = mpsc::channel();
        struct Farewell(mpsc::Sender<()>);
        impl Drop for Farewell {
            fn drop(&mut self) {
                let to = self.0.clone();
                tokio::spawn(async move { to.send(()) });
            }
        }
        let farewell = Farewell(to);
        let (go, gone) = mpsc::channel::<()>();
        let (stuck, is_stuck) = mpsc::channel();
        runtime.spawn(async move {
            let _farewell = farewell;
            stuck.send(()).unwrap();
            gone.recv().unwrap_err();
            receive::<()>().await;
        });
        is_stuck.recv().unwrap();
        drop(runtime);
        drop(go);
        heard.recv().unwrap();
    });
}

/// Its futures move only while somebody drives it.
#[test]
fn a_tokio_of_one_thread_serves_processes_while_it_is_driven() {
    in_time(|| {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let runtime = beside(&tokio).build().unwrap();
        let (told, telling) = oneshot::channel();
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let by_task = tokio::spawn(async { 42 }).await;
            told.send(by_task.unwrap()).unwrap();
        });
        assert_eq!(tokio.block_on(telling), Ok(42));
        drop(runtime);
    });
}
