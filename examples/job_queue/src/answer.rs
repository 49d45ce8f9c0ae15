//! The way of an answer to the one who has asked.

use regrow::{Pid, ReplyTo, send};

use crate::protocol::Response;

/// What a connection is told: the answer to its request of this number.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) number: u64,
    pub(crate) response: Response,
}

/// Who has asked.
#[derive(Debug)]
pub(crate) enum Asker {
    /// A connection; its requests are numbered.
    Connection { pid: Pid, number: u64 },
    /// A worker that hands in what became of its job.
    Worker(ReplyTo<Response>),
}

impl Asker {
    /// Tells it. Works from any thread.
    pub(crate) fn tell(self, response: Response) {
        match self {
            Asker::Connection { pid, number } => send(pid, Answer { number, response }),
            Asker::Worker(reply) => reply.send(response),
        }
    }
}

/// An answer, and who is to get it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) asker: Asker,
    pub(crate) response: Response,
}

impl Waiting {
    pub(crate) fn tell(self) {
        self.asker.tell(self.response);
    }

    /// Tells that the disk has refused it.
    pub(crate) fn refuse(self, full: bool) {
        let response = match self.response {
            Response::Inserted(_) if full => Response::OutOfMemory,
            _ => Response::InternalError,
        };
        self.asker.tell(response);
    }
}
