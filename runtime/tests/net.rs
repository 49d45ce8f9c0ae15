//! Sockets as a process sees them.

#[path = "common/net.rs"]
mod common;

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use common::{echo, listen, pair, run};
use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{TcpListener, TcpStream, lookup_host};
use regrow_runtime::{
    Down, ExitReason, Handle, Pid, Runtime, blocking, exit, monitor, receive, self_pid, send,
    sleep, spawn, spawn_monitor, yield_now,
};

/// Kills a process and waits until it is gone.
async fn kill(pid: Pid) {
    let reference = monitor(pid);
    exit(pid, ExitReason::Kill);
    receive::<Down>()
        .matching(move |down: &Down| down.reference == reference)
        .await;
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
fn a_host_is_connected_to_by_its_name() {
    run(async {
        let (listener, address) = listen();
        let by_pair = TcpStream::connect(("localhost", address.port())).await;
        assert_eq!(by_pair.unwrap().peer_addr().unwrap(), address);
        let name = format!("localhost:{}", address.port());
        let by_string = TcpStream::connect(&name).await.unwrap();
        assert_eq!(by_string.peer_addr().unwrap(), address);
        drop(listener);
        let nonsense = TcpStream::connect("no port").await.unwrap_err();
        assert_eq!(nonsense.kind(), ErrorKind::InvalidInput);
        let unknown = lookup_host(("no such host.invalid", 1)).await;
        assert!(unknown.is_err());
    });
}

#[test]
fn an_address_is_not_looked_up() {
    // Nothing here is pending, and no thread is needed for it.
    let addresses = futures_lite::future::block_on(async {
        let v6 = (Ipv6Addr::LOCALHOST, 4);
        let three: [SocketAddr; 1] = [([127, 0, 0, 1], 3).into()];
        [
            lookup_host("127.0.0.1:1").await,
            lookup_host(("127.0.0.1", 2)).await,
            lookup_host(&three[..]).await,
            lookup_host(v6).await,
            lookup_host(String::from("[::1]:5")).await,
        ]
        .map(|found| found.unwrap()[0])
    });
    assert_eq!(addresses.map(|address| address.port()), [1, 2, 3, 4, 5]);
    let name = futures_lite::future::block_on(lookup_host("localhost:1")).unwrap_err();
    assert_eq!(name.to_string(), "must be used inside a regrow process");
}

#[test]
fn a_look_up_does_not_hold_the_worker() {
    let runtime = Runtime::builder()
        .workers(1)
        .blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (go, gone) = std::sync::mpsc::channel::<()>();
        // The pool's only thread is busy until this process, on the only worker, lets it go.
        let busy = spawn(async move { blocking(move || gone.recv()).await.unwrap() });
        while Handle::current().system_info().blocking.threads == 0 {
            yield_now().await;
        }
        let mut looking_up = pin!(lookup_host(("localhost", 1)));
        assert!(poll_once(&mut looking_up).await.is_none());
        go.send(()).unwrap();
        assert!(!looking_up.await.unwrap().is_empty());
        assert_ne!(busy, self_pid());
    });
}

#[test]
fn lingering_is_refused_because_it_blocks() {
    run(async {
        let (near, mut far) = pair().await;
        assert_eq!(near.linger().unwrap(), None);
        let error = near.set_linger(Some(Duration::from_secs(1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        near.set_linger(Some(Duration::ZERO)).unwrap();
        (&near).write_all(b"lost").await.unwrap();
        drop(near);
        let mut text = String::new();
        let error = far.read_to_string(&mut text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_peek_takes_nothing() {
    run(async {
        let (near, mut far) = pair().await;
        let (peeked, written) = zip(near.peek(&mut [0; 8]), far.write_all(b"abc")).await;
        assert_eq!((peeked.unwrap(), written.unwrap()), (3, ()));
        let mut bytes = [0; 8];
        assert_eq!((&near).read(&mut bytes).await.unwrap(), 3);
        // After a short read it waits for the end like any other.
        let (peeked, closed) = zip(near.peek(&mut bytes), far.close()).await;
        assert_eq!((peeked.unwrap(), closed.unwrap()), (0, ()));
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
fn options_of_a_socket_can_be_read_back() {
    run(async {
        let (near, far) = pair().await;
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
        assert!(format!("{near:?}").contains(&near.local_addr().unwrap().port().to_string()));
        near.set_ttl(7).unwrap();
        assert_eq!(near.ttl().unwrap(), 7);
        assert!(near.take_error().unwrap().is_none());
        far.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!((&near).read(&mut [0]).await.unwrap(), 0);
    });
}
