//! The clients: as fast as answers come, one large stream, and a crowd at a
//! constant rate.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::{ECHO, MESSAGE, PIECE, STREAM};

struct Conn {
    socket: TcpStream,
    /// How much of the answer is still to come.
    due: usize,
    /// When the message was to be sent that is being answered.
    since: Instant,
}

/// Connections that have each had one answer.
fn connect(poll: &Poll, to: SocketAddr, count: usize) -> io::Result<Vec<Conn>> {
    let mut conns = Vec::new();
    for at in 0..count {
        let mut socket = std::net::TcpStream::connect(to)?;
        socket.set_nodelay(true)?;
        let mut first = [&[ECHO], &[0; 8][..], &[b'x'; MESSAGE]].concat();
        socket.write_all(&first)?;
        socket.read_exact(first.get_mut(..MESSAGE).unwrap_or_default())?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        poll.registry()
            .register(&mut socket, Token(at), Interest::READABLE)?;
        let since = now();
        conns.push(Conn {
            socket,
            due: 0,
            since,
        });
    }
    Ok(conns)
}

#[allow(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

impl Conn {
    fn send(&mut self, since: Instant) -> io::Result<()> {
        self.due = MESSAGE;
        self.since = since;
        // One message fits into any socket.
        self.socket.write_all(&[b'x'; MESSAGE])
    }

    /// True if the answer is there.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 2 * MESSAGE];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("a connection has ended")),
                Ok(count) if count >= self.due => {
                    self.due = 0;
                    return Ok(true);
                }
                Ok(count) => self.due -= count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
}

fn wait(poll: &mut Poll, events: &mut Events, time: Duration) -> io::Result<()> {
    match poll.poll(events, Some(time)) {
        Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn echo(to: SocketAddr, count: usize, seconds: u64) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut conns = connect(&poll, to, count)?;
    let (began, mut messages) = (now(), 0u64);
    for conn in &mut conns {
        conn.send(began)?;
    }
    let mut events = Events::with_capacity(64);
    while began.elapsed().as_secs() < seconds {
        wait(&mut poll, &mut events, Duration::from_millis(100))?;
        for event in &events {
            if let Some(conn) = conns.get_mut(event.token().0)
                && conn.receive()?
            {
                messages += 1;
                conn.send(began)?;
            }
        }
    }
    writeln!(io::stdout(), "{{\"messages\": {messages}}}")
}

pub(crate) fn stream(to: SocketAddr, bytes: u64) -> io::Result<()> {
    let mut socket = std::net::TcpStream::connect(to)?;
    socket.write_all(&[&[STREAM], &bytes.to_be_bytes()[..]].concat())?;
    let (mut buffer, mut left) = (vec![0; PIECE], bytes);
    let began = now();
    while left > 0 {
        match socket.read(&mut buffer)? {
            0 => return Err(io::Error::other("the stream has ended early")),
            count => left = left.saturating_sub(count as u64),
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    writeln!(io::stdout(), "{{\"seconds\": {seconds}}}")
}

pub(crate) fn crowd(to: SocketAddr, count: usize, rate: u64, seconds: u64) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut conns = connect(&poll, to, count)?;
    writeln!(io::stdout(), "{{\"live\": {}}}", conns.len())?;
    let mut latencies = Vec::new();
    let (began, mut sent, mut late) = (now(), 0u64, 0u64);
    let mut events = Events::with_capacity(256);
    let all = rate * seconds;
    while (latencies.len() as u64) + late < all && began.elapsed().as_secs() < seconds + 10 {
        // Each message has its time, whatever the answers do.
        while sent < all {
            let at = began + Duration::from_nanos(sent * 1_000_000_000 / rate);
            if at > now() {
                break;
            }
            if let Some(conn) = conns.get_mut(sent as usize % count) {
                match conn.due {
                    0 => conn.send(at)?,
                    _ => late += 1,
                }
            }
            sent += 1;
        }
        wait(&mut poll, &mut events, Duration::from_micros(200))?;
        for event in &events {
            if let Some(conn) = conns.get_mut(event.token().0)
                && conn.due > 0
                && conn.receive()?
            {
                latencies.push(conn.since.elapsed().as_micros() as u64);
            }
        }
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies.get(index).or(latencies.last()).copied()
    };
    let answered = latencies.len();
    let [p50, p99] = [0.5, 0.99].map(|share| at(share).unwrap_or_default());
    writeln!(
        io::stdout(),
        "{{\"answered\": {answered}, \"late\": {late}, \"p50_us\": {p50}, \"p99_us\": {p99}}}"
    )
}
