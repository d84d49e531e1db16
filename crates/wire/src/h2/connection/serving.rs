//! The connection of a client: its heads are requests.

use message::{Failure, RequestHead};

use super::incoming::Whole;
use super::*;
use crate::h2::fields::length;
use crate::h2::request::RequestReader;

/// What a listener says of its connections.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub max_concurrent_streams: u32,
    /// Bytes that a client may send ahead, of one request and of all.
    pub stream_window: u32,
    pub connection_window: u32,
    /// How large a field section may be, as the client is told.
    pub max_header_list_size: u32,
    /// Clients may ask for other protocols (RFC 8441).
    pub takes_extended_connect: bool,
}

/// A request's head has come.
#[derive(Debug)]
pub struct Arrived {
    pub stream: StreamKey,
    /// What it wants to go on with (RFC 8441).
    pub protocol: Option<Box<[u8]>>,
    /// Whether the head is one.
    pub verdict: Result<(), Failure>,
}

impl Connection {
    /// Of a client.
    pub fn new(options: Options, watch: Watch, blocks: Blocks) -> Self {
        let most = options.max_concurrent_streams;
        let role = Role::Serving {
            max_concurrent_streams: most as usize,
        };
        let windows = (options.stream_window, options.connection_window);
        let mut connection = Self::unbegun(role, windows, watch, blocks);
        let settings = [
            (setting::MAX_CONCURRENT_STREAMS, most),
            (setting::INITIAL_WINDOW_SIZE, connection.first_window as u32),
            (setting::MAX_HEADER_LIST_SIZE, options.max_header_list_size),
            (setting::ENABLE_CONNECT_PROTOCOL, 1),
        ];
        let said = settings.len() - usize::from(!options.takes_extended_connect);
        connection.greet(settings.get(..said).unwrap_or_default());
        connection
    }

    /// Takes what has come, up to the end of a request's head at most; returns how
    /// many bytes that were. After an end nothing is taken.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        head: &mut RequestHead,
    ) -> (usize, Option<Arrived>) {
        let mut rest = bytes;
        let mut arrived = None;
        while arrived.is_none()
            && let Some(whole) = self.take(&mut rest, limits)
        {
            let handled = match self.is_idle_id(whole.stream) {
                true => self.request(&whole, limits, head),
                false => self.trailers(&whole, limits).map(|()| None),
            };
            arrived = handled.unwrap_or_else(|reason| {
                self.fail(reason);
                None
            });
        }
        (bytes.len() - rest.len(), arrived)
    }

    fn request(
        &mut self,
        whole: &Whole<'_>,
        limits: &Limits,
        to: &mut RequestHead,
    ) -> Result<Option<Arrived>, Reason> {
        self.latest = whole.stream;
        let broken = |_| Reason::COMPRESSION_ERROR;
        if whole.stream > self.last {
            let decoded = self.decoder.decode(&whole.block, |_, _| {});
            return decoded.map(|()| None).map_err(broken);
        }
        let mut reader = RequestReader::new(to, limits);
        let decoded = self
            .decoder
            .decode(&whole.block, |name, value| reader.field(name, value));
        decoded.map_err(broken)?;
        let read = reader.finish(whole.is_last);
        if read.size > most(limits) {
            self.calm(Flood::HeaderList);
            return Ok(None);
        }
        if let Role::Serving {
            max_concurrent_streams,
        } = self.role
            && self.streams.are_as_many(max_concurrent_streams)
        {
            self.write_reset(whole.stream, Reason::REFUSED_STREAM);
            if let Some(flood) = self.watch.refuse() {
                self.calm(flood);
            }
            return Ok(None);
        }
        self.watch.carried(1);
        let length = match read.verdict {
            Ok(()) => length(&to.fields),
            Err(_) => None,
        };
        let windows = (self.own_window, self.peer_window);
        let stream = Stream::new(whole.stream, whole.is_last, length, windows);
        Ok(Some(Arrived {
            stream: self.streams.add(stream),
            protocol: read.protocol,
            verdict: read.verdict,
        }))
    }

    /// Says that nothing new is taken. What is on its way here still is, until the
    /// client has answered.
    pub fn leave(&mut self) {
        if self.leaving == Leaving::No && self.end.is_none() {
            self.leaving = Leaving::Told;
            self.go_away(MAX_WINDOW as u32, Reason::NO_ERROR);
            self.write(kind::PING, 0, 0, &FAREWELL);
        }
    }
}
