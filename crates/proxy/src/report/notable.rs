//! The slowest and the failed exchanges of the last minutes, as one worker saw
//! them: bounded, and next to nothing for an exchange that was fast and good.

use std::collections::VecDeque;
use std::time::Duration;

use telemetry::Record;

/// How many of the slowest are kept.
const SLOWEST: usize = 32;
/// How many of the failed are kept.
const FAILED: usize = 64;
/// For how long, in microseconds.
const KEPT: u64 = 300 * 1_000_000;
/// Bytes of a target that are kept.
const TARGET: usize = 256;

/// An exchange worth a look. It holds no header field.
#[derive(Debug, Clone)]
pub struct Notable {
    /// When it began, in microseconds since the Unix epoch.
    pub started_unix_micros: u64,
    pub request_id: String,
    pub method: String,
    pub host: String,
    /// The path without the query, which may hold secrets.
    pub path: String,
    pub listener: String,
    pub client: std::net::IpAddr,
    pub route: Option<String>,
    pub group: Option<String>,
    pub backend: Option<String>,
    pub status: u16,
    /// The reason code of its failure, and whose doing that was.
    pub failure: Option<(&'static str, &'static str)>,
    pub duration: Duration,
    pub connect_time: Option<Duration>,
    pub head_time: Option<Duration>,
    pub attempts: u16,
}

/// What one or all workers have kept.
#[derive(Debug, Clone, Default)]
pub struct Notables {
    /// The slowest first.
    pub slowest: Vec<Notable>,
    /// The latest first.
    pub failed: Vec<Notable>,
}

/// What one worker keeps.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    slowest: Vec<Notable>,
    failed: VecDeque<Notable>,
    /// An exchange that took no longer and did not fail is of no interest.
    threshold: Duration,
    /// When one of the slowest is so old that it goes; 0 while there is room.
    stale: u64,
}

impl Recent {
    /// Looks at an exchange that has settled.
    #[inline]
    pub(crate) fn see(&mut self, record: &Record<'_>) {
        let has_failed = has_failed(record);
        // A tunnel takes as long as somebody wants it to.
        let is_slow = record.tunnel.is_none()
            && (record.duration > self.threshold || record.started_unix_micros > self.stale);
        if has_failed || is_slow {
            self.keep(record, has_failed);
        }
    }

    #[cold]
    fn keep(&mut self, record: &Record<'_>, has_failed: bool) {
        let now = record.started_unix_micros;
        if has_failed {
            if self.failed.len() >= FAILED {
                self.failed.pop_front();
            }
            self.failed.push_back(Notable::of(record));
        }
        self.slowest
            .retain(|kept| kept.started_unix_micros.saturating_add(KEPT) > now);
        let place = self
            .slowest
            .partition_point(|kept| kept.duration >= record.duration);
        if place < SLOWEST {
            self.slowest.truncate(SLOWEST - 1);
            self.slowest.insert(place, Notable::of(record));
        }
        let is_full = self.slowest.len() >= SLOWEST;
        let last = self.slowest.last().filter(|_| is_full);
        self.threshold = last.map_or(Duration::ZERO, |last| last.duration);
        let oldest = self.slowest.iter().map(|kept| kept.started_unix_micros);
        let oldest = oldest.min().filter(|_| is_full);
        self.stale = oldest.map_or(0, |oldest| oldest.saturating_add(KEPT));
    }

    /// What is not too old by now.
    pub(crate) fn list(&self, now_unix_micros: u64) -> Notables {
        let is_fresh =
            |kept: &&Notable| kept.started_unix_micros.saturating_add(KEPT) > now_unix_micros;
        Notables {
            slowest: self.slowest.iter().filter(is_fresh).cloned().collect(),
            failed: self.failed.iter().rev().filter(is_fresh).cloned().collect(),
        }
    }
}

/// What clients did wrong, such as asking for what is not there, has failed by
/// itself; those who do so all the time must not push out what matters.
fn has_failed(record: &Record<'_>) -> bool {
    let failure = record.failure;
    record.status >= 500 || failure.is_some_and(|failure| failure.kind.status() >= 500)
}

impl Notables {
    pub(crate) fn merge(&mut self, other: Self) {
        self.slowest.extend(other.slowest);
        self.slowest
            .sort_by_key(|kept| std::cmp::Reverse(kept.duration));
        self.failed.extend(other.failed);
        self.failed
            .sort_by_key(|kept| std::cmp::Reverse(kept.started_unix_micros));
    }
}

impl Notable {
    fn of(record: &Record<'_>) -> Self {
        let target = record.target;
        let path = target
            .split(|&byte| byte == b'?')
            .next()
            .unwrap_or_default();
        let owned = |text: &str| text.to_owned();
        Self {
            started_unix_micros: record.started_unix_micros,
            request_id: text(record.request_id),
            method: text(record.method_text),
            host: text(record.host),
            path: text(path),
            listener: record.listener.to_owned(),
            client: record.client.ip(),
            route: record.route.map(|(_, id)| owned(id)),
            group: record.group.map(owned),
            backend: record.backend.map(|(_, url)| owned(url)),
            status: record.status,
            failure: record
                .failure
                .map(|failure| (failure.kind.reason(), failure.kind.side().label())),
            duration: record.duration,
            connect_time: record.connect_time,
            head_time: record.head_time,
            attempts: record.attempts,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    let cut = bytes.get(..TARGET).unwrap_or(bytes);
    String::from_utf8_lossy(cut).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use message::{Failure, Kind, Method, Version};

    use super::*;

    fn record(started: u64, millis: u64, failure: Option<&Failure>) -> Record<'_> {
        let client: SocketAddr = (Ipv4Addr::LOCALHOST, 1).into();
        Record {
            started_unix_micros: started,
            duration: Duration::from_millis(millis),
            client,
            peer: client,
            listener: "main",
            request_id: b"id",
            method: Method::Get,
            method_text: b"GET",
            scheme: "http",
            host: b"a",
            target: b"/x?token=secret",
            version: Some(Version::Http11),
            user_agent: b"",
            referer: b"",
            page: 0,
            route: None,
            group: None,
            backend: None,
            status: failure.map_or(200, Failure::status),
            grpc_status: None,
            failure,
            request_bytes: 0,
            response_bytes: 0,
            attempts: 1,
            reused: false,
            connect_time: None,
            head_time: None,
            tunnel: None,
        }
    }

    #[test]
    fn the_slowest_and_the_latest_failures_are_kept() {
        let mut recent = Recent::default();
        let failure = Failure::from(Kind::NoBackend);
        for n in 0..1000u64 {
            recent.see(&record(1000 + n, n % 500, None));
        }
        for n in 0..100 {
            recent.see(&record(5000 + n, 1, Some(&failure)));
        }
        let list = recent.list(6000);
        let millis: Vec<u128> = list
            .slowest
            .iter()
            .map(|n| n.duration.as_millis())
            .collect();
        let expected: Vec<u128> = (484..500).rev().flat_map(|n| [n, n]).collect();
        assert_eq!(millis, expected);
        assert_eq!(list.failed.len(), FAILED);
        let absent = Failure::from(Kind::NoRoute);
        recent.see(&record(5200, 1, Some(&absent)));
        assert_eq!(recent.list(6000).failed.len(), FAILED);
        assert_eq!(list.failed[0].started_unix_micros, 5099);
        assert_eq!(list.failed[0].path, "/x");
        assert_eq!(
            list.failed[0].failure,
            Some(("destination_unavailable", "proxy"))
        );
    }

    #[test]
    fn what_is_old_makes_room() {
        let mut recent = Recent::default();
        for n in 0..100 {
            recent.see(&record(n, 1000, None));
        }
        recent.see(&record(KEPT / 2, 5, None));
        assert_eq!(recent.list(KEPT / 2).slowest.len(), SLOWEST);
        recent.see(&record(KEPT * 2, 5, None));
        let list = recent.list(KEPT * 2);
        assert_eq!(list.slowest.len(), 1);
        assert_eq!(list.slowest[0].duration, Duration::from_millis(5));
        assert_eq!(recent.list(KEPT * 4).slowest.len(), 0);
    }
}
