//! Sockets under selects, and under combinators that poll with wakers of their own.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_lite::future::{or, poll_once, zip};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use regrow_runtime::net::{TcpListener, TcpStream};
use regrow_runtime::{Runtime, sleep};

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
