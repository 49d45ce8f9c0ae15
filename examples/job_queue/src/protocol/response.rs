//! What a client is told.

use std::io::Write as _;
use std::sync::Arc;

use crate::protocol::{JobId, TubeName};

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// The job is kept.
    Inserted(JobId),
    /// The tube in use.
    Using(TubeName),
    /// How many tubes are watched.
    Watching(usize),
    /// The only tube watched cannot be ignored.
    NotIgnored,
    /// A job for this client alone.
    Reserved(JobId, Arc<[u8]>),
    /// A job to look at.
    Found(JobId, Arc<[u8]>),
    /// No job became ready in time.
    TimedOut,
    /// A job of this client has less than a second left, so that it does not wait for another.
    DeadlineSoon,
    /// The job is gone.
    Deleted,
    /// The job is given back.
    Released,
    /// The job is put aside.
    Buried,
    /// The TTR of the job begins anew.
    Touched,
    /// So many jobs are kicked.
    Kicked(u64),
    /// The job is kicked.
    KickedJob,
    /// Nobody can reserve from the tube for a while.
    Paused,
    /// Statistics or a list, in YAML.
    Ok(Box<str>),
    /// There is no such job or tube, or not for this client in this state.
    NotFound,
    /// There is no room for the job.
    OutOfMemory,
    /// The server cannot do it, and it is not the client's fault.
    InternalError,
    /// The server takes no new jobs.
    Draining,
    /// The line is not well formed.
    BadFormat,
    /// There is no such command.
    UnknownCommand,
    /// The body is not as long as said.
    ExpectedCrlf,
    /// The body is larger than allowed.
    JobTooBig,
}

impl Response {
    /// Appends the bytes that a client is sent.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        match self {
            Response::Inserted(id) => line(out, "INSERTED", &[*id]),
            Response::Using(tube) => {
                out.extend_from_slice(b"USING ");
                out.extend_from_slice(tube.as_str().as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Response::Watching(count) => line(out, "WATCHING", &[*count as u64]),
            Response::NotIgnored => line(out, "NOT_IGNORED", &[]),
            Response::Reserved(id, body) => chunk(out, "RESERVED", Some(*id), body),
            Response::Found(id, body) => chunk(out, "FOUND", Some(*id), body),
            Response::TimedOut => line(out, "TIMED_OUT", &[]),
            Response::DeadlineSoon => line(out, "DEADLINE_SOON", &[]),
            Response::Deleted => line(out, "DELETED", &[]),
            Response::Released => line(out, "RELEASED", &[]),
            Response::Buried => line(out, "BURIED", &[]),
            Response::Touched => line(out, "TOUCHED", &[]),
            Response::Kicked(count) => line(out, "KICKED", &[*count]),
            Response::KickedJob => line(out, "KICKED", &[]),
            Response::Paused => line(out, "PAUSED", &[]),
            Response::Ok(yaml) => chunk(out, "OK", None, yaml.as_bytes()),
            Response::NotFound => line(out, "NOT_FOUND", &[]),
            Response::OutOfMemory => line(out, "OUT_OF_MEMORY", &[]),
            Response::InternalError => line(out, "INTERNAL_ERROR", &[]),
            Response::Draining => line(out, "DRAINING", &[]),
            Response::BadFormat => line(out, "BAD_FORMAT", &[]),
            Response::UnknownCommand => line(out, "UNKNOWN_COMMAND", &[]),
            Response::ExpectedCrlf => line(out, "EXPECTED_CRLF", &[]),
            Response::JobTooBig => line(out, "JOB_TOO_BIG", &[]),
        }
    }
}

fn line(out: &mut Vec<u8>, word: &str, numbers: &[u64]) {
    out.extend_from_slice(word.as_bytes());
    for number in numbers {
        // Writing to a vector does not fail.
        let _ = write!(out, " {number}");
    }
    out.extend_from_slice(b"\r\n");
}

fn chunk(out: &mut Vec<u8>, word: &str, id: Option<JobId>, data: &[u8]) {
    out.reserve(data.len() + 64);
    match id {
        Some(id) => line(out, word, &[id, data.len() as u64]),
        None => line(out, word, &[data.len() as u64]),
    }
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(response: &Response) -> String {
        let mut out = Vec::new();
        response.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_response_is_a_line_and_perhaps_a_chunk_with_its_size() {
        assert_eq!(bytes(&Response::Inserted(7)), "INSERTED 7\r\n");
        assert_eq!(bytes(&Response::Using("a".parse().unwrap())), "USING a\r\n");
        assert_eq!(bytes(&Response::Watching(2)), "WATCHING 2\r\n");
        assert_eq!(bytes(&Response::Kicked(3)), "KICKED 3\r\n");
        assert_eq!(bytes(&Response::KickedJob), "KICKED\r\n");
        let body: Arc<[u8]> = Arc::from(b"a\r\nb".as_slice());
        assert_eq!(
            bytes(&Response::Reserved(1, body.clone())),
            "RESERVED 1 4\r\na\r\nb\r\n"
        );
        assert_eq!(bytes(&Response::Found(1, body)), "FOUND 1 4\r\na\r\nb\r\n");
        assert_eq!(
            bytes(&Response::Ok("---\n- a\n".into())),
            "OK 8\r\n---\n- a\n\r\n"
        );
    }
}
