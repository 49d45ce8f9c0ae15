//! Sockets as a process sees them.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{TcpListener, TcpStream};
use regrow_runtime::{
    Down, ExitReason, Pid, Runtime, exit, monitor, receive, self_pid, send, sleep, spawn,
    spawn_monitor,
};

fn run<F>(body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Runtime::new().unwrap().block_on(body)
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let (listener, address) = listen();
    let (near, far) = zip(TcpStream::connect(address), listener.accept()).await;
    (near.unwrap(), far.unwrap().0)
}

/// Kills a process and waits until it is gone.
async fn kill(pid: Pid) {
    let reference = monitor(pid);
    exit(pid, ExitReason::Kill);
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await;
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 64];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

#[test]
fn many_connections_are_echoed_side_by_side() {
    const CONNECTIONS: u32 = 200;
    const REQUESTS: u32 = 50;
    run(async {
        let (listener, address) = listen();
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn(echo(stream));
            }
        });
        let (me, mut clients) = (self_pid(), Vec::new());
        for number in 0..CONNECTIONS {
            clients.push(spawn_monitor(async move {
                let mut stream = TcpStream::connect(address).await?;
                for request in 0..REQUESTS {
                    let request = (number * REQUESTS + request).to_be_bytes();
                    stream.write_all(&request).await?;
                    let mut answer = [0; 4];
                    stream.read_exact(&mut answer).await?;
                    assert_eq!(answer, request);
                }
                send(me, number);
                Ok::<(), ExitReason>(())
            }));
        }
        for _ in clients {
            let down = receive::<Down>().await;
            assert_eq!(down.reason, ExitReason::Normal);
        }
        for _ in 0..CONNECTIONS {
            receive::<u32>().await;
        }
    });
}

#[test]
fn connecting_to_nobody_is_refused() {
    run(async {
        let (listener, address) = listen();
        drop(listener);
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn connecting_tries_one_address_after_the_other() {
    run(async {
        let (closed, nobody) = listen();
        drop(closed);
        let (_listener, somebody) = listen();
        let stream = TcpStream::connect(&[nobody, somebody][..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), somebody);
        let error = TcpStream::connect(&[][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_socket_needs_a_process() {
    let error = TcpListener::bind("127.0.0.1:0").unwrap_err();
    assert_eq!(error.to_string(), "must be used inside a regrow process");
    let connecting = TcpStream::connect("127.0.0.1:9");
    let error = futures_lite::future::block_on(connecting).unwrap_err();
    assert_eq!(error.to_string(), "must be used inside a regrow process");
}

#[test]
fn killing_a_process_that_waits_in_accept_closes_its_listener() {
    run(async {
        let me = self_pid();
        let acceptor = spawn(async move {
            let (listener, address) = listen();
            send(me, address);
            while let Ok((stream, _)) = listener.accept().await {
                send(me, stream);
            }
        });
        let address = receive::<SocketAddr>().await;
        let client = TcpStream::connect(address).await.unwrap();
        let served = receive::<TcpStream>().await;
        assert_eq!(
            served.peer_addr().unwrap(),
            client.local_addr().unwrap(),
            "a socket may travel in a message"
        );
        kill(acceptor).await;
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn killing_a_process_that_waits_in_read_closes_its_connection() {
    run(async {
        let (near, mut far) = pair().await;
        let reader = spawn(echo(near));
        far.write_all(b"x").await.unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).await.unwrap();
        kill(reader).await;
        assert_eq!(far.read(&mut byte).await.unwrap(), 0);
    });
}

#[test]
fn another_process_takes_over_from_one_killed_in_the_same_read() {
    run(async {
        let (near, mut far) = pair().await;
        let (me, near) = (self_pid(), Arc::new(near));
        for round in 0..20u8 {
            let read = |near: Arc<TcpStream>| async move {
                let mut byte = [0];
                send(me, self_pid());
                (&*near).read_exact(&mut byte).await.unwrap();
                send(me, byte[0]);
            };
            let victim = spawn(read(near.clone()));
            receive::<Pid>().await;
            kill(victim).await;
            spawn(read(near.clone()));
            far.write_all(&[round]).await.unwrap();
            assert_eq!(receive::<u8>().await, round);
            receive::<Pid>().await;
        }
    });
}

#[test]
fn every_process_of_a_pool_of_acceptors_is_served() {
    const ACCEPTORS: usize = 20;
    run(async {
        let (listener, address) = listen();
        let (me, listener) = (self_pid(), Arc::new(listener));
        let pool: Vec<Pid> = (0..2 * ACCEPTORS)
            .map(|_| {
                let listener = listener.clone();
                spawn(async move {
                    send(me, self_pid());
                    let (stream, _) = listener.accept().await.unwrap();
                    send(me, (self_pid(), stream));
                })
            })
            .collect();
        for _ in &pool {
            receive::<Pid>().await;
        }
        // Half of them, the first in the line among them, are killed while they wait.
        for &pid in pool.iter().step_by(2) {
            kill(pid).await;
        }
        let mut clients = Vec::new();
        for _ in 0..ACCEPTORS {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let mut served = Vec::new();
        for _ in 0..ACCEPTORS {
            served.push(receive::<(Pid, TcpStream)>().await.0);
        }
        served.sort();
        let mut expected: Vec<Pid> = pool.into_iter().skip(1).step_by(2).collect();
        expected.sort();
        assert_eq!(served, expected);
    });
}

#[test]
fn the_writing_side_can_be_closed_alone() {
    run(async {
        let (mut near, mut far) = pair().await;
        near.write_all(b"question").await.unwrap();
        near.close().await.unwrap();
        near.close().await.unwrap();
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        far.write_all(b"answer").await.unwrap();
        drop(far);
        text.clear();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "answer");
        let error = near.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_writer_waits_for_a_slow_reader_and_nothing_is_lost() {
    const BLOCK: usize = 64 * 1024;
    const BLOCKS: usize = 256;
    run(async {
        let (near, far) = pair().await;
        let writer = async {
            let mut waited = false;
            for number in 0..BLOCKS {
                let block = vec![number as u8; BLOCK];
                let mut writer = &near;
                let mut write = pin!(writer.write_all(&block));
                match poll_once(&mut write).await {
                    Some(result) => result.unwrap(),
                    None => {
                        waited = true;
                        write.await.unwrap();
                    }
                }
            }
            (&near).close().await.unwrap();
            assert!(waited, "16 MiB went into the buffers of the system");
        };
        let reader = async {
            let mut block = vec![0; BLOCK];
            for number in 0..BLOCKS {
                if number % 64 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
                (&far).read_exact(&mut block).await.unwrap();
                assert!(block.iter().all(|&byte| byte == number as u8));
            }
            assert_eq!((&far).read(&mut block).await.unwrap(), 0);
        };
        zip(writer, reader).await;
    });
}

#[test]
fn one_process_reads_a_stream_while_another_writes_it() {
    const BYTES: usize = 4 << 20;
    run(async {
        let (near, far) = pair().await;
        let (me, near) = (self_pid(), Arc::new(near));
        spawn(echo(far));
        let writer = near.clone();
        spawn(async move {
            let data: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
            (&*writer).write_all(&data).await?;
            (&*writer).close().await
        });
        spawn(async move {
            let mut data = Vec::new();
            (&*near).read_to_end(&mut data).await?;
            send(me, data);
            Ok::<(), ExitReason>(())
        });
        let data = receive::<Vec<u8>>().await;
        assert_eq!(data.len(), BYTES);
        assert!(
            data.iter()
                .enumerate()
                .all(|(at, &b)| b == (at % 251) as u8)
        );
    });
}

#[test]
fn a_socket_that_is_always_ready_does_not_hold_the_worker() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(async {
        let (mut near, _far) = pair().await;
        let me = self_pid();
        spawn(async move {
            send(me, self_pid());
            loop {
                // Nothing to read into: never blocks.
                if near.read(&mut []).await.is_err() {
                    break;
                }
            }
        });
        let greedy = receive::<Pid>().await;
        let other = spawn(async move { send(me, "had a turn") });
        assert_eq!(receive::<&str>().await, "had a turn");
        assert_ne!(greedy, other);
    });
}

#[test]
fn vectored_reads_and_writes_use_all_buffers() {
    run(async {
        let (mut near, mut far) = pair().await;
        let parts = [io::IoSlice::new(b"one"), io::IoSlice::new(b"two")];
        assert_eq!(near.write_vectored(&parts).await.unwrap(), 6);
        near.close().await.unwrap();
        // What is in flight arrives together or not; the end of the stream comes after it.
        let (mut first, mut rest) = ([0; 2], [0; 10]);
        let mut seen: Vec<u8> = Vec::new();
        loop {
            let mut buffers = [
                io::IoSliceMut::new(&mut first),
                io::IoSliceMut::new(&mut rest),
            ];
            let count = far.read_vectored(&mut buffers).await.unwrap();
            if count == 0 {
                break;
            }
            seen.extend(&[&first[..], &rest[..]].concat()[..count]);
        }
        assert_eq!(seen, b"onetwo");
    });
}

#[test]
fn a_socket_may_outlive_its_runtime() {
    let runtime = Runtime::new().unwrap();
    let (near, far) = runtime.block_on(pair());
    drop(runtime);
    assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
    drop(near);
    drop(far);
}

#[test]
fn dropping_the_runtime_closes_the_sockets_of_waiting_processes() {
    let runtime = Runtime::new().unwrap();
    let address = runtime.block_on(async {
        let (listener, address) = listen();
        let me = self_pid();
        spawn(async move {
            send(me, ());
            let _ = listener.accept().await;
        });
        receive::<()>().await;
        address
    });
    drop(runtime);
    let error = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn options_of_a_socket_can_be_read_back() {
    run(async {
        let (near, far) = pair().await;
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
        assert!(format!("{near:?}").contains(&near.local_addr().unwrap().port().to_string()));
        far.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!((&near).read(&mut [0]).await.unwrap(), 0);
    });
}
