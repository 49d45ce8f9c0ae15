//! Events by a channel of limited size, for threads and futures.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};
use parking_lot::Mutex;

use super::{Event, EventKinds, Events, Subscriber, Way};
use crate::panic::wake_caught;
use crate::scheduler::Shared;

/// What both ends know.
struct Common {
    /// How many more events may come in before one is taken.
    room: AtomicUsize,
    missed: AtomicU64,
    /// Who waits in [`EventStream::next`]. The sender puts an event in and then
    /// looks here; the receiver leaves its waker here and then looks for an event:
    /// one of them sees the other, as both come here under the lock.
    waker: Mutex<Option<Waker>>,
}

impl Common {
    fn takes_room(&self) -> bool {
        let (order, less) = (Ordering::Relaxed, |room: usize| room.checked_sub(1));
        self.room.fetch_update(order, order, less).is_ok()
    }

    fn wake(&self) {
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            wake_caught(waker);
        }
    }
}

/// The end where events are put in.
pub(super) struct Feed {
    /// There until the drop.
    sender: Option<Sender<Event>>,
    common: Arc<Common>,
}

impl Feed {
    pub(super) fn put(&self, event: &Event) {
        let Some(sender) = &self.sender else { return };
        if self.common.takes_room() {
            // Without a receiver there is nobody who could miss it.
            let _ = sender.send(event.clone());
        } else {
            self.common.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn wake(&self) {
        self.common.wake();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // First: whoever is woken sees that nothing more will come.
        self.sender = None;
        self.common.wake();
    }
}

impl Events {
    /// A stream with room for `capacity` events. It ends at once if the runtime is over.
    pub(crate) fn stream(shared: &Arc<Shared>, kinds: EventKinds, capacity: usize) -> EventStream {
        // Not a bounded channel: that would allocate all of its room at once.
        let (sender, receiver) = unbounded();
        let common = Arc::new(Common {
            room: AtomicUsize::new(capacity.max(1)),
            missed: AtomicU64::new(0),
            waker: Mutex::new(None),
        });
        let feed = Feed {
            sender: Some(sender),
            common: common.clone(),
        };
        let way = Way::Stream(feed);
        let subscriber = Arc::new(Subscriber { kinds, way });
        shared.events.change(|all| all.push(subscriber));
        EventStream {
            receiver,
            common,
            shared: shared.clone(),
        }
    }

    /// Takes a stream off the list.
    fn end_stream(&self, common: &Arc<Common>) {
        self.change(|subscribers| {
            subscribers.retain(|it| match &it.way {
                Way::Stream(feed) => !Arc::ptr_eq(&feed.common, common),
                Way::Process(_) => true,
            });
        });
    }
}

/// Events of a runtime, from [`Handle::events`](crate::Handle::events).
///
/// It ends when the runtime has ended and what was left has been taken. Dropping it
/// ends the subscription. A thread takes events with [`recv`](EventStream::recv) or
/// `for event in &stream`; a process, which must not block, awaits
/// [`next`](EventStream::next).
pub struct EventStream {
    receiver: Receiver<Event>,
    common: Arc<Common>,
    shared: Arc<Shared>,
}

impl EventStream {
    /// The next event; waits for it by blocking the thread. `None` when the runtime
    /// has ended.
    pub fn recv(&self) -> Option<Event> {
        self.taken(self.receiver.recv().ok()?)
    }

    /// As [`recv`](EventStream::recv), for so long at most.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::Timeout) if nothing has happened in that time.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Option<Event>, crate::Timeout> {
        match self.receiver.recv_timeout(timeout) {
            Ok(event) => Ok(self.taken(event)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(crate::Timeout),
        }
    }

    /// An event that has happened already, if there is one.
    pub fn try_recv(&self) -> Option<Event> {
        self.taken(self.receiver.try_recv().ok()?)
    }

    /// The next event, for processes and other futures; `None` when the runtime has
    /// ended. Dropping the future loses nothing.
    #[allow(clippy::should_implement_trait)] // as of every stream of futures
    pub fn next(&mut self) -> NextEvent<'_> {
        NextEvent(self)
    }

    /// There is room for another one.
    fn taken(&self, event: Event) -> Option<Event> {
        self.common.room.fetch_add(1, Ordering::Relaxed);
        Some(event)
    }

    /// How many events there was no room for. These are the newest each time: what
    /// is in the stream stays in it.
    pub fn missed(&self) -> u64 {
        self.common.missed.load(Ordering::Relaxed)
    }
}

impl<'a> IntoIterator for &'a EventStream {
    type Item = Event;
    type IntoIter = EventIter<'a>;

    fn into_iter(self) -> EventIter<'a> {
        EventIter(self)
    }
}

/// Events as they happen, for a thread that waits for them; from `&EventStream`.
#[derive(Debug)]
pub struct EventIter<'a>(&'a EventStream);

impl Iterator for EventIter<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.0.recv()
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.shared.events.end_stream(&self.common);
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("waiting", &self.receiver.len())
            .field("missed", &self.missed())
            .finish_non_exhaustive()
    }
}

/// The future of [`EventStream::next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextEvent<'a>(&'a mut EventStream);

impl Future for NextEvent<'_> {
    type Output = Option<Event>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let look = || match self.0.receiver.try_recv() {
            Ok(event) => Poll::Ready(self.0.taken(event)),
            Err(TryRecvError::Disconnected) => Poll::Ready(None),
            Err(TryRecvError::Empty) => Poll::Pending,
        };
        if let Poll::Ready(found) = look() {
            return Poll::Ready(found);
        }
        // Cloned and dropped outside the lock: wakers may be anybody's code.
        let waker = cx.waker().clone();
        let former = self.0.common.waker.lock().replace(waker);
        drop(former);
        look()
    }
}
