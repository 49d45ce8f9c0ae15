//! tokio's futures in processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regrow_runtime::{
    ExitReason, SpawnOptions, receive, receive_down, self_pid, send, spawn, spawn_local,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{FOR_EVER, run};

#[test]
fn a_process_sleeps_by_the_clock_of_tokio() {
    run(async {
        let start = Instant::now();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(start.elapsed() >= Duration::from_millis(20));
        let late = tokio::time::timeout(Duration::from_millis(5), receive::<()>()).await;
        assert!(late.is_err());
    });
}

#[test]
fn processes_talk_over_sockets_of_tokio() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    tokio::io::copy(&mut reader, &mut writer).await.map(drop)
                });
            }
        });
        let this = self_pid();
        for client in 0..20_u8 {
            spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let sent = vec![client; 100_000];
                let (mut reader, mut writer) = stream.split();
                let mut echo = vec![0; sent.len()];
                let (written, read) =
                    tokio::join!(writer.write_all(&sent), reader.read_exact(&mut echo));
                written.unwrap();
                read.unwrap();
                send(this, echo == sent);
            });
        }
        for _ in 0..20 {
            assert!(receive::<bool>().await);
        }
    });
}

#[test]
fn a_message_is_received_while_a_future_of_tokio_is_waited_for() {
    run(async {
        let this = self_pid();
        tokio::spawn(async move { send(this, "from a task") });
        let first = tokio::select! {
            message = receive::<&str>() => message,
            () = tokio::time::sleep(FOR_EVER) => "nothing",
        };
        assert_eq!(first, "from a task");
        send(this, "still there");
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            _ = receive::<u8>() => unreachable!("nobody sends any"),
        }
        assert_eq!(receive::<&str>().await, "still there");
    });
}

#[test]
fn channels_between_processes_and_tasks_lose_nothing() {
    const COUNT: u32 = 20_000;
    run(async {
        let (questions, mut asked) = mpsc::channel::<(u32, oneshot::Sender<u32>)>(8);
        let task = tokio::spawn(async move {
            let mut count = 0;
            while let Some((n, answer)) = asked.recv().await {
                answer.send(n + 1).unwrap();
                count += 1;
            }
            count
        });
        let this = self_pid();
        for _ in 0..4 {
            let questions = questions.clone();
            spawn(async move {
                for n in 0..COUNT / 4 {
                    let (answer, answered) = oneshot::channel();
                    questions.send((n, answer)).await.unwrap();
                    assert_eq!(answered.await.unwrap(), n + 1);
                }
                send(this, ());
            });
        }
        drop(questions);
        for _ in 0..4 {
            receive::<()>().await;
        }
        assert_eq!(task.await.unwrap(), COUNT);
    });
}

#[test]
fn a_local_process_stays_on_its_thread_whoever_wakes_it() {
    run(async {
        let this = self_pid();
        spawn_local(async move {
            let here = std::thread::current().id();
            let not_send = std::rc::Rc::new(());
            for _ in 0..100 {
                tokio::task::spawn_blocking(|| {}).await.unwrap();
                tokio::time::sleep(Duration::from_micros(1)).await;
                assert_eq!(std::thread::current().id(), here);
            }
            drop(not_send);
            send(this, "done");
        });
        receive::<&str>().await;
    });
}

#[test]
fn a_panic_of_a_task_is_an_error_for_the_process_that_waits_for_it() {
    run(async {
        let task = tokio::spawn(async { panic!("in a task") });
        assert!(task.await.unwrap_err().is_panic());
    });
}

/// A waker of ours in the hands of tokio, when its process is gone.
#[test]
fn a_wake_that_comes_too_late_wakes_nobody() {
    run(async {
        let notify = Arc::new(Notify::new());
        for _ in 0..100 {
            let waiting = notify.clone();
            let one = SpawnOptions::new().monitor();
            let one = one.spawn(async move { waiting.notified().await }).unwrap();
            let late = notify.clone();
            let waker = tokio::spawn(async move { late.notify_waiters() });
            regrow_runtime::exit(one.pid, ExitReason::Kill);
            let end = receive_down(one.monitor.unwrap()).await;
            assert!(matches!(
                end.reason,
                ExitReason::Killed | ExitReason::Normal
            ));
            waker.await.unwrap();
        }
    });
}
