//! The run queues. The only place that names the deque, which has no loom support.

use crossbeam_deque::{Injector, Steal, Stealer, Worker};

/// How many processes one theft takes at most: half of the queue, up to this.
const STEAL_MAX: usize = 32;

/// The queue of one worker, for that worker.
#[derive(Debug)]
pub(crate) struct RunQueue(Worker<u32>);

/// The queue of one worker, for the others.
#[derive(Debug)]
pub(crate) struct Thief(Stealer<u32>);

/// Where threads that are no workers put what must run.
#[derive(Debug)]
pub(crate) struct Inlet(Injector<u32>);

impl RunQueue {
    pub(crate) fn new() -> (Self, Thief) {
        let queue = Worker::new_fifo();
        let thief = Thief(queue.stealer());
        (RunQueue(queue), thief)
    }

    pub(crate) fn push(&self, index: u32) {
        self.0.push(index);
    }

    pub(crate) fn pop(&self) -> Option<u32> {
        self.0.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Thief {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Moves up to half of the queue to `queue` and takes one of it.
    pub(crate) fn steal_into(&self, queue: &RunQueue) -> Option<u32> {
        until_decided(|| self.0.steal_batch_with_limit_and_pop(&queue.0, STEAL_MAX))
    }
}

impl Inlet {
    pub(crate) fn new() -> Self {
        Inlet(Injector::new())
    }

    pub(crate) fn push(&self, index: u32) {
        self.0.push(index);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes one.
    pub(crate) fn take(&self) -> Option<u32> {
        until_decided(|| self.0.steal())
    }

    /// Moves some to `queue` and takes one of them.
    pub(crate) fn steal_into(&self, queue: &RunQueue) -> Option<u32> {
        until_decided(|| self.0.steal_batch_with_limit_and_pop(&queue.0, STEAL_MAX))
    }
}

fn until_decided(mut steal: impl FnMut() -> Steal<u32>) -> Option<u32> {
    loop {
        match steal() {
            Steal::Success(index) => return Some(index),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}
