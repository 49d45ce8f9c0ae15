//! Waiting for the socket, the mailbox and the clock at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use futures_lite::{AsyncRead, AsyncWrite};
use regrow::net::TcpStream;
use regrow::{Message, receive_any, sleep};

use super::output::Output;
use crate::protocol::Decoder;

/// Bytes read at once.
const READ: usize = 16 * 1024;

/// What has happened first.
#[derive(Debug)]
pub(super) enum Event {
    /// A message has come.
    Mail(Message),
    /// Something was read.
    Read,
    /// The client will send nothing more.
    Eof,
    /// Something was written.
    Wrote,
    /// The socket is broken.
    Failed(io::Error),
    /// The deadline has come.
    Deadline,
}

/// Waits for the first of all of it; reads only if there is an `input`. Cancel safe: what is read
/// or written is accounted for.
pub(super) async fn wait(
    stream: &TcpStream,
    mut input: Option<&mut Decoder>,
    output: &mut Output,
    deadline: Option<Instant>,
) -> Event {
    let mut mail = pin!(receive_any());
    let mut timer = pin!(deadline.map(|at| sleep(at.saturating_duration_since(Instant::now()))));
    poll_fn(|cx| {
        // Messages before the rest: the answers that are there are then written at once.
        if let Poll::Ready(message) = mail.as_mut().poll(cx) {
            return Poll::Ready(Event::Mail(message));
        }
        let mut socket = stream;
        let piece = output.piece();
        if !piece.is_empty() {
            match Pin::new(&mut socket).poll_write(cx, piece) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Event::Failed(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(written)) => {
                    output.advance(written);
                    return Poll::Ready(Event::Wrote);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Event::Failed(error)),
                Poll::Pending => {}
            }
        }
        if let Some(input) = input.as_deref_mut() {
            // On the stack: a connection that is silent needs no buffer.
            let mut bytes = [0; READ];
            match Pin::new(&mut socket).poll_read(cx, &mut bytes) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Event::Eof),
                Poll::Ready(Ok(read)) => {
                    input.push(&bytes[..read]);
                    return Poll::Ready(Event::Read);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Event::Failed(error)),
                Poll::Pending => {}
            }
        }
        if let Some(timer) = timer.as_mut().as_pin_mut()
            && timer.poll(cx).is_ready()
        {
            return Poll::Ready(Event::Deadline);
        }
        Poll::Pending
    })
    .await
}
