//! The halves of a connection.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::stream::{Socket, StreamSocket};

/// The reading half of a borrowed connection; see [`StreamSocket::split`].
#[derive(Debug)]
pub struct ReadHalf<'a, T: Socket>(pub(super) &'a StreamSocket<T>);

/// The writing half of a borrowed connection; see [`StreamSocket::split`].
///
/// Dropping it does not end the writing side: closing does, or [`StreamSocket::shutdown`].
#[derive(Debug)]
pub struct WriteHalf<'a, T: Socket>(pub(super) &'a StreamSocket<T>);

/// The reading half of a connection; see [`StreamSocket::into_split`].
pub struct OwnedReadHalf<T: Socket>(Arc<StreamSocket<T>>);

/// The writing half of a connection; see [`StreamSocket::into_split`].
///
/// Dropping it ends the writing side: the other end reads what was written and then the end of the
/// stream. [`forget`](OwnedWriteHalf::forget) keeps it from that.
pub struct OwnedWriteHalf<T: Socket> {
    stream: Arc<StreamSocket<T>>,
    ends_writing: bool,
}

/// The halves of [`OwnedReadHalf::reunite`], given back: they are of two connections.
#[derive(thiserror::Error)]
#[error("these halves are of two connections: reunite the two of one `into_split`")]
#[non_exhaustive]
pub struct ReuniteError<T: Socket> {
    /// The half that reads.
    pub read: OwnedReadHalf<T>,
    /// The half that writes.
    pub write: OwnedWriteHalf<T>,
}

impl<T: Socket> OwnedReadHalf<T> {
    pub(super) fn new(stream: Arc<StreamSocket<T>>) -> Self {
        OwnedReadHalf(stream)
    }

    /// Makes the connection whole again.
    ///
    /// # Errors
    ///
    /// If the halves are not of the same connection; they are in the error.
    ///
    /// ```
    /// use regrow_runtime::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # regrow_runtime::Runtime::new()?.block_on(async {
    /// let ((one, _), (other, _)) = (UnixStream::pair()?, UnixStream::pair()?);
    /// let ((read, write), (_, stranger)) = (one.into_split(), other.into_split());
    /// let error = read.reunite(stranger).unwrap_err();
    /// assert!(error.read.reunite(write).is_ok());
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn reunite(self, mut write: OwnedWriteHalf<T>) -> Result<StreamSocket<T>, ReuniteError<T>> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError { read: self, write });
        }
        write.ends_writing = false;
        drop(write);
        match Arc::into_inner(self.0) {
            Some(stream) => Ok(stream),
            None => unreachable!("a connection has two halves, and both are here"),
        }
    }
}

impl<T: Socket> OwnedWriteHalf<T> {
    pub(super) fn new(stream: Arc<StreamSocket<T>>) -> Self {
        OwnedWriteHalf {
            stream,
            ends_writing: true,
        }
    }

    /// Drops this half and leaves the writing side open, until the other half is dropped.
    pub fn forget(mut self) {
        self.ends_writing = false;
    }
}

impl<T: Socket> Drop for OwnedWriteHalf<T> {
    fn drop(&mut self) {
        if self.ends_writing {
            // It fails if the connection has ended already.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

impl<T: Socket> AsRef<StreamSocket<T>> for ReadHalf<'_, T> {
    fn as_ref(&self) -> &StreamSocket<T> {
        self.0
    }
}

impl<T: Socket> AsRef<StreamSocket<T>> for WriteHalf<'_, T> {
    fn as_ref(&self) -> &StreamSocket<T> {
        self.0
    }
}

impl<T: Socket> AsRef<StreamSocket<T>> for OwnedReadHalf<T> {
    fn as_ref(&self) -> &StreamSocket<T> {
        &self.0
    }
}

impl<T: Socket> AsRef<StreamSocket<T>> for OwnedWriteHalf<T> {
    fn as_ref(&self) -> &StreamSocket<T> {
        &self.stream
    }
}

impl<T: Socket> fmt::Debug for OwnedReadHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedReadHalf").field(&self.0).finish()
    }
}

impl<T: Socket> fmt::Debug for OwnedWriteHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedWriteHalf").field(&self.stream).finish()
    }
}

impl<T: Socket> fmt::Debug for ReuniteError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError")
            .field("read", &self.read)
            .field("write", &self.write)
            .finish()
    }
}

/// A half does what the whole does: the connection implements the traits by reference.
macro_rules! half {
    (read $half:ty, $($lifetime:lifetime)?) => {
        impl<$($lifetime,)? T: Socket> AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut (*self).as_ref()).poll_read(cx, buffer)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut (*self).as_ref()).poll_read_vectored(cx, buffers)
            }
        }
    };
    (write $half:ty, $($lifetime:lifetime)?) => {
        impl<$($lifetime,)? T: Socket> AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut (*self).as_ref()).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut (*self).as_ref()).poll_write_vectored(cx, buffers)
            }

            /// Does nothing: a socket sends by itself what was written.
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut (*self).as_ref()).poll_flush(cx)
            }

            /// Ends the writing side.
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut (*self).as_ref()).poll_close(cx)
            }
        }
    };
}

half!(read ReadHalf<'a, T>, 'a);
half!(read OwnedReadHalf<T>,);
half!(write WriteHalf<'a, T>, 'a);
half!(write OwnedWriteHalf<T>,);
