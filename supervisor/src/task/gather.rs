//! Several tasks at once.

use std::future::poll_fn;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use regrow_runtime::{ExitReason, Reply, ReplyError, timeout, try_self_pid, yield_now};

use super::{Task, outcome};

/// Waits until all tasks have ended, an answer was `enough`, or the time is up. Says what has
/// become of each, and whether the time was up.
pub(super) async fn gather<T: Send>(
    tasks: &mut [Task<T>],
    time: Option<Duration>,
    mut enough: impl FnMut(&Result<T, ReplyError>) -> bool + Send,
) -> (Vec<Option<Result<T, ExitReason>>>, bool) {
    let replies = tasks.iter_mut().map(|task| task.reply.take());
    let mut gather = Gather::new(replies.collect());
    let mut answers: Vec<Option<Result<T, ReplyError>>> = Vec::new();
    answers.resize_with(tasks.len(), || None);
    let all = async {
        while gather.running > 0 {
            let (index, answer) = poll_fn(|cx| gather.poll(cx)).await;
            let enough = enough(&answer);
            answers[index] = Some(answer);
            if enough {
                break;
            }
        }
    };
    let time_is_up = match time {
        Some(time) => timeout(time, pin!(all)).await.is_err(),
        None => {
            all.await;
            false
        }
    };
    for (task, reply) in tasks.iter_mut().zip(gather.replies) {
        task.reply = reply;
    }
    if is_fatal(tasks, &answers) {
        yield_now().await;
    }
    let mut outcomes: Vec<_> = answers.into_iter().map(|it| it.map(outcome)).collect();
    if time_is_up {
        last_look(tasks, &mut outcomes).await;
    }
    (outcomes, time_is_up)
}

/// Whether this process may die with one of these tasks. It has the exit signal by now, but these
/// answers were not polled with its own waker, and so may have overtaken that. It is to die before
/// it acts upon the failure.
fn is_fatal<T: Send>(tasks: &[Task<T>], answers: &[Option<Result<T, ReplyError>>]) -> bool {
    let this = try_self_pid();
    let mut pairs = tasks.iter().zip(answers);
    this.is_some() && pairs.any(|(task, it)| matches!(it, Some(Err(_))) && task.linked_to == this)
}

/// Looks once more at tasks whose time is up. There may be so many that not all of them have had
/// a turn's reductions spared for them; and an answer that is there may be put off for a turn.
async fn last_look<T: Send>(tasks: &mut [Task<T>], outcomes: &mut [Option<Result<T, ExitReason>>]) {
    for _ in 0..2 {
        for (task, outcome) in tasks.iter_mut().zip(outcomes.iter_mut()) {
            if outcome.is_none() {
                *outcome = task.glance().await;
            }
        }
        yield_now().await;
    }
}

/// Several replies, taken in the order in which they come. Only those whose waker was called are
/// looked at again, so waiting for many costs no more for each.
struct Gather<T: Send + 'static> {
    /// None where there is nothing to come any more.
    replies: Vec<Option<Reply<T>>>,
    /// How many are still to come.
    running: usize,
    /// To be looked at, the next one last.
    due: Vec<usize>,
    bells: Vec<Waker>,
    rung: Arc<Rung>,
}

/// Which replies there is news of, and who is to be told.
#[derive(Default)]
struct Rung(Mutex<(Vec<usize>, Option<Waker>)>);

/// The waker of one reply.
struct Bell {
    index: usize,
    rung: Arc<Rung>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut rung = self.rung.0.lock().unwrap_or_else(PoisonError::into_inner);
            rung.0.push(self.index);
            rung.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Send + 'static> Gather<T> {
    fn new(replies: Vec<Option<Reply<T>>>) -> Self {
        let rung = Arc::new(Rung::default());
        let bell = |index| {
            let rung = rung.clone();
            Waker::from(Arc::new(Bell { index, rung }))
        };
        Gather {
            running: replies.iter().flatten().count(),
            due: (0..replies.len()).rev().collect(),
            bells: (0..replies.len()).map(bell).collect(),
            replies,
            rung,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(usize, Result<T, ReplyError>)> {
        loop {
            while let Some(index) = self.due.pop() {
                let Some(reply) = &mut self.replies[index] else {
                    continue;
                };
                let mut bell = Context::from_waker(&self.bells[index]);
                if let Poll::Ready(answer) = Pin::new(reply).poll(&mut bell) {
                    self.replies[index] = None;
                    self.running -= 1;
                    return Poll::Ready((index, answer));
                }
            }
            let mut rung = self.rung.0.lock().unwrap_or_else(PoisonError::into_inner);
            if rung.0.is_empty() {
                rung.1 = Some(cx.waker().clone());
                return Poll::Pending;
            }
            self.due = mem::take(&mut rung.0);
            // In the order in which they rang.
            self.due.reverse();
        }
    }
}
