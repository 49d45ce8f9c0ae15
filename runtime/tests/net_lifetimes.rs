//! Sockets whose process is killed, or whose runtime ends.

#[path = "common/net.rs"]
mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use common::{echo, listen, pair, run};
use futures_lite::future::poll_once;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{Fd, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use regrow_runtime::{
    Down, ExitReason, Pid, Runtime, exit, monitor, receive, self_pid, send, spawn,
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
fn sockets_of_every_kind_may_outlive_their_runtime() {
    let runtime = Runtime::new().unwrap();
    let (listener, (near, far), unix, udp, datagrams, pipe) = runtime.block_on(async {
        let (reader, writer) = std::io::pipe().unwrap();
        (
            listen().0,
            pair().await,
            UnixStream::pair().unwrap(),
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            UnixDatagram::pair().unwrap(),
            (Fd::new(reader).unwrap(), Fd::new(writer).unwrap()),
        )
    });
    drop(runtime);
    assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
    // What need not wait works on; what has to is pending, and nobody wakes it.
    futures_lite::future::block_on(async {
        let mut byte = [0];
        (&near).write_all(b"x").await.unwrap();
        (&unix.0).write_all(b"x").await.unwrap();
        datagrams.0.send(b"x").await.unwrap();
        (&pipe.1).write_all(b"x").await.unwrap();
        (&unix.1).read_exact(&mut byte).await.unwrap();
        datagrams.1.recv(&mut byte).await.unwrap();
        (&pipe.0).read_exact(&mut byte).await.unwrap();
        assert!(poll_once((&unix.1).read(&mut byte)).await.is_none());
        assert!(poll_once(udp.recv(&mut byte)).await.is_none());
        // What it accepted could not be watched by anybody.
        assert!(listener.accept().await.is_err());
    });
    drop((near, far, unix, datagrams, pipe));
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = std::net::TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
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
