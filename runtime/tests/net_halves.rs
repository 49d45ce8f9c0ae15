//! Connections in halves.

use std::io::ErrorKind;
use std::net::Shutdown;

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{
    OwnedReadHalf, OwnedWriteHalf, Socket, StreamSocket, TcpListener, TcpStream, UnixStream,
};
use regrow_runtime::{Down, ExitReason, exit, receive, self_pid, send, spawn, spawn_monitor};

use common::run;

mod common;

const BYTES: usize = 4 << 20;

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = zip(TcpStream::connect(address), listener.accept()).await;
    (near.unwrap(), far.unwrap().0)
}

fn data() -> Vec<u8> {
    (0..BYTES).map(|at| (at % 251) as u8).collect()
}

/// Each end in two processes, of which one writes what the other end's other reads.
async fn cross<T: Socket + 'static>(near: StreamSocket<T>, far: StreamSocket<T>) {
    let me = self_pid();
    for stream in [near, far] {
        let (mut reader, mut writer) = stream.into_split();
        spawn(async move { writer.write_all(&data()).await });
        spawn(async move {
            let mut seen = Vec::new();
            // To the end, which comes when the writer has ended and dropped its half.
            reader.read_to_end(&mut seen).await.unwrap();
            send(me, seen);
        });
    }
    for _ in 0..2 {
        assert!(receive::<Vec<u8>>().await == data());
    }
}

#[test]
fn halves_carry_both_directions_at_once_over_tcp() {
    run(2, async {
        let (near, far) = tcp_pair().await;
        cross(near, far).await;
    });
}

#[test]
fn halves_carry_both_directions_at_once_over_unix() {
    run(2, async {
        let (near, far) = UnixStream::pair().unwrap();
        cross(near, far).await;
    });
}

#[test]
fn borrowed_halves_serve_one_process_that_reads_and_writes_at_once() {
    run(2, async {
        let (mut near, mut far) = tcp_pair().await;
        let (mut read_near, mut write_near) = near.split();
        let (mut read_far, mut write_far) = far.split();
        assert!(read_near.as_ref().peer_addr().is_ok() && write_near.as_ref().nodelay().is_ok());
        let (sent, mut one, mut other) = (data(), vec![0; BYTES], vec![0; BYTES]);
        let ((a, b), (c, d)) = zip(
            zip(write_near.write_all(&sent), write_far.write_all(&sent)),
            zip(
                read_near.read_exact(&mut one),
                read_far.read_exact(&mut other),
            ),
        )
        .await;
        a.and(b).and(c).and(d).unwrap();
        assert!(one == sent && other == sent);
        // The borrowed half that writes is gone now, and nothing has ended.
        near.write_all(b"more").await.unwrap();
        read_far.read_exact(&mut [0; 4]).await.unwrap();
    });
}

#[test]
fn dropping_the_half_that_writes_ends_the_writing_side_only() {
    run(2, async {
        let (near, mut far) = tcp_pair().await;
        let (mut reader, mut writer) = near.into_split();
        writer.write_all(b"question").await.unwrap();
        drop(writer);
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        far.write_all(b"answer").await.unwrap();
        reader.read_exact(&mut [0; 6]).await.unwrap();
    });
}

#[test]
fn dropping_the_half_that_reads_leaves_the_other_working() {
    run(2, async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (reader, mut writer) = near.into_split();
        drop(reader);
        writer.write_all(b"still here").await.unwrap();
        far.read_exact(&mut [0; 10]).await.unwrap();
        drop(writer);
        let error = far.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "both are gone");
    });
}

#[test]
fn a_forgotten_half_leaves_the_writing_side_open() {
    run(2, async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (reader, writer) = near.into_split();
        writer.forget();
        assert!(poll_once(far.read(&mut [0])).await.is_none());
        (reader.as_ref()).write_all(b"x").await.unwrap();
        far.read_exact(&mut [0]).await.unwrap();
        drop(reader);
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn halves_of_one_connection_reunite_and_end_nothing() {
    run(2, async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (reader, writer) = near.into_split();
        let mut near = reader.reunite(writer).unwrap();
        near.write_all(b"whole").await.unwrap();
        far.read_exact(&mut [0; 5]).await.unwrap();
        assert!(poll_once(far.read(&mut [0])).await.is_none(), "no end");
    });
}

#[test]
fn halves_of_two_connections_come_back() {
    run(2, async {
        let ((one, _far), (other, _other_far)) = (tcp_pair().await, tcp_pair().await);
        let ((one_reads, one_writes), (other_reads, other_writes)) =
            (one.into_split(), other.into_split());
        let error = one_reads.reunite(other_writes).unwrap_err();
        assert!(error.to_string().contains("two connections"), "{error}");
        assert!(error.read.reunite(one_writes).is_ok());
        assert!(other_reads.reunite(error.write).is_ok());
    });
}

#[test]
fn a_shutdown_wakes_who_waits_in_the_other_half() {
    run(2, async {
        let (near, _far) = tcp_pair().await;
        let (mut reader, writer) = near.into_split();
        let me = self_pid();
        spawn(async move {
            send(me, "reads");
            send(me, reader.read(&mut [0]).await.unwrap());
        });
        receive::<&str>().await;
        writer.as_ref().shutdown(Shutdown::Read).unwrap();
        assert_eq!(receive::<usize>().await, 0);
    });
}

#[test]
fn the_end_of_one_half_s_process_does_not_disturb_the_other_s() {
    run(2, async {
        let (near, mut far) = tcp_pair().await;
        let (reader, writer): (OwnedReadHalf<_>, OwnedWriteHalf<_>) = near.into_split();
        let (killed, reference) = spawn_monitor(async move {
            let mut writer = writer;
            writer.write_all(b"x").await.unwrap();
            std::future::pending::<()>().await;
        });
        far.read_exact(&mut [0]).await.unwrap();
        exit(killed, ExitReason::Kill);
        let down = receive::<Down>().await;
        assert_eq!(down.reference, reference);
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "its side has ended");
        far.write_all(b"y").await.unwrap();
        let mut reader = reader;
        reader.read_exact(&mut [0]).await.unwrap();
    });
}
