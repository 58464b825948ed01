//! A connection, whatever it is made of.

use rustls::ServerConfig;
use socket2::SockRef;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection of either kind.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// The same connection after a handshake as a TLS server; anything but plain TCP is an error.
    pub async fn accept_tls(self, config: Arc<ServerConfig>) -> io::Result<Stream> {
        match self {
            Stream::Tcp(stream) => TlsAcceptor::from(config).accept(stream).await.map(|stream| Stream::Tls(Box::new(stream))),
            Stream::Unix(_) | Stream::Tls(_) => Err(io::Error::other("TLS is for plain TCP connections")),
        }
    }

    /// Whether [`Stream::poll_has_bytes`] can tell bytes from the end.
    pub fn can_be_peeked(&self) -> bool {
        !matches!(self, Stream::Tls(_))
    }

    /// Waits until there is something to be read: whether that is bytes, as far as can be told, and not the end.
    pub fn poll_has_bytes(&self, context: &mut TaskContext<'_>) -> Poll<bool> {
        match self {
            Stream::Tcp(stream) => {
                let peek = || stream.try_io(Interest::READABLE, || peek(SockRef::from(stream)));
                poll_has_bytes(|| stream.poll_read_ready(context), peek)
            }
            Stream::Unix(stream) => {
                let peek = || stream.try_io(Interest::READABLE, || peek(SockRef::from(stream)));
                poll_has_bytes(|| stream.poll_read_ready(context), peek)
            }
            // What is there may be anything.
            Stream::Tls(_) => Poll::Ready(false),
        }
    }
}

fn poll_has_bytes(mut poll_ready: impl FnMut() -> Poll<io::Result<()>>, peek: impl Fn() -> io::Result<usize>) -> Poll<bool> {
    while ready!(poll_ready()).is_ok() {
        match peek() {
            // It was not ready, and is not taken for that any more.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            peeked => return Poll::Ready(peeked.is_ok_and(|bytes| bytes > 0)),
        }
    }
    Poll::Ready(false)
}

/// Looks at the first byte, and leaves it there.
fn peek(socket: SockRef<'_>) -> io::Result<usize> {
    socket.peek(&mut [MaybeUninit::uninit()])
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut TaskContext<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, into),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_are_told_from_the_end_and_left_where_they_are() {
        let (mut peer, own) = UnixStream::pair().unwrap();
        let mut own = Stream::Unix(own);
        let is_pending = |own: &Stream| {
            let mut context = TaskContext::from_waker(std::task::Waker::noop());
            own.poll_has_bytes(&mut context).is_pending()
        };
        assert!(is_pending(&own));
        peer.write_all(b"ab").await.unwrap();
        for byte in [b'a', b'b'] {
            assert!(poll_fn(|context| own.poll_has_bytes(context)).await);
            assert_eq!(own.read_u8().await.unwrap(), byte);
        }
        assert!(is_pending(&own));
        drop(peer);
        assert!(!poll_fn(|context| own.poll_has_bytes(context)).await);
    }
}
