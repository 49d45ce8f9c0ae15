//! The `futures-io` traits of everything that is read and written as bytes.
//!
//! The traits ask for four blocks that say the same for each type: by value and by reference, to
//! read and to write. They are written here once. What differs is said by four methods of the type:
//! `poll_read_io` (given how much there is room for), `poll_write_io`, `poll_flush_io` and
//! `poll_close_io`.

macro_rules! async_read {
    ($type:ty; [$($generics:tt)*]; [$($bounds:tt)*]) => {
        impl<$($generics)*> futures_io::AsyncRead for &$type where $($bounds)* {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_read_io(cx, buffer.len(), |io| io.read(buffer))
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let room = buffers.iter().map(|buffer| buffer.len()).sum();
                self.poll_read_io(cx, room, |io| io.read_vectored(buffers))
            }
        }

        impl<$($generics)*> futures_io::AsyncRead for $type where $($bounds)* {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut [u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &*self).poll_read(cx, buffer)
            }

            fn poll_read_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &*self).poll_read_vectored(cx, buffers)
            }
        }
    };
}

macro_rules! async_write {
    ($type:ty; [$($generics:tt)*]; [$($bounds:tt)*]; $flush:literal, $close:literal) => {
        impl<$($generics)*> futures_io::AsyncWrite for &$type where $($bounds)* {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_write_io(cx, |io| io.write(bytes))
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.poll_write_io(cx, |io| io.write_vectored(buffers))
            }

            #[doc = $flush]
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.poll_flush_io(cx)
            }

            #[doc = $close]
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.poll_close_io(cx)
            }
        }

        impl<$($generics)*> futures_io::AsyncWrite for $type where $($bounds)* {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &*self).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut &*self).poll_write_vectored(cx, buffers)
            }

            #[doc = $flush]
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut &*self).poll_flush(cx)
            }

            #[doc = $close]
            fn poll_close(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut &*self).poll_close(cx)
            }
        }
    };
}

pub(super) use {async_read, async_write};
