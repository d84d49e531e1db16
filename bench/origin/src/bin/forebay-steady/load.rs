//! Sockets, the clock, and every connection's turn.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::Plan;
use crate::answer::{Answer, Malformed};
use crate::schedule::Schedule;
use crate::seen::Seen;

const TIMER: Token = Token(usize::MAX);

/// What is answered before this does not count: connections are new, memory is cold.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long after the last request answers are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

struct Connection {
    stream: TcpStream,
    answer: Answer,
    /// The time at which the request under way was due.
    due: Option<Duration>,
}

struct Load {
    poll: Poll,
    to: SocketAddr,
    request: Vec<u8>,
    start: Instant,
    schedule: Schedule,
    /// By token; `None` where no connection could be had.
    connections: Vec<Option<Connection>>,
    /// The longest idle first.
    idle: VecDeque<usize>,
    /// Requests that are due while no connection is idle.
    waiting: VecDeque<Duration>,
    under_way: usize,
    scratch: Box<[u8]>,
    seen: Seen,
}

/// Sends what the plan says; ends when all of it is answered, or long enough after.
pub(crate) fn run(plan: &Plan) -> io::Result<Seen> {
    let seconds = plan.seconds + WARM_UP.as_secs();
    let mut load = Load {
        poll: Poll::new()?,
        to: plan.to,
        request: request(plan),
        start: now(),
        schedule: Schedule::new(plan.rate, seconds),
        connections: Vec::new(),
        idle: VecDeque::new(),
        waiting: VecDeque::new(),
        under_way: 0,
        scratch: vec![0; 256 * 1024].into(),
        seen: Seen::default(),
    };
    for place in 0..plan.connections {
        let connection = connect(load.poll.registry(), load.to, place)?;
        load.connections.push(Some(connection));
        load.idle.push_back(place);
    }
    let mut timer = ticking(load.schedule.step())?;
    load.poll
        .registry()
        .register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
    load.start = now();
    let end = Duration::from_secs(seconds) + PATIENCE;
    // Few events at a time, so that none waits long while others are looked at.
    let mut events = Events::with_capacity(64);
    while !load.is_done() && load.elapsed() < end {
        match load.poll.poll(&mut events, Some(Duration::from_secs(1))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            load.send_due();
            match event.token() {
                // How often it went off does not matter, but only a read makes it go on.
                TIMER => drop(timer.read(&mut [0; 8])?),
                Token(place) => load.receive(place, event.is_read_closed()),
            }
        }
        load.send_due();
    }
    load.seen.errors.hung = (load.under_way + load.waiting.len()) as u64;
    Ok(load.seen)
}

impl Load {
    fn elapsed(&self) -> Duration {
        now().saturating_duration_since(self.start)
    }

    fn is_done(&self) -> bool {
        self.schedule.is_over() && self.under_way == 0 && self.waiting.is_empty()
    }

    /// Sends what is due, as far as there are idle connections.
    fn send_due(&mut self) {
        let now = self.elapsed();
        while let Some(due) = self.schedule.take_due(now) {
            self.waiting.push_back(due);
        }
        while !self.waiting.is_empty() {
            let Some(place) = self.idle.pop_front() else {
                return;
            };
            if let Some(due) = self.waiting.pop_front() {
                self.send(place, due);
            }
        }
    }

    fn send(&mut self, place: usize, due: Duration) {
        let Some(Some(connection)) = self.connections.get_mut(place) else {
            return;
        };
        match connection.stream.write(&self.request) {
            Ok(sent) if sent == self.request.len() => {
                connection.due = Some(due);
                self.under_way += 1;
                if due >= WARM_UP {
                    let late = self.elapsed().saturating_sub(due);
                    self.seen.late.push(late);
                }
            }
            _ => {
                self.seen.errors.unsent += 1;
                self.renew(place);
            }
        }
    }

    /// Takes what has come on a connection, to its end if that has come.
    fn receive(&mut self, place: usize, has_ended: bool) {
        // An event may be older than the connection that is now in its place.
        while let Some(Some(connection)) = self.connections.get_mut(place) {
            match connection.stream.read(&mut self.scratch) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return self.ended(place),
                Ok(count) => {
                    let bytes = self.scratch.get(..count).unwrap_or_default();
                    match (connection.answer.receive(bytes), connection.due) {
                        (Ok(None), Some(_)) => {}
                        (Ok(Some(status)), Some(due)) => self.answered(place, status, due),
                        (Err(Malformed), _) | (_, None) => return self.broken(place),
                    }
                    // Less than asked for means the socket is empty, but for its end.
                    if count < self.scratch.len() && !has_ended {
                        return;
                    }
                }
            }
        }
    }

    fn answered(&mut self, place: usize, status: u16, due: Duration) {
        if status != 200 {
            self.seen.errors.status += 1;
        } else if due >= WARM_UP {
            let latency = self.elapsed().saturating_sub(due);
            self.seen.latencies.push(latency);
        }
        if let Some(Some(connection)) = self.connections.get_mut(place) {
            connection.due = None;
        }
        self.under_way -= 1;
        self.idle.push_back(place);
    }

    /// The other side has closed: fine between two requests.
    fn ended(&mut self, place: usize) {
        let Some(Some(connection)) = self.connections.get(place) else {
            return;
        };
        if connection.due.is_some() {
            match connection.answer.is_unbegun() {
                true => self.seen.errors.unanswered += 1,
                false => self.seen.errors.cut += 1,
            }
        }
        self.renew(place);
    }

    fn broken(&mut self, place: usize) {
        self.seen.errors.cut += 1;
        self.renew(place);
    }

    /// Puts a new connection in the place of one that is of no use any more.
    fn renew(&mut self, place: usize) {
        let Some(seat) = self.connections.get_mut(place) else {
            return;
        };
        match seat.take() {
            Some(old) if old.due.is_some() => self.under_way -= 1,
            _ => self.idle.retain(|&idle| idle != place),
        }
        match connect(self.poll.registry(), self.to, place) {
            Ok(connection) => {
                *seat = Some(connection);
                self.idle.push_back(place);
            }
            Err(_) => self.seen.errors.refused += 1,
        }
    }
}

fn connect(registry: &Registry, to: SocketAddr, place: usize) -> io::Result<Connection> {
    let stream = std::net::TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    registry.register(&mut stream, Token(place), Interest::READABLE)?;
    Ok(Connection {
        stream,
        answer: Answer::default(),
        due: None,
    })
}

/// A timer that becomes readable again and again: `epoll_wait` alone knows only milliseconds.
fn ticking(step: Duration) -> io::Result<File> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
    let step = Timespec {
        tv_sec: i64::try_from(step.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: step.subsec_nanos().into(),
    };
    let times = Itimerspec {
        it_interval: step,
        it_value: step,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
    Ok(timer.into())
}

#[allow(
    clippy::disallowed_methods,
    reason = "this program measures time: it owns the clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// A browser's, as in `load.lua`.
fn request(plan: &Plan) -> Vec<u8> {
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
         Accept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
         Cookie: session=1f0c7a5e9b2d4c68a3e5f7091b2c3d4e; theme=dark; consent=yes\r\n\r\n",
        plan.path, plan.to
    )
    .into_bytes()
}
