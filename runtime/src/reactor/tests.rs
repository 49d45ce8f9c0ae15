//! The reactor with real descriptors. Wakers are counters, and the test is the idle worker.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::*;

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A registered socket, its other end, and a waker that counts.
fn pair() -> (
    Arc<Reactor>,
    Source<UnixStream>,
    UnixStream,
    Arc<Wakes>,
    Waker,
) {
    let reactor = Arc::new(Reactor::new().unwrap());
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let source = Source::new(reactor.clone(), near).unwrap();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    (reactor, source, far, wakes, waker)
}

fn read(source: &Source<UnixStream>, waker: &Waker) -> Poll<io::Result<u8>> {
    let mut byte = [0];
    source
        .poll_read_with(&mut Context::from_waker(waker), |mut io| io.read(&mut byte))
        .map_ok(|_| byte[0])
}

/// Takes every event that is there now.
fn look_in(reactor: &Reactor) -> usize {
    reactor.poll(Some(Duration::ZERO)).unwrap().unwrap()
}

#[test]
fn a_reader_waits_until_there_is_something_to_read() {
    let (reactor, source, mut far, wakes, waker) = pair();
    assert!(read(&source, &waker).is_pending());
    look_in(&reactor);
    assert!(read(&source, &waker).is_pending());
    let before = wakes.0.load(SeqCst);
    far.write_all(b"ab").unwrap();
    assert_eq!(look_in(&reactor), 1);
    assert_eq!(wakes.0.load(SeqCst), before + 1);
    assert!(matches!(read(&source, &waker), Poll::Ready(Ok(b'a'))));
    assert!(matches!(read(&source, &waker), Poll::Ready(Ok(b'b'))));
    assert!(read(&source, &waker).is_pending());
    assert_eq!(look_in(&reactor), 0);
}

#[test]
fn what_is_left_over_is_read_by_whoever_comes_next() {
    let (reactor, source, mut far, _, waker) = pair();
    assert!(read(&source, &waker).is_pending());
    far.write_all(b"ab").unwrap();
    look_in(&reactor);
    assert!(matches!(read(&source, &waker), Poll::Ready(Ok(b'a'))));
    // The event is used up, and this reader has never waited.
    assert!(matches!(
        read(&source, Waker::noop()),
        Poll::Ready(Ok(b'b'))
    ));
}

/// A TCP connection: the near end registered.
fn tcp_pair() -> (Arc<Reactor>, Source<TcpStream>, TcpStream) {
    let reactor = Arc::new(Reactor::new().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    let source = Source::new(reactor.clone(), near).unwrap();
    (reactor, source, far)
}

/// Reads with so much room; counts the attempts.
fn read_some(
    source: &Source<TcpStream>,
    room: usize,
    attempts: &mut u32,
) -> Poll<io::Result<usize>> {
    let mut buffer = vec![0; room];
    source.poll_read_some(&mut Context::from_waker(Waker::noop()), room, |mut io| {
        *attempts += 1;
        io.read(&mut buffer)
    })
}

/// Until the kernel has brought an event of the source.
fn wait_for_event(reactor: &Reactor) {
    let start = std::time::Instant::now();
    while reactor.sources.lock()[0].read.is_waited_for() {
        assert!(start.elapsed() < Duration::from_secs(20), "no event came");
        reactor.poll(Some(Duration::from_secs(1))).unwrap();
    }
}

#[test]
fn after_a_short_read_the_next_waits_without_an_attempt() {
    let (reactor, source, mut far) = tcp_pair();
    let mut attempts = 0;
    assert!(read_some(&source, 8, &mut attempts).is_pending());
    for round in 0..5 {
        let before = attempts;
        far.write_all(b"abc").unwrap();
        wait_for_event(&reactor);
        assert!(matches!(
            read_some(&source, 8, &mut attempts),
            Poll::Ready(Ok(3))
        ));
        assert!(read_some(&source, 8, &mut attempts).is_pending());
        assert!(read_some(&source, 8, &mut attempts).is_pending());
        assert_eq!(attempts - before, 1, "in round {round}");
    }
}

#[test]
fn after_a_full_read_the_next_is_attempted() {
    let (reactor, source, mut far) = tcp_pair();
    let mut attempts = 0;
    assert!(read_some(&source, 3, &mut attempts).is_pending());
    far.write_all(b"abcdef").unwrap();
    wait_for_event(&reactor);
    for _ in 0..2 {
        assert!(matches!(
            read_some(&source, 3, &mut attempts),
            Poll::Ready(Ok(3))
        ));
    }
    assert!(read_some(&source, 3, &mut attempts).is_pending());
    assert_eq!(attempts, 4);
}

#[test]
fn a_short_read_does_not_hide_the_end_that_came_with_the_bytes() {
    let (reactor, source, mut far) = tcp_pair();
    let mut attempts = 0;
    assert!(read_some(&source, 8, &mut attempts).is_pending());
    far.write_all(b"abc").unwrap();
    drop(far);
    // Until both have arrived: one event tells of both, and there will be no other.
    let mut buffer = [0; 8];
    while source.get_ref().peek(&mut buffer).is_err() || !has_ended(source.get_ref()) {
        thread::yield_now();
    }
    wait_for_event(&reactor);
    assert!(matches!(
        read_some(&source, 8, &mut attempts),
        Poll::Ready(Ok(3))
    ));
    assert!(matches!(
        read_some(&source, 8, &mut attempts),
        Poll::Ready(Ok(0))
    ));
}

/// Whether the other end has closed, whatever there is to read.
fn has_ended(socket: &TcpStream) -> bool {
    polls(socket, PollFlags::RDHUP)
}

fn is_urgent(socket: &TcpStream) -> bool {
    polls(socket, PollFlags::PRI)
}

fn polls(socket: &TcpStream, flags: PollFlags) -> bool {
    let mut asked = [PollFd::new(socket, flags)];
    rustix::event::poll(&mut asked, Some(&Timespec::default())).unwrap() > 0
}

#[test]
fn a_short_read_before_urgent_data_does_not_hide_what_follows_it() {
    let (reactor, source, mut far) = tcp_pair();
    let mut attempts = 0;
    assert!(read_some(&source, 64, &mut attempts).is_pending());
    far.write_all(b"before").unwrap();
    socket2::SockRef::from(&far).send_out_of_band(b"!").unwrap();
    far.write_all(b"after").unwrap();
    // A read ends before the urgent byte, and has nothing to say about what follows.
    while !is_urgent(source.get_ref()) {
        thread::yield_now();
    }
    wait_for_event(&reactor);
    let mut count = 0;
    while count < 11 {
        match read_some(&source, 64, &mut attempts) {
            Poll::Ready(some) => count += some.unwrap(),
            Poll::Pending => wait_for_event(&reactor),
        }
    }
    assert_eq!(count, 11);
}

#[test]
fn a_full_socket_becomes_writable_again() {
    let (reactor, source, mut far, wakes, waker) = pair();
    let mut context = Context::from_waker(&waker);
    let mut sent = 0;
    let block = [7; 4096];
    while let Poll::Ready(count) = source.poll_write_with(&mut context, |mut io| io.write(&block)) {
        sent += count.unwrap();
        look_in(&reactor);
    }
    let before = wakes.0.load(SeqCst);
    let mut received = vec![0; sent];
    far.read_exact(&mut received).unwrap();
    assert_eq!(look_in(&reactor), 1);
    assert_eq!(wakes.0.load(SeqCst), before + 1);
    assert!(
        source
            .poll_write_with(&mut context, |mut io| io.write(&block))
            .is_ready()
    );
}

#[test]
fn end_of_file_and_errors_are_for_everyone_who_asks() {
    let (reactor, source, far, wakes, waker) = pair();
    assert!(read(&source, &waker).is_pending());
    drop(far);
    look_in(&reactor);
    assert_eq!(wakes.0.load(SeqCst), 1);
    for _ in 0..3 {
        assert!(matches!(read(&source, &waker), Poll::Ready(Ok(0))));
        let written =
            source.poll_write_with(&mut Context::from_waker(&waker), |mut io| io.write(b"lost"));
        assert!(
            matches!(written, Poll::Ready(Err(error)) if error.kind() == ErrorKind::BrokenPipe)
        );
    }
}

#[test]
fn an_error_of_the_attempt_is_returned_and_the_event_kept() {
    let (reactor, source, mut far, _, waker) = pair();
    assert!(read(&source, &waker).is_pending());
    far.write_all(b"a").unwrap();
    look_in(&reactor);
    let failed: Poll<io::Result<()>> = source
        .poll_read_with(&mut Context::from_waker(&waker), |_| {
            Err(ErrorKind::OutOfMemory.into())
        });
    assert!(matches!(failed, Poll::Ready(Err(error)) if error.kind() == ErrorKind::OutOfMemory));
    // Blocked once by the test, but what is there is not forgotten.
    let mut first = true;
    let mut byte = [0];
    let read = source.poll_read_with(&mut Context::from_waker(&waker), |mut io| {
        if std::mem::take(&mut first) {
            return Err(ErrorKind::Interrupted.into());
        }
        io.read(&mut byte)
    });
    assert!(matches!(read, Poll::Ready(Ok(1))));
}

#[test]
fn a_dropped_source_is_deregistered() {
    let (reactor, source, mut far, wakes, waker) = pair();
    assert!(!reactor.is_empty());
    assert!(read(&source, &waker).is_pending());
    look_in(&reactor);
    let before = wakes.0.load(SeqCst);
    drop(source);
    assert!(reactor.is_empty());
    assert_eq!(Arc::strong_count(&wakes), 2);
    assert_eq!(
        far.write(b"a").unwrap_err().kind(),
        ErrorKind::BrokenPipe,
        "the descriptor is open still"
    );
    look_in(&reactor);
    assert_eq!(wakes.0.load(SeqCst), before);
}

#[test]
fn an_event_for_a_reused_key_only_makes_its_reader_try_again() {
    let (reactor, old, _far, _, waker) = pair();
    let key = old.key();
    drop(old);
    let (near, mut far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let new = Source::new(reactor.clone(), near).unwrap();
    assert_eq!(new.key(), key);
    look_in(&reactor);
    // As if an event of the old source had been in the batch.
    assert!(read(&new, &waker).is_pending());
    reactor.sources.lock()[key].read.signal().unwrap().wake();
    assert!(read(&new, &waker).is_pending());
    far.write_all(b"a").unwrap();
    assert_eq!(look_in(&reactor), 1);
    assert!(matches!(read(&new, &waker), Poll::Ready(Ok(b'a'))));
}

#[test]
fn a_notification_ends_the_sleep_of_the_one_inside() {
    let reactor = Arc::new(Reactor::new().unwrap());
    let sleeper = thread::spawn({
        let reactor = reactor.clone();
        move || reactor.poll(None).unwrap()
    });
    reactor.notify();
    assert_eq!(sleeper.join().unwrap(), Some(0));
}

#[test]
fn a_notification_used_up_by_another_is_seen_by_stop() {
    let reactor = Reactor::new().unwrap();
    reactor.notify();
    look_in(&reactor);
    assert_eq!(reactor.poll_unless(None, || true).unwrap(), Some(0));
}

#[test]
fn a_timeout_ends_the_sleep() {
    let reactor = Reactor::new().unwrap();
    let start = std::time::Instant::now();
    let timeout = Duration::from_millis(20);
    assert_eq!(reactor.poll(Some(timeout)).unwrap(), Some(0));
    assert!(start.elapsed() >= timeout);
}

#[test]
fn only_one_thread_is_inside() {
    let reactor = Arc::new(Reactor::new().unwrap());
    let (entered, inside) = std::sync::mpsc::channel();
    let sleeper = thread::spawn({
        let reactor = reactor.clone();
        move || {
            reactor.poll_unless(None, || {
                entered.send(()).unwrap();
                false
            })
        }
    });
    inside.recv().unwrap();
    assert_eq!(reactor.poll(None).unwrap(), None);
    reactor.notify();
    sleeper.join().unwrap().unwrap();
}

#[test]
fn every_byte_between_two_threads_arrives() {
    const BYTES: usize = 100_000;
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let (reactor, source, mut far, ..) = pair();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            let mut seen = 0;
            while seen < BYTES {
                match read(&source, &waker) {
                    Poll::Ready(byte) => {
                        byte.unwrap();
                        seen += 1;
                    }
                    Poll::Pending => thread::park(),
                }
            }
        });
        scope.spawn(|| {
            for _ in 0..BYTES / 10 {
                far.write_all(&[1; 10]).unwrap();
            }
        });
        while !reader.is_finished() {
            reactor.poll(Some(Duration::from_millis(1))).unwrap();
        }
    });
}
