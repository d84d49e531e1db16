//! The counters as plain numbers with names, for whoever does not read the page
//! of Prometheus.

use std::collections::BTreeMap;

use message::Kind;

use super::cells::{Retried, RouteCells};
use super::histogram::Histogram;
use super::{Snapshot, UpstreamFigures};

/// What exchanges without a route are counted under.
const NONE: &str = "none";

#[derive(Debug, Default)]
pub struct Figures {
    /// By id; what had no route is under `none`.
    pub routes: BTreeMap<String, RouteFigures>,
    /// By reason, where there were any.
    pub failures: BTreeMap<&'static str, u64>,
    pub listeners: BTreeMap<String, ListenerFigures>,
    /// Further attempts by what they were made for.
    pub retries: BTreeMap<&'static str, u64>,
    /// Attempts that were not made because the budget was spent.
    pub retries_refused: u64,
    /// By group and URL.
    pub backends: BTreeMap<(String, String), UpstreamFigures>,
    pub panics: u64,
    /// By listener, group and URL, where connections are passed on as they are.
    pub tunnels: BTreeMap<[String; 3], TunnelFigures>,
}

/// Connections that took one way; all of them that reached no backend together.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct TunnelFigures {
    /// Those that have ended.
    pub ended: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    /// By reason, where there were any.
    pub failures: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct RouteFigures {
    pub requests: u64,
    /// By class, from 1xx to 5xx; the last is what had no status.
    pub classes: [u64; 6],
    pub request_bytes: u64,
    pub response_bytes: u64,
    /// In seconds.
    pub mean: Option<f64>,
    /// In seconds, estimated within the bounds of the histogram.
    pub quantiles: Option<[f64; 4]>,
}

/// The quantiles that are estimated.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ListenerFigures {
    pub open: u64,
    pub active: u64,
    pub accepted: u64,
    pub in_flight: u64,
}

impl Snapshot {
    /// The counters by name.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures {
            retries_refused: self.retries_refused,
            panics: self.panics,
            ..Figures::default()
        };
        self.add_routes(&mut figures);
        self.add_requests(&mut figures);
        let failures = Kind::ALL.iter().zip(self.failures);
        for (kind, count) in failures.filter(|&(_, count)| count > 0) {
            *figures.failures.entry(kind.reason()).or_default() += count;
        }
        for (number, cells) in (0..).zip(&self.listeners) {
            let name = self.names.listener_name(number).unwrap_or(NONE);
            let of = figures.listeners.entry(name.to_owned()).or_default();
            of.open += cells.open;
            of.active += cells.active;
            of.accepted += cells.accepted;
            of.in_flight += cells.in_flight;
        }
        let retries = Retried::ALL.iter().zip(self.retries);
        figures.retries = retries.map(|(why, count)| (why.label(), count)).collect();
        for (number, &of) in (0..).zip(&self.upstream) {
            if let Some((group, url)) = self.names.backend_name(number) {
                let key = (group.to_owned(), url.to_owned());
                figures.backends.entry(key).or_default().add(of);
            }
        }
        for (&(listener, backend), cells) in &self.tunnels.0 {
            let listener = self.names.listener_name(listener).unwrap_or(NONE);
            let backend = backend.and_then(|number| self.names.backend_name(number));
            let (group, url) = backend.unwrap_or((NONE, NONE));
            let of = figures
                .tunnels
                .entry([listener, group, url].map(str::to_owned));
            let of = of.or_default();
            of.ended += cells.duration.count();
            of.received_bytes += cells.received;
            of.sent_bytes += cells.sent;
            for &(kind, count) in &cells.failures {
                *of.failures.entry(kind.reason()).or_default() += count;
            }
        }
        figures
    }

    fn add_routes(&self, figures: &mut Figures) {
        let named = (0..).zip(&self.routes);
        let named = named.map(|(number, cells)| (self.names.route_name(number), cells));
        let mut by_name: BTreeMap<&str, RouteCells> = BTreeMap::new();
        for (name, cells) in named.chain([(None, &self.routeless)]) {
            by_name
                .entry(name.unwrap_or(NONE))
                .or_default()
                .merge(cells);
        }
        for (name, cells) in by_name {
            if name == NONE && cells.duration.count() == 0 {
                continue;
            }
            let count = cells.duration.count();
            let of = RouteFigures {
                request_bytes: cells.request_bytes,
                response_bytes: cells.response_bytes,
                mean: (count > 0).then(|| cells.duration.sum_seconds() / count as f64),
                quantiles: (count > 0).then(|| QUANTILES.map(|q| quantile(&cells.duration, q))),
                ..RouteFigures::default()
            };
            figures.routes.insert(name.to_owned(), of);
        }
    }

    fn add_requests(&self, figures: &mut Figures) {
        for &(key, count) in &self.requests {
            let name = key.route().and_then(|n| self.names.route_name(n));
            let of = figures.routes.entry(name.unwrap_or(NONE).to_owned());
            let of = of.or_default();
            of.requests += count;
            let class = key
                .status()
                .map_or(5, |status| usize::from(status / 100) - 1);
            if let Some(of_class) = of.classes.get_mut(class) {
                *of_class += count;
            }
        }
        if self.requests_beyond > 0 {
            let of = figures.routes.entry(NONE.to_owned()).or_default();
            of.requests += self.requests_beyond;
            of.classes[5] += self.requests_beyond;
        }
    }
}

/// Where the share `q` of all durations ends, as if those of one bucket were
/// spread evenly. Above the last bound it is that bound, and never more than the
/// longest was.
fn quantile(histogram: &Histogram, q: f64) -> f64 {
    spread(histogram, q).min(histogram.longest_seconds())
}

fn spread(histogram: &Histogram, q: f64) -> f64 {
    let wanted = q * histogram.count() as f64;
    let (mut seen, mut lower) = (0.0, 0.0);
    for (upper, count) in histogram.buckets() {
        let count = count as f64;
        if count > 0.0 && seen + count >= wanted {
            return match upper.is_finite() {
                true => lower + (upper - lower) * (wanted - seen) / count,
                false => lower,
            };
        }
        seen += count;
        if upper.is_finite() {
            lower = upper;
        }
    }
    lower
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::record::sample::record;
    use crate::{Metrics, Names};

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let mut histogram = Histogram::default();
        (0..90).for_each(|_| histogram.record(Duration::from_micros(700)));
        (0..10).for_each(|_| histogram.record(Duration::from_secs(90)));
        assert!((0.0005..=0.001).contains(&quantile(&histogram, 0.5)));
        assert!((0.0005..=0.001).contains(&quantile(&histogram, 0.9)));
        assert_eq!(quantile(&histogram, 0.99), 60.0);
    }

    #[test]
    fn no_quantile_is_longer_than_the_longest() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_millis(2976));
        histogram.record(Duration::from_millis(3003));
        for q in QUANTILES {
            let quantile = quantile(&histogram, q);
            assert!((2.5..=3.003).contains(&quantile), "{q}: {quantile}");
        }
    }

    #[test]
    fn counters_come_by_name() {
        let mut names = Names::default();
        assert_eq!(names.route("api"), 0);
        names.backend("web", "http://b");
        names.listener("main");
        let mut metrics = Metrics::new(Arc::new(names));
        for status in [200, 204, 503] {
            metrics.record(&crate::Record { status, ..record() });
        }
        metrics.record(&crate::Record {
            route: None,
            ..record()
        });
        metrics.client_opened(0);
        metrics.failed(Kind::NoRoute);
        let mut snapshot = metrics.snapshot();
        let created = UpstreamFigures {
            created: 2,
            ..UpstreamFigures::default()
        };
        snapshot.add_upstream(0, created);
        let figures = snapshot.figures();
        let api = &figures.routes["api"];
        assert_eq!((api.requests, api.classes), (3, [0, 2, 0, 0, 1, 0]));
        assert!(api.quantiles.is_some_and(|q| q[0] <= q[3]));
        assert_eq!(figures.routes["none"].requests, 1);
        assert_eq!(figures.failures, BTreeMap::from([("no_route", 1)]));
        assert_eq!(figures.listeners["main"].open, 1);
        let key = ("web".to_owned(), "http://b".to_owned());
        assert_eq!(figures.backends[&key].created, 2);
    }
}
