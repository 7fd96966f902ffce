//! The methods that datagram sockets of both families have: sending to the peer, and receiving.

/// The methods of a socket with a field `leaf`, whose peers have addresses of type `$addr`.
macro_rules! impl_datagram {
    ($socket:ty, $addr:ty) => {
        impl $socket {
            /// Sends one datagram to the connected peer.
            ///
            /// # Errors
            /// What the system says, such as that an earlier datagram was refused; or if the socket cannot be registered, or
            /// its runtime has shut down.
            ///
            /// # Cancel safety
            /// The datagram was not sent.
            pub async fn send(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.leaf.io($crate::context::IoWait::Write, |io| io.send(buf)).await
            }

            /// As [`send`](Self::send), for one task per direction.
            ///
            /// # Errors
            /// As [`send`](Self::send).
            pub fn poll_send(
                &self,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.leaf.poll_io(cx, $crate::context::IoWait::Write, |io| io.send(buf))
            }

            /// As [`send`](Self::send), without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if there is no room; else what the system says.
            pub fn try_send(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.leaf.try_io($crate::io::Interest::WRITABLE, |io| io.send(buf))
            }

            /// Receives one datagram, of a connected socket from its peer.
            ///
            /// # Errors
            /// What the system says, such as that a datagram sent before was refused; or if the socket cannot be registered, or its runtime has shut down.
            ///
            /// # Cancel safety
            /// No datagram is lost.
            pub async fn recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.leaf.io($crate::context::IoWait::Read, |io| io.recv(buf)).await
            }

            /// As [`recv`](Self::recv), for one task per direction.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            pub fn poll_recv(
                &self,
                cx: &mut std::task::Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                self.leaf
                    .poll_io(cx, $crate::context::IoWait::Read, |io| $crate::io::recv::recv_buf(io, buf))
                    .map_ok(drop)
            }

            /// As [`recv`](Self::recv), without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else what the system says.
            pub fn try_recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.leaf.try_io($crate::io::Interest::READABLE, |io| io.recv(buf))
            }

            /// Receives one datagram and says from whom.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            /// No datagram is lost.
            pub async fn recv_from(&self, buf: &mut [u8]) -> std::io::Result<(usize, $addr)> {
                self.leaf.io($crate::context::IoWait::Read, |io| io.recv_from(buf)).await
            }

            /// As [`recv_from`](Self::recv_from), for one task per direction.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            pub fn poll_recv_from(
                &self,
                cx: &mut std::task::Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<$addr>> {
                self.leaf.poll_fill(cx, buf, |io, buf| io.recv_from(buf))
            }

            /// As [`recv_from`](Self::recv_from), without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else what the system says.
            pub fn try_recv_from(&self, buf: &mut [u8]) -> std::io::Result<(usize, $addr)> {
                self.leaf.try_io($crate::io::Interest::READABLE, |io| io.recv_from(buf))
            }

            /// As [`recv`](Self::recv), into the room that `buf` has now; `buf` is advanced by the length. What does
            /// not fit is lost, so a vector needs the room reserved before.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            /// No datagram is lost.
            pub async fn recv_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
                self.leaf
                    .io($crate::context::IoWait::Read, |io| {
                        $crate::io::buf_mut::fill(buf, |free| $crate::io::recv::recv_buf(io, free))
                    })
                    .await
            }

            /// As [`recv_buf`](Self::recv_buf), without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else what the system says.
            pub fn try_recv_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
                self.leaf.try_io($crate::io::Interest::READABLE, |io| {
                    $crate::io::buf_mut::fill(buf, |free| $crate::io::recv::recv_buf(io, free))
                })
            }

            /// As [`recv_buf`](Self::recv_buf), and says from whom the datagram is.
            ///
            /// # Errors
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            /// No datagram is lost.
            pub async fn recv_buf_from<B: bytes::BufMut>(
                &self,
                buf: &mut B,
            ) -> std::io::Result<(usize, $addr)> {
                self.leaf
                    .io($crate::context::IoWait::Read, |io| {
                        $crate::io::buf_mut::fill_from(buf, |free| io.recv_from(free))
                    })
                    .await
            }

            /// As [`recv_buf_from`](Self::recv_buf_from), without waiting.
            ///
            /// # Errors
            /// `WouldBlock` if nothing is there; else as [`recv_buf_from`](Self::recv_buf_from).
            pub fn try_recv_buf_from<B: bytes::BufMut>(
                &self,
                buf: &mut B,
            ) -> std::io::Result<(usize, $addr)> {
                self.leaf.try_io($crate::io::Interest::READABLE, |io| {
                    $crate::io::buf_mut::fill_from(buf, |free| io.recv_from(free))
                })
            }
        }
    };
}

pub(crate) use impl_datagram;
