//! The methods that every socket of this module has: waiting for readiness, and conversion from and to
//! the standard library.

/// Readiness methods for a socket with a field `leaf`.
macro_rules! impl_readiness {
    ($socket:ty, $poll_read_ready:ident, $poll_write_ready:ident) => {
        impl $socket {
            /// Waits until the socket is ready for any of `interest`, and says for what.
            ///
            /// May be too early, so an operation can still meet `WouldBlock`; that operation clears the
            /// readiness, so a loop of `ready` and `try_*` does not spin.
            ///
            /// # Errors
            /// If the socket cannot be registered, or its runtime has shut down.
            ///
            /// # Cancel safety
            /// Nothing is lost: readiness stays until an operation meets `WouldBlock`.
            pub async fn ready(&self, interest: $crate::io::Interest) -> std::io::Result<$crate::io::Ready> {
                self.leaf.ready(interest).await
            }

            /// Waits until the socket is readable. See [`ready`](Self::ready).
            ///
            /// # Errors
            /// If the socket cannot be registered, or its runtime has shut down.
            ///
            /// # Cancel safety
            /// Nothing is lost: readiness stays until a read meets `WouldBlock`.
            pub async fn readable(&self) -> std::io::Result<()> {
                self.leaf.wait($crate::context::IoWait::Read).await
            }

            /// Waits until the socket is writable. See [`ready`](Self::ready).
            ///
            /// # Errors
            /// If the socket cannot be registered, or its runtime has shut down.
            ///
            /// # Cancel safety
            /// Nothing is lost: readiness stays until a write meets `WouldBlock`.
            pub async fn writable(&self) -> std::io::Result<()> {
                self.leaf.wait($crate::context::IoWait::Write).await
            }

            /// Polls for readability. Of several callers of the `poll_*` methods for reading, only the
            /// last one is woken.
            ///
            /// # Errors
            /// If the socket cannot be registered, or its runtime has shut down.
            pub fn $poll_read_ready(
                &self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.leaf.poll_ready(cx, $crate::context::IoWait::Read)
            }

            /// Polls for writability. Of several callers of the `poll_*` methods for writing, only the
            /// last one is woken.
            ///
            /// # Errors
            /// If the socket cannot be registered, or its runtime has shut down.
            pub fn $poll_write_ready(
                &self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.leaf.poll_ready(cx, $crate::context::IoWait::Write)
            }

            /// Tries an operation of the caller's own on the socket, once.
            ///
            /// `op` must be non-blocking and must not call methods of this socket that wait. When it says
            /// `WouldBlock` the readiness of `interest` is cleared.
            ///
            /// # Errors
            /// `WouldBlock` if the socket is not ready; else the error of `op`.
            pub fn try_io<R>(
                &self,
                interest: $crate::io::Interest,
                op: impl FnOnce() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                self.leaf.try_io(interest, |_| op())
            }

            /// Tries an operation of the caller's own on the socket until it does not say `WouldBlock`.
            ///
            /// `op` must be non-blocking and must not call methods of this socket that wait.
            ///
            /// # Errors
            /// That of `op`; or if the socket cannot be registered, or its runtime has shut down.
            ///
            /// # Cancel safety
            /// No result of `op` is lost: the future completes in the poll in which `op` does.
            pub async fn async_io<R>(
                &self,
                interest: $crate::io::Interest,
                mut op: impl FnMut() -> std::io::Result<R>,
            ) -> std::io::Result<R> {
                self.leaf.io_any(interest, |_| op()).await
            }

            /// The error that the system keeps for the socket (`SO_ERROR`), which this clears.
            ///
            /// # Errors
            /// If the system does not say.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.leaf.get_ref().take_error()
            }
        }
    };
}

/// Conversion from and to the type of the standard library, for a socket with a field `leaf` and a
/// function `on(io, driver)`.
macro_rules! impl_std_conversion {
    ($socket:ty, $std:ty) => {
        impl $socket {
            /// Takes a socket of the standard library. It is switched to non-blocking mode.
            ///
            /// # Errors
            /// If the mode cannot be set.
            ///
            /// # Panics
            /// Outside a runtime.
            #[track_caller]
            pub fn from_std(socket: $std) -> std::io::Result<Self> {
                let driver = $crate::context::current_driver();
                socket.set_nonblocking(true)?;
                Ok(Self::on(socket, &driver))
            }

            /// Gives the socket back to the standard library, still in non-blocking mode.
            ///
            /// # Errors
            /// If the system does not let go of it; it is closed then.
            pub fn into_std(self) -> std::io::Result<$std> {
                self.leaf.into_inner()
            }
        }

        impl TryFrom<$std> for $socket {
            type Error = std::io::Error;

            /// As [`from_std`](Self::from_std).
            #[track_caller]
            fn try_from(socket: $std) -> std::io::Result<Self> {
                Self::from_std(socket)
            }
        }

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.leaf.fmt(f)
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.leaf.get_ref().as_fd()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.leaf.get_ref().as_raw_fd()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $socket {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                self.leaf.get_ref().as_socket()
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsRawSocket for $socket {
            fn as_raw_socket(&self) -> std::os::windows::io::RawSocket {
                self.leaf.get_ref().as_raw_socket()
            }
        }
    };
}

/// The methods of a stream with a field `leaf`, its halves, and both families of traits.
macro_rules! impl_stream {
    ($stream:ty, $std:ty) => {
        impl $stream {
            /// Reads what is there; 0 is the end of the stream.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else what the read says.
            pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.leaf.try_read(buf)
            }

            /// Reads what is there into several buffers, the first one first; 0 is the end of the stream.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else what the read says.
            pub fn try_read_vectored(&self, bufs: &mut [std::io::IoSliceMut<'_>]) -> std::io::Result<usize> {
                self.leaf.try_read_vectored(bufs)
            }

            /// Reads what is there into `buf`, which is advanced by the length; 0 is the end of the stream, or
            /// a buffer without room.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else what the read says.
            pub fn try_read_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
                self.leaf.try_read_buf(buf)
            }

            /// Writes what fits into the kernel's buffer.
            ///
            /// # Errors
            /// `WouldBlock` if nothing fits; else what the write says.
            pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.leaf.try_write(buf)
            }

            /// Writes what fits of several buffers, the first one first.
            ///
            /// # Errors
            /// `WouldBlock` if nothing fits; else what the write says.
            pub fn try_write_vectored(&self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                self.leaf.try_write_vectored(bufs)
            }

            /// Borrows the stream as a half that reads and a half that writes, at no cost.
            pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
                $crate::net::split::split(self)
            }

            /// Makes a half that reads and a half that writes, which two tasks can own. Dropping the write
            /// half closes the write direction.
            pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
                $crate::net::split::into_split(self)
            }

            fn leaf(&self) -> &LeafSource<$std> {
                &self.leaf
            }

            fn close_write(&mut self) -> std::io::Result<()> {
                self.leaf.shutdown(std::net::Shutdown::Write)
            }
        }

        impl SplitStream for $stream {
            type Io = $std;

            fn leaf(&self) -> &LeafSource<$std> {
                &self.leaf
            }
        }

        impl AsRef<$stream> for $stream {
            fn as_ref(&self) -> &$stream {
                self
            }
        }

        impl_async_read!([] $stream);
        impl_async_write!([] $stream);
    };
}

pub(crate) use {impl_readiness, impl_std_conversion, impl_stream};
