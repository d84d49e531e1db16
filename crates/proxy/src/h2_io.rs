//! A client's connection as the HTTP/2 library reads and writes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wire::io::Output;

use crate::client::Client;
use crate::h2_stream::Carrier;

/// How long what a client still sends is thrown away at the end: closing with
/// unread bytes would take back what it was told last.
const LINGER: Duration = Duration::from_secs(2);

pub(crate) struct H2Io {
    client: Box<Client>,
    carrier: Rc<Carrier>,
    is_closing: bool,
}

impl H2Io {
    pub(crate) fn new(client: Box<Client>, carrier: Rc<Carrier>) -> Self {
        Self {
            client,
            carrier,
            is_closing: false,
        }
    }
}

impl AsyncRead for H2Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            client, carrier, ..
        } = &mut *self;
        let inbound = &mut client.inbound;
        let mut watch = carrier.watch.borrow_mut();
        // Whoever drives the connection ends it.
        if watch.flood().is_some() {
            return Poll::Pending;
        }
        if inbound.buffered().is_empty() && ready!(inbound.poll_more(cx))? == 0 {
            return Poll::Ready(Ok(()));
        }
        let arrived = inbound.buffered();
        let n = arrived.len().min(into.remaining());
        let piece = arrived.get(..n).unwrap_or_default();
        watch.receive(piece);
        if watch.flood().is_some() {
            return Poll::Pending;
        }
        into.put_slice(piece);
        inbound.consume(n);
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
        self.client.outbound.io_mut().poll_write(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.client.outbound.io_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.client.inbound.io().deadline.within(LINGER);
        }
        self.client.poll_close(cx)
    }
}
