//! Sockets under selects, and under combinators that poll with wakers of their own.

use std::future::{Future, poll_fn};
use std::io::Write as _;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_lite::future::{or, poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{
    Fd, OwnedReadHalf, OwnedWriteHalf, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream,
};
use regrow_runtime::{Runtime, sleep, yield_now};

fn run<F>(body: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Runtime::new().unwrap().block_on(body)
}

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = zip(TcpStream::connect(address), listener.accept()).await;
    (near.unwrap(), far.unwrap().0)
}

/// A set of futures of which only those are polled that were woken, each with a waker of its own.
struct WokenOnly<F> {
    members: Vec<Member<F>>,
}

struct Member<F> {
    /// `None` once it was ready.
    future: Option<Pin<Box<F>>>,
    child: Arc<Child>,
}

/// The waker of one member.
struct Child {
    woken: AtomicBool,
    parent: Mutex<Option<Waker>>,
}

impl Wake for Child {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        let parent = self.parent.lock().unwrap().clone();
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl<F: Future> WokenOnly<F> {
    fn new(futures: impl IntoIterator<Item = F>) -> Self {
        let member = |future| Member {
            future: Some(Box::pin(future)),
            child: Arc::new(Child {
                woken: AtomicBool::new(true),
                parent: Mutex::new(None),
            }),
        };
        WokenOnly {
            members: futures.into_iter().map(member).collect(),
        }
    }

    /// The index and the output of the next one that is ready.
    async fn next(&mut self) -> (usize, F::Output) {
        poll_fn(|cx| {
            for (index, Member { future, child }) in self.members.iter_mut().enumerate() {
                *child.parent.lock().unwrap() = Some(cx.waker().clone());
                let Some(pending) = future else { continue };
                if !child.woken.swap(false, Ordering::SeqCst) {
                    continue;
                }
                let waker = Waker::from(child.clone());
                let polled = pending.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(output) = polled {
                    *future = None;
                    return Poll::Ready((index, output));
                }
            }
            Poll::Pending
        })
        .await
    }
}

#[test]
fn a_socket_wakes_the_waker_of_its_poll_not_just_the_process() {
    const PAIRS: usize = 10;
    run(async {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            let (a, b) = pair().await;
            near.push(a);
            far.push(b);
        }
        let mut reads = WokenOnly::new(near.iter().map(|mut stream| async move {
            let mut bytes = [0; 2];
            stream.read_exact(&mut bytes).await.unwrap();
            bytes
        }));
        // All of them wait.
        assert!(poll_once(pin!(reads.next())).await.is_none());
        for index in (0..PAIRS).rev() {
            far[index].write_all(&[index as u8]).await.unwrap();
            sleep(Duration::from_millis(1)).await;
            assert!(poll_once(pin!(reads.next())).await.is_none());
            far[index].write_all(&[7]).await.unwrap();
            assert_eq!(reads.next().await, (index, [index as u8, 7]));
        }
    });
}

/// A few operations that wait, and what makes each of them ready, last first.
async fn each_is_woken<F, W>(waits: Vec<F>, then: impl Fn(usize) -> W)
where
    F: Future<Output = usize>,
    W: Future<Output = ()>,
{
    let count = waits.len();
    let mut waits = WokenOnly::new(waits);
    assert!(poll_once(pin!(waits.next())).await.is_none());
    for index in (0..count).rev() {
        then(index).await;
        assert_eq!(waits.next().await, (index, index + 1));
        assert!(poll_once(pin!(waits.next())).await.is_none());
    }
}

const SOCKETS: usize = 10;

#[test]
fn a_udp_socket_wakes_the_waker_of_its_poll() {
    run(async {
        let bind = |_| Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let sockets: Vec<_> = (0..SOCKETS).map(bind).collect();
        let addresses: Vec<_> = sockets.iter().map(|it| it.local_addr().unwrap()).collect();
        let sender = bind(0);
        let receive = |socket: Arc<UdpSocket>| async move {
            let mut buffer = [0; 100];
            socket.recv_from(&mut buffer).await.unwrap().0
        };
        each_is_woken(sockets.into_iter().map(receive).collect(), |index| {
            let (sender, to) = (sender.clone(), addresses[index]);
            async move {
                sender.send_to(&vec![0; index + 1], to).await.unwrap();
            }
        })
        .await;
    });
}

#[test]
fn receivers_of_one_socket_are_woken_one_after_the_other() {
    run(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let far = &far;
        let receive = |_| async move {
            let mut buffer = [0; 100];
            far.recv(&mut buffer).await.unwrap()
        };
        let mut receives = WokenOnly::new((0..SOCKETS).map(receive));
        assert!(poll_once(pin!(receives.next())).await.is_none());
        for index in 0..SOCKETS {
            near.send(&vec![0; index + 1]).await.unwrap();
            assert_eq!(receives.next().await, (index, index + 1));
        }
    });
}

#[test]
fn a_connection_wakes_the_wakers_of_both_halves() {
    run(async {
        let (near, far): (Vec<_>, Vec<_>) =
            (0..SOCKETS).map(|_| UnixStream::pair().unwrap()).unzip();
        let far = Arc::new(far);
        let (readers, mut writers): (Vec<_>, Vec<_>) =
            near.into_iter().map(UnixStream::into_split).unzip();
        let read = |mut half: OwnedReadHalf<_>| async move {
            let mut buffer = [0; 100];
            half.read(&mut buffer).await.unwrap()
        };
        each_is_woken(readers.into_iter().map(read).collect(), |index| {
            let far = far.clone();
            async move {
                let bytes = vec![0; index + 1];
                (&far[index]).write_all(&bytes).await.unwrap();
            }
        })
        .await;
        let mut filled = Vec::new();
        for half in &mut writers {
            let mut count = 0;
            while let Some(written) = poll_once(half.write(&[0; 4096])).await {
                count += written.unwrap();
                yield_now().await;
            }
            filled.push(count);
        }
        let write = |(index, mut half): (usize, OwnedWriteHalf<_>)| async move {
            half.write_all(&[0; 4096]).await.unwrap();
            index + 1
        };
        let writes = writers.into_iter().enumerate().map(write).collect();
        each_is_woken(writes, |index| {
            let (far, mut all) = (far.clone(), vec![0; filled[index]]);
            async move { (&far[index]).read_exact(&mut all).await.unwrap() }
        })
        .await;
    });
}

#[test]
fn a_descriptor_wakes_the_waker_of_its_poll() {
    run(async {
        let (readers, writers): (Vec<_>, Vec<_>) =
            (0..SOCKETS).map(|_| std::io::pipe().unwrap()).unzip();
        let wait = |(index, pipe)| async move {
            Fd::new(pipe).unwrap().readable().await.unwrap();
            index + 1
        };
        let waits = readers.into_iter().enumerate().map(wait).collect();
        each_is_woken(waits, |index| {
            (&writers[index]).write_all(b"x").unwrap();
            std::future::ready(())
        })
        .await;
    });
}

#[test]
fn acceptors_are_woken_in_their_order() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = &listener;
        let accept = |_| async move { listener.accept().await.unwrap().1 };
        let mut accepts = WokenOnly::new((0..SOCKETS).map(accept));
        assert!(poll_once(pin!(accepts.next())).await.is_none());
        for index in 0..SOCKETS {
            let near = TcpStream::connect(address).await.unwrap();
            let peer = near.local_addr().unwrap();
            assert_eq!(accepts.next().await, (index, peer));
        }
    });
}

#[test]
fn the_plain_waker_takes_over_from_a_foreign_one_and_back() {
    run(async {
        let (near, mut far) = pair().await;
        let mut byte = [0];
        for round in 0..20u8 {
            let mut reads = WokenOnly::new([async {
                let mut byte = [0];
                (&near).read_exact(&mut byte).await.unwrap();
                byte[0]
            }]);
            assert!(poll_once(pin!(reads.next())).await.is_none());
            if round % 2 == 0 {
                drop(reads);
                far.write_all(&[round]).await.unwrap();
                (&near).read_exact(&mut byte).await.unwrap();
                assert_eq!(byte[0], round);
            } else {
                far.write_all(&[round]).await.unwrap();
                assert_eq!(reads.next().await, (0, round));
            }
        }
    });
}

#[test]
fn a_read_that_was_given_up_loses_nothing() {
    run(async {
        let (mut near, mut far) = pair().await;
        for round in 0..20u8 {
            let mut byte = [0];
            let late = or(async { near.read(&mut byte).await.map(Some) }, async {
                sleep(Duration::from_millis(1)).await;
                Ok(None)
            });
            assert_eq!(late.await.unwrap(), None);
            far.write_all(&[round]).await.unwrap();
            near.read_exact(&mut byte).await.unwrap();
            assert_eq!(byte[0], round);
        }
    });
}
