//! A stream as the HTTP/2 library reads and writes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::blocks::Blocks;

use crate::stream::Stream;

pub(crate) struct H2Io {
    stream: Stream,
    blocks: Blocks,
    /// What has been decrypted and not been taken.
    plain: Vec<u8>,
    taken: usize,
}

impl H2Io {
    pub(crate) fn new(stream: Stream, blocks: Blocks) -> Self {
        Self {
            stream,
            blocks,
            plain: Vec::new(),
            taken: 0,
        }
    }
}

impl Drop for H2Io {
    fn drop(&mut self) {
        self.blocks.give(std::mem::take(&mut self.plain));
    }
}

fn unfit() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

impl AsyncRead for H2Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let stream = match &mut this.stream {
            Stream::Tcp(socket) => return Pin::new(socket).poll_read(cx, buf),
            Stream::Unix(socket) => return Pin::new(socket).poll_read(cx, buf),
            Stream::Tls(stream) => stream,
            _ => return Poll::Ready(Err(unfit())),
        };
        if this.taken == this.plain.len() {
            if this.plain.capacity() == 0 {
                this.plain = this.blocks.take();
            }
            this.plain.clear();
            this.taken = 0;
            let read = stream.poll_read(cx, &mut this.plain);
            if !matches!(read, Poll::Ready(Ok(1..))) {
                this.blocks.give(std::mem::take(&mut this.plain));
                return read.map_ok(drop);
            }
        }
        let mut rest = this.plain.get(this.taken..).unwrap_or_default();
        let n = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..n).unwrap_or_default());
        rest.advance(n);
        this.taken += n;
        if rest.is_empty() {
            this.blocks.give(std::mem::take(&mut this.plain));
            this.taken = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for H2Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        piece: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(piece)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Stream::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, pieces),
            Stream::Tls(stream) => stream.poll_write(cx, pieces),
            _ => Poll::Ready(Err(unfit())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tls(stream) => stream.poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        match &mut self.stream {
            Stream::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(stream) => stream.poll_shutdown(cx),
            _ => Poll::Ready(Err(unfit())),
        }
    }
}
