//! Killing who waits for I/O: nothing stays in the reactor, and every descriptor is closed.
//!
//! One test, for descriptors are counted for the whole program.

use std::fs::File;
use std::future::Future;
use std::io::{PipeReader, PipeWriter};
use std::net::SocketAddr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr as UnixAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};

use futures_lite::future::{poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{
    Fd, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};
use regrow_runtime::{
    Down, ExitReason, Handle, Pid, Status, exit, process_info, receive, self_pid, send, sleep,
    spawn, spawn_monitor, yield_now,
};

use common::run;

mod common;

const ROUNDS: usize = 50;

/// What a process does: it makes sockets, says that it is about to wait, and waits for ever.
type Waits = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = zip(TcpStream::connect(address), listener.accept()).await;
    (near.unwrap(), far.unwrap().0)
}

fn pipe() -> (Fd<PipeReader>, Fd<PipeWriter>) {
    let (reader, writer) = std::io::pipe().unwrap();
    (Fd::new(reader).unwrap(), Fd::new(writer).unwrap())
}

fn abstract_address() -> UnixAddr {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("regrow-kill-{}-{number}", std::process::id());
    UnixAddr::from_abstract_name(name).unwrap()
}

/// Awaits something that never comes.
async fn for_ever<T>(waiting: impl Future<Output = T>) {
    waiting.await;
    unreachable!("it came");
}

/// Writes until there is no more room.
async fn fill<W: futures_lite::AsyncWrite + Unpin>(writer: &mut W) {
    let block = vec![0; 64 * 1024];
    // A turn of its own for each, so that none ends for want of reductions.
    while poll_once(writer.write(&block)).await.is_some() {
        yield_now().await;
    }
}

/// Every await of `net`.
fn waits() -> Vec<(&'static str, Waits)> {
    vec![
        ("accept", || {
            Box::pin(async {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                for_ever(listener.accept()).await;
            })
        }),
        ("accept, behind others", || {
            Box::pin(async {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                for_ever(zip(
                    zip(listener.accept(), listener.accept()),
                    listener.accept(),
                ))
                .await;
            })
        }),
        ("connect", || {
            Box::pin(async {
                // Whose queue is full, so that the system tries again and again.
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                socket2::SockRef::from(&listener).listen(0).unwrap();
                let address: SocketAddr = listener.local_addr().unwrap();
                let _connected: Vec<socket2::Socket> = (0..4)
                    .map(|_| {
                        let socket = socket2::Socket::new(
                            socket2::Domain::IPV4,
                            socket2::Type::STREAM,
                            None,
                        );
                        let socket = socket.unwrap();
                        socket.set_nonblocking(true).unwrap();
                        let _in_progress = socket.connect(&address.into());
                        socket
                    })
                    .collect();
                for_ever(TcpStream::connect(address)).await;
            })
        }),
        ("read", || {
            Box::pin(async {
                let (mut near, _far) = tcp_pair().await;
                for_ever(near.read(&mut [0])).await;
            })
        }),
        ("read after a short read", || {
            Box::pin(async {
                let (mut near, mut far) = tcp_pair().await;
                far.write_all(b"x").await.unwrap();
                near.read(&mut [0; 8]).await.unwrap();
                for_ever(near.read(&mut [0; 8])).await;
            })
        }),
        ("peek", || {
            Box::pin(async {
                let (near, _far) = tcp_pair().await;
                for_ever(near.peek(&mut [0])).await;
            })
        }),
        ("write", || {
            Box::pin(async {
                let (mut near, _far) = tcp_pair().await;
                fill(&mut near).await;
                for_ever(near.write(b"x")).await;
            })
        }),
        ("both owned halves", || {
            Box::pin(async {
                let (near, _far) = tcp_pair().await;
                let (mut reader, mut writer) = near.into_split();
                fill(&mut writer).await;
                for_ever(zip(reader.read(&mut [0]), writer.write(b"x"))).await;
            })
        }),
        ("both borrowed halves", || {
            Box::pin(async {
                let (mut near, _far) = UnixStream::pair().unwrap();
                let (mut reader, mut writer) = near.split();
                fill(&mut writer).await;
                for_ever(zip(reader.read(&mut [0]), writer.write(b"x"))).await;
            })
        }),
        ("accept of Unix", || {
            Box::pin(async {
                let listener = UnixListener::bind_addr(&abstract_address()).unwrap();
                for_ever(listener.accept()).await;
            })
        }),
        ("connect of Unix", || {
            Box::pin(async {
                let address = abstract_address();
                let listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
                socket2::SockRef::from(&listener).listen(0).unwrap();
                let mut connected = Vec::new();
                loop {
                    let mut connecting = Box::pin(UnixStream::connect_addr(&address));
                    match poll_once(&mut connecting).await {
                        Some(stream) => connected.push(stream.unwrap()),
                        None => for_ever(connecting).await,
                    }
                }
            })
        }),
        ("recv_from", || {
            Box::pin(async {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                let (mut one, mut other) = ([0], [0]);
                for_ever(zip(socket.recv_from(&mut one), socket.peek(&mut other))).await;
            })
        }),
        ("recv of Unix", || {
            Box::pin(async {
                let (near, _far) = UnixDatagram::pair().unwrap();
                for_ever(near.recv(&mut [0])).await;
            })
        }),
        ("send of Unix", || {
            Box::pin(async {
                let (near, _far) = UnixDatagram::pair().unwrap();
                loop {
                    near.send(b"x").await.unwrap();
                }
            })
        }),
        ("send_to of Unix", || {
            Box::pin(async {
                let address = abstract_address();
                let _receiver = UnixDatagram::bind_addr(&address).unwrap();
                let sender = UnixDatagram::unbound().unwrap();
                loop {
                    sender.send_to_addr(b"x", &address).await.unwrap();
                }
            })
        }),
        ("readable", || {
            Box::pin(async {
                let (reader, _writer) = pipe();
                for_ever(reader.readable()).await;
            })
        }),
        ("writable", || {
            Box::pin(async {
                let (_reader, mut writer) = pipe();
                fill(&mut writer).await;
                for_ever(writer.writable()).await;
            })
        }),
        ("read of a descriptor", || {
            Box::pin(async {
                let (mut reader, _writer) = pipe();
                for_ever(reader.read(&mut [0])).await;
            })
        }),
        ("write of a descriptor", || {
            Box::pin(async {
                let (_reader, mut writer) = pipe();
                fill(&mut writer).await;
                for_ever(writer.write(&[0; 64 * 1024])).await;
            })
        }),
        ("read_with", || {
            Box::pin(async {
                let (reader, _writer) = pipe();
                for_ever(reader.read_with(|mut pipe| std::io::Read::read(&mut pipe, &mut [0])))
                    .await;
            })
        }),
        ("a foreign waker", || {
            Box::pin(async {
                let (mut near, _far) = UnixStream::pair().unwrap();
                let mut byte = [0];
                let mut reads = pin!(async { near.read(&mut byte).await });
                for_ever(std::future::poll_fn(|_| {
                    let waker = std::task::Waker::from(std::sync::Arc::new(Nobody));
                    reads
                        .as_mut()
                        .poll(&mut std::task::Context::from_waker(&waker))
                }))
                .await;
            })
        }),
        ("files that are refused", || {
            Box::pin(async {
                let error = Fd::new(File::open("/").unwrap()).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
                std::future::pending::<()>().await;
            })
        }),
    ]
}

struct Nobody;

impl std::task::Wake for Nobody {
    fn wake(self: std::sync::Arc<Self>) {}
}

/// Until it waits; filling buffers may take a while.
async fn until_it_waits(pid: Pid) {
    let mut times = 0;
    // Seen in several looks: it may wait for a moment only, for room or for a turn.
    while times < 3 {
        let info = process_info(pid).await.expect("it lives");
        times = if info.status == Status::Waiting {
            times + 1
        } else {
            0
        };
        yield_now().await;
    }
}

#[test]
fn killing_who_waits_leaves_no_source_and_no_descriptor() {
    run(2, async {
        let sources = || Handle::current().system_info().sources;
        let descriptors = open_descriptors();
        assert_eq!(sources(), 0);
        for (name, wait) in waits() {
            for round in 0..ROUNDS {
                let (pid, reference) = spawn_monitor(wait());
                // In half of the rounds wherever it happens to be.
                if round % 2 == 0 {
                    until_it_waits(pid).await;
                }
                exit(pid, ExitReason::Kill);
                let down = receive::<Down>()
                    .matching(move |down: &Down| down.reference == reference)
                    .await;
                assert_eq!(down.reason, ExitReason::Killed, "{name}");
            }
            assert_eq!(sources(), 0, "sources left by {name}");
            assert_eq!(
                open_descriptors(),
                descriptors,
                "descriptors left by {name}"
            );
        }
        a_storm(descriptors).await;
        assert_eq!(sources(), 0, "sources left by the storm");
        assert_eq!(
            open_descriptors(),
            descriptors,
            "descriptors left by the storm"
        );
    });
}

/// Connections that echo, while servers and clients are killed at random.
async fn a_storm(descriptors: usize) {
    const CLIENTS: usize = 300;
    let me = self_pid();
    let (server, _) = spawn_monitor(async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        send(me, listener.local_addr().unwrap());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = spawn(async move {
                let (mut reader, mut writer) = stream.into_split();
                let mut buffer = [0; 512];
                loop {
                    let count = reader.read(&mut buffer).await?;
                    if count == 0 {
                        return Ok::<(), std::io::Error>(());
                    }
                    writer.write_all(&buffer[..count]).await?;
                }
            });
            send(me, connection);
        }
    });
    let address = receive::<SocketAddr>().await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(spawn_monitor(async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut buffer = [1; 512];
            loop {
                stream.write_all(&buffer).await?;
                stream.read_exact(&mut buffer).await?;
            }
            #[allow(unreachable_code)]
            Ok::<(), std::io::Error>(())
        }));
    }
    for (number, (client, _)) in clients.iter().enumerate() {
        let connection = receive::<Pid>().await;
        yield_now().await;
        exit(
            if number % 2 == 0 { *client } else { connection },
            ExitReason::Kill,
        );
    }
    // A client whose connection is gone ends, and the other way round.
    for (client, reference) in clients {
        exit(client, ExitReason::Kill);
        receive::<Down>()
            .matching(move |down: &Down| down.reference == reference)
            .await;
    }
    exit(server, ExitReason::Kill);
    let ended = std::time::Instant::now();
    while open_descriptors() > descriptors {
        assert!(ended.elapsed().as_secs() < 20, "connections do not end");
        sleep(std::time::Duration::from_millis(1)).await;
    }
}
