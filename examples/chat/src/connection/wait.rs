//! Waiting for the socket, the mailbox and the clock at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use futures_lite::{AsyncRead, AsyncWrite};
use regrow::net::TcpStream;
use regrow::{Message, receive_any, sleep};

use crate::connection::output::Output;
use crate::irc::lines::LineBuffer;

/// Bytes read at once.
const READ: usize = 4 * 1024;
/// From here on the socket is looked after before the mailbox, or the queue would overflow
/// only because nobody has tried to write.
const WRITE_FIRST: usize = 32 * 1024;

/// What has happened first.
#[derive(Debug)]
pub(super) enum Event {
    /// A message has come.
    Mail(Message),
    /// So many bytes were added to the input.
    Read,
    /// The client will send nothing more.
    Eof,
    /// Something was written.
    Wrote,
    /// The socket is broken.
    Failed(io::Error),
    /// The client reads nothing, and more waits for it than may.
    Overflow,
    /// The deadline has come.
    Deadline,
}

/// Waits for the first of all of it. Cancel safe: what is read or written is accounted for.
pub(super) async fn wait(
    stream: &TcpStream,
    input: Option<&mut LineBuffer>,
    output: &mut Output,
    deadline: Option<Instant>,
) -> Event {
    let mut mail = pin!(receive_any());
    let mut timer = pin!(deadline.map(|at| sleep(at.saturating_duration_since(Instant::now()))));
    let mut input = input;
    poll_fn(|cx| {
        let mut socket = stream;
        let mut write = |output: &mut Output, cx: &mut std::task::Context<'_>| {
            let piece = output.next_piece();
            if piece.is_empty() {
                return None;
            }
            match Pin::new(&mut socket).poll_write(cx, piece) {
                Poll::Ready(Ok(0)) => Some(Event::Failed(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    output.advance(written);
                    Some(Event::Wrote)
                }
                Poll::Ready(Err(error)) => Some(Event::Failed(error)),
                Poll::Pending => None,
            }
        };
        if output.pending() > WRITE_FIRST || output.is_over() {
            if let Some(event) = write(output, cx) {
                return Poll::Ready(event);
            }
            if output.is_over() {
                return Poll::Ready(Event::Overflow);
            }
        }
        // Messages before the rest: what several of them add is then written at once.
        if let Poll::Ready(message) = mail.as_mut().poll(cx) {
            return Poll::Ready(Event::Mail(message));
        }
        if let Some(event) = write(output, cx) {
            return Poll::Ready(event);
        }
        if let Some(input) = input.as_deref_mut() {
            // On the stack: a connection that is silent needs no buffer.
            let mut bytes = [0; READ];
            let mut socket = stream;
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
