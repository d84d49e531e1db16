use std::time::Duration;

/// Limits and times of the connections to one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Idle connections kept, over all workers.
    pub max_idle: usize,
    /// An idle connection is closed after this time.
    pub idle_timeout: Duration,
    /// A connection is not used again once it is this old.
    pub max_age: Duration,
    /// Connections open or being opened, over all workers. At least 1;
    /// `usize::MAX` for no limit.
    pub max_connections: usize,
    /// Requests that may wait for a connection, over all workers.
    pub max_waiting: usize,
    pub protocol: Protocol,
    /// Requests at a time on one connection that carries several.
    pub max_streams: usize,
    /// When it is asked whether such a connection still has another end.
    pub keepalive: Option<Keepalive>,
}

/// A connection that carries several requests, and on which nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence after which the backend is asked.
    pub interval: Duration,
    /// How long it may take to say something then.
    pub timeout: Duration,
    /// Also while no request is under way.
    pub when_idle: bool,
}

/// What is spoken on connections to a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    #[default]
    Http1,
    /// HTTP/2, known beforehand.
    Http2,
    /// What TLS agrees on.
    Agreed,
}

impl Protocol {
    /// A connection may carry several requests at a time.
    pub fn may_share(self) -> bool {
        self != Protocol::Http1
    }
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_idle: 100,
            idle_timeout: Duration::from_secs(90),
            max_age: Duration::from_secs(3600),
            max_connections: 10,
            max_waiting: 1000,
            protocol: Protocol::Http1,
            max_streams: 128,
            keepalive: None,
        }
    }
}
