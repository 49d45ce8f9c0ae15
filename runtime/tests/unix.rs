//! Unix sockets as a process sees them.

use std::io::{ErrorKind, IoSlice};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{UnixDatagram, UnixListener, UnixStream};
use regrow_runtime::{receive, self_pid, send, spawn};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use common::run;

mod common;

/// A directory for one test, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("regrow-unix-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn echo(mut stream: UnixStream) -> std::io::Result<()> {
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
    const CONNECTIONS: u32 = 100;
    run(2, async {
        let (directory, me) = (Directory::new(), self_pid());
        let path = directory.path("echo");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(
            listener.local_addr().unwrap().as_pathname(),
            Some(path.as_path())
        );
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                spawn(echo(stream));
            }
        });
        for number in 0..CONNECTIONS {
            let path = path.clone();
            spawn(async move {
                let mut stream = UnixStream::connect(&path).await.unwrap();
                for request in 0..50u32 {
                    let request = (number * 50 + request).to_be_bytes();
                    stream.write_all(&request).await.unwrap();
                    let mut answer = [0; 4];
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, request);
                }
                send(me, number);
            });
        }
        for _ in 0..CONNECTIONS {
            receive::<u32>().await;
        }
    });
}

#[test]
fn a_path_that_exists_cannot_be_bound_until_it_is_removed() {
    run(1, async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let in_use = UnixListener::bind(&path).unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        drop(listener);
        let in_use = UnixDatagram::bind(&path).unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse, "the file stays");
        std::fs::remove_file(&path).unwrap();
        UnixDatagram::bind(&path).unwrap();
    });
}

#[test]
fn connecting_to_nobody_is_refused_and_to_nothing_not_found() {
    run(1, async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        drop(UnixListener::bind(&path).unwrap());
        let error = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_path_that_is_too_long_is_invalid() {
    run(1, async {
        let path = Path::new("/").join("long".repeat(50));
        for error in [
            UnixListener::bind(&path).map(drop).unwrap_err(),
            UnixStream::connect(&path).await.map(drop).unwrap_err(),
            UnixDatagram::bind(&path).map(drop).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn an_abstract_name_is_no_file() {
    run(2, async {
        let name = format!("regrow-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let (near, far) = zip(UnixStream::connect_addr(&address), listener.accept()).await;
        let peer = near.unwrap().peer_addr().unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
        assert!(far.unwrap().1.is_unnamed());
        drop(listener);
        let error = UnixStream::connect_addr(&address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn the_other_end_is_this_process() {
    run(1, async {
        let (near, _far) = UnixStream::pair().unwrap();
        let peer = near.peer_cred().unwrap();
        assert_eq!(peer.pid, std::process::id() as i32);
        let own = std::fs::metadata("/proc/self").unwrap();
        assert_eq!((peer.uid, peer.gid), (own.uid(), own.gid()));
        assert!(near.local_addr().unwrap().is_unnamed());
    });
}

#[test]
fn connecting_waits_while_the_queue_is_full() {
    run(2, async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        socket2::SockRef::from(&listener).listen(0).unwrap();
        let listener = UnixListener::from_std(listener).unwrap();
        let mut waiting = Vec::new();
        let late = loop {
            let mut connecting = Box::pin(UnixStream::connect(path.clone()));
            match poll_once(&mut connecting).await {
                Some(stream) => waiting.push(stream.unwrap()),
                None => break connecting,
            }
            assert!(waiting.len() < 100, "the queue takes any number");
        };
        let (late, accepted) = zip(late, async {
            let mut accepted = Vec::new();
            for _ in 0..=waiting.len() {
                accepted.push(listener.accept().await.unwrap().0);
            }
            accepted
        })
        .await;
        late.unwrap().write_all(b"x").await.unwrap();
        let mut last = accepted.into_iter().next_back().unwrap();
        assert_eq!(last.read(&mut [0]).await.unwrap(), 1);
    });
}

#[test]
fn the_end_of_the_stream_comes_after_the_bytes() {
    run(2, async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.write_all(b"last words").await.unwrap();
        drop(near);
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last words");
        let error = far.write_all(b"too late").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_read_that_ends_at_a_descriptor_does_not_hide_what_follows() {
    run(2, async {
        let (near, far) = UnixStream::pair().unwrap();
        // A reader that waits sees all of it in one event.
        let mut buffer = [0; 64];
        assert!(poll_once((&mut &far).read(&mut buffer)).await.is_none());
        let rights = [near.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&rights)));
        rustix::net::sendmsg(
            &near,
            &[IoSlice::new(b"with")],
            &mut ancillary,
            SendFlags::empty(),
        )
        .unwrap();
        (&near).write_all(b"after").await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 9 {
            let count = (&far).read(&mut buffer).await.unwrap();
            seen.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(seen, b"withafter");
    });
}

#[test]
fn a_writer_waits_for_a_slow_reader_and_nothing_is_lost() {
    const BYTES: usize = 8 << 20;
    run(2, async {
        let (mut near, far) = UnixStream::pair().unwrap();
        let me = self_pid();
        spawn(async move {
            let data: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
            near.write_all(&data).await.unwrap();
            send(me, "written");
        });
        regrow_runtime::sleep(std::time::Duration::from_millis(5)).await;
        let early = regrow_runtime::try_receive::<&str>();
        assert_eq!(early, None, "8 MiB went into the buffers of the system");
        let mut data = Vec::new();
        (&far).read_to_end(&mut data).await.unwrap();
        let right = |(at, byte): (usize, &u8)| *byte == (at % 251) as u8;
        assert!(data.len() == BYTES && data.iter().enumerate().all(right));
        assert_eq!(receive::<&str>().await, "written");
    });
}

#[test]
fn datagrams_keep_their_bounds_and_their_order() {
    run(2, async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let server = UnixDatagram::bind(&path).unwrap();
        let client = UnixDatagram::bind(directory.path("client")).unwrap();
        for datagram in [&b"one"[..], b"", b"three"] {
            let count = client.send_to(datagram, &path).await.unwrap();
            assert_eq!(count, datagram.len());
        }
        let mut buffer = [0; 16];
        for datagram in [&b"one"[..], b"", b"three"] {
            let (count, from) = server.recv_from(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..count], datagram);
            assert_eq!(from.as_pathname(), Some(directory.path("client").as_path()));
        }
        server.connect(directory.path("client")).unwrap();
        server.send(b"answer").await.unwrap();
        assert_eq!(client.recv(&mut buffer).await.unwrap(), 6);
    });
}

#[test]
fn a_sender_of_datagrams_waits_while_the_receiver_s_queue_is_full() {
    const DATAGRAMS: u32 = 2_000;
    run(2, async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let me = self_pid();
        spawn(async move {
            for number in 0..DATAGRAMS {
                near.send(&number.to_be_bytes()).await.unwrap();
            }
            send(me, "sent");
        });
        regrow_runtime::sleep(std::time::Duration::from_millis(5)).await;
        assert_eq!(regrow_runtime::try_receive::<&str>(), None);
        let mut buffer = [0; 4];
        for number in 0..DATAGRAMS {
            assert_eq!(far.recv(&mut buffer).await.unwrap(), 4);
            assert_eq!(u32::from_be_bytes(buffer), number);
        }
        assert_eq!(receive::<&str>().await, "sent");
    });
}

#[test]
fn a_sender_that_is_not_connected_waits_as_well() {
    run(2, async {
        let (directory, me) = (Directory::new(), self_pid());
        let path = directory.path("socket");
        let server = UnixDatagram::bind(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let mut sent = 0u32;
        let late = loop {
            // A turn of its own for each, so that none ends for want of reductions.
            regrow_runtime::yield_now().await;
            let number = sent.to_be_bytes();
            let mut sending = Box::pin(client.send_to(&number, &path));
            match poll_once(&mut sending).await {
                Some(count) => assert_eq!(count.unwrap(), 4),
                None => break sent,
            }
            sent += 1;
            assert!(sent < 100_000, "the queue takes any number");
        };
        spawn(async move {
            let count = client.send_to(&late.to_be_bytes(), path).await.unwrap();
            send(me, count);
        });
        let mut buffer = [0; 4];
        for number in 0..=late {
            assert_eq!(server.recv(&mut buffer).await.unwrap(), 4);
            assert_eq!(u32::from_be_bytes(buffer), number);
        }
        assert_eq!(receive::<usize>().await, 4);
    });
}

#[test]
fn sending_to_a_peer_that_is_gone_fails() {
    run(1, async {
        let (near, far) = UnixDatagram::pair().unwrap();
        drop(far);
        let error = near.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let alone = UnixDatagram::unbound().unwrap();
        let error = alone.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn each_of_many_receivers_gets_a_datagram() {
    run(2, async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let (me, far) = (self_pid(), Arc::new(far));
        for _ in 0..20 {
            let far = far.clone();
            spawn(async move {
                let mut byte = [0];
                far.recv(&mut byte).await.unwrap();
                send(me, byte[0]);
            });
        }
        let mut seen = Vec::new();
        for number in 0..20 {
            near.send(&[number]).await.unwrap();
            seen.push(receive::<u8>().await);
        }
        assert_eq!(seen, Vec::from_iter(0..20));
    });
}

#[test]
fn a_socket_needs_a_process() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let outside = "must be used inside a regrow process";
    assert_eq!(UnixListener::bind(&path).unwrap_err().to_string(), outside);
    assert_eq!(UnixDatagram::bind(&path).unwrap_err().to_string(), outside);
    assert_eq!(UnixDatagram::pair().unwrap_err().to_string(), outside);
    assert_eq!(UnixStream::pair().unwrap_err().to_string(), outside);
    assert!(!path.exists(), "nothing is left behind");
}
