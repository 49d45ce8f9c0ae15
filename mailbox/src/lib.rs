//! The queue of signals that one process reads.
//!
//! An [`Inbox`] is one atomic word which is at once the head of a lock-free
//! queue and the scheduling state of the process that owns it. Whoever pushes
//! an [`Envelope`] learns from the same compare-exchange whether the process
//! must be queued to run; whoever takes the queue learns whether it was woken;
//! and the process parks with one compare-exchange that fails if anything came
//! meanwhile. No second flag can race with the queue, because there is none.
//!
//! What a process has taken but not yet received waits in its [`SaveQueue`],
//! which a selective receive scans with a [`Cursor`] so that no message is
//! looked at twice by a receive that has already rejected it.
//!
//! ```
//! use regrow_mailbox::{Envelope, Inbox, Pushed};
//!
//! let inbox = Inbox::new();
//! let generation = inbox.open(7);
//! // The process was opened awake: its opener runs it, so the pusher need not.
//! let pushed = inbox.push(Envelope::new(generation, 0, "hello")).unwrap();
//! assert_eq!(pushed, Pushed::Queued);
//!
//! let mut taken = inbox.take();
//! let hello = taken.batch.pop().unwrap().downcast::<&str>().unwrap();
//! assert_eq!(hello, "hello");
//! assert!(inbox.park());
//!
//! // Parked: the next pusher gets the token and must queue the process to run.
//! assert_eq!(inbox.push(Envelope::new(generation, 0, 1_u8)).unwrap(), Pushed::MustRun);
//! ```
//!
//! What does not go through the queue is the answer to a request: [`answer`] makes
//! a cell that one side fills and the other waits for.
//!
//! The crate has no dependencies. It holds unsafe code (an intrusive list and a
//! type-erased node) and offers none: misuse of the token, such as two threads
//! that take at once, loses wake-ups but is never undefined behaviour.

mod answer;
mod batch;
mod envelope;
mod inbox;
mod primitive;
mod save_queue;

pub use answer::{AnswerReceiver, AnswerSender, answer};
pub use batch::Batch;
pub use envelope::Envelope;
pub use inbox::{Inbox, Pushed, Taken};
pub use save_queue::{Cursor, SaveQueue};
