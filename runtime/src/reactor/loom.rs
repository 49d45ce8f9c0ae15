//! Short reads and the end of a stream, under the model checker.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --release -p regrow-runtime --lib loom
//! ```
//!
//! The kernel is a lock around what there is to read: events are told after it was released, as by
//! the thread inside the poller, and a read takes it. A reader that waits for what nobody will tell
//! it is a deadlock, which loom reports.

use std::task::Waker;

use loom::sync::{Arc, Mutex, Notify};
use loom::thread;

use super::Directions;
use super::direction::Waiter;

const PID: u64 = 40 << 32;

struct Stream {
    directions: Directions,
    kernel: Mutex<Kernel>,
    woken: Notify,
}

#[derive(Default)]
struct Kernel {
    bytes: usize,
    ended: bool,
}

impl Stream {
    fn new() -> Arc<Self> {
        Arc::new(Stream {
            directions: Directions::default(),
            kernel: Mutex::new(Kernel::default()),
            woken: Notify::new(),
        })
    }

    /// What happens to the socket.
    fn change(&self, change: impl FnOnce(&mut Kernel)) {
        change(&mut self.kernel.lock().unwrap());
    }

    /// One event, as the reactor tells it: of all there is by now.
    fn tell(&self) {
        if self.kernel.lock().unwrap().ended {
            self.directions.mark();
        }
        match self.directions.read.signal() {
            Some(Waiter::Process(_)) => self.woken.notify(),
            Some(Waiter::Foreign(_)) => unreachable!("nobody foreign waits here"),
            None => {}
        }
    }

    /// Reads to the end, with more room than there ever are bytes; returns how many there were.
    fn read_to_end(&self) -> usize {
        let read = &self.directions.read;
        let mut seen = 0;
        loop {
            if let Some(claim) = read.claim() {
                let mut kernel = self.kernel.lock().unwrap();
                let bytes = std::mem::take(&mut kernel.bytes);
                let ended = kernel.ended;
                drop(kernel);
                seen += bytes;
                match bytes {
                    0 if ended => return seen,
                    0 => claim.spent(),
                    _ if self.directions.is_marked() => continue,
                    _ => {
                        claim.drained();
                        continue;
                    }
                }
            }
            if read.wait_as(Some(PID), Waker::noop()) {
                self.woken.wait();
            }
        }
    }
}

fn model(kernel: impl Fn(&Stream) + Send + Sync + Copy + 'static) {
    loom::model(move || {
        let stream = Stream::new();
        let reader = thread::spawn({
            let stream = stream.clone();
            move || stream.read_to_end()
        });
        kernel(&stream);
        assert_eq!(reader.join().unwrap(), 1);
    });
}

#[test]
fn the_end_comes_with_the_bytes() {
    model(|stream| {
        stream.change(|kernel| kernel.bytes = 1);
        stream.change(|kernel| kernel.ended = true);
        stream.tell();
    });
}

#[test]
fn the_end_comes_after_the_event_of_the_bytes() {
    model(|stream| {
        stream.change(|kernel| kernel.bytes = 1);
        stream.tell();
        stream.change(|kernel| kernel.ended = true);
        stream.tell();
    });
}

#[test]
fn an_event_of_room_to_write_comes_before_the_end() {
    model(|stream| {
        // Of nothing to read, yet it tells that there may be.
        stream.tell();
        stream.change(|kernel| kernel.bytes = 1);
        stream.change(|kernel| kernel.ended = true);
        stream.tell();
    });
}
