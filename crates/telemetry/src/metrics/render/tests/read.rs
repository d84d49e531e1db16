//! Reads a page back by the rules of OpenMetrics 1.0.

use std::collections::{BTreeMap, BTreeSet, HashMap};

type LabelMap = BTreeMap<String, String>;

/// A page read back by the rules of OpenMetrics 1.0, and checked against them
/// while reading.
#[derive(Default)]
pub(super) struct Read {
    pub(super) types: HashMap<String, String>,
    pub(super) samples: Vec<(String, LabelMap, f64)>,
}

impl Read {
    pub(super) fn page(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("a page ends in # EOF");
        let mut read = Self::default();
        let mut family = String::new();
        let mut helped = BTreeSet::new();
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(helped.insert(name.to_owned()), "{name} comes twice");
                assert!(help.ends_with('.') && !help.contains('\\'), "{line}");
                family = name.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, family);
                read.types.insert(name.to_owned(), kind.to_owned());
            } else if let Some(rest) = line.strip_prefix("# UNIT ") {
                let (name, unit) = rest.split_once(' ').unwrap();
                assert_eq!(name, family);
                assert!(name.ends_with(&format!("_{unit}")), "{line}");
            } else {
                read.sample(line, &family);
            }
        }
        read.check_series_are_distinct();
        read.check_family_names_do_not_clash();
        read.check_histograms();
        read
    }

    fn sample(&mut self, line: &str, family: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, read_labels(rest.strip_suffix('}').unwrap())),
            None => (series, LabelMap::new()),
        };
        let suffix = name
            .strip_prefix(family)
            .expect("samples follow their type");
        let allowed: &[&str] = match self.types[family].as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            "info" => &["_info"],
            other => panic!("type {other}"),
        };
        assert!(allowed.contains(&suffix), "{line}");
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        );
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0 && value.is_finite(), "{line}");
        self.samples.push((name.to_owned(), labels, value));
    }

    fn check_series_are_distinct(&self) {
        let mut seen = BTreeSet::new();
        for (name, labels, _) in &self.samples {
            assert!(seen.insert((name, labels)), "{name} {labels:?} comes twice");
        }
    }

    /// No family may be called what a sample of another is called.
    fn check_family_names_do_not_clash(&self) {
        let mut sample_names = BTreeSet::new();
        for (family, kind) in &self.types {
            let suffixes: &[&str] = match kind.as_str() {
                "counter" => &["", "_total", "_created"],
                "histogram" => &["", "_bucket", "_sum", "_count", "_created"],
                "info" => &["", "_info"],
                _ => &[""],
            };
            for suffix in suffixes {
                let name = format!("{family}{suffix}");
                assert!(sample_names.insert(name), "{family}{suffix} clashes");
            }
        }
    }

    fn check_histograms(&self) {
        let mut buckets: BTreeMap<(String, LabelMap), Vec<(f64, f64)>> = BTreeMap::new();
        for (name, labels, value) in &self.samples {
            if let Some(family) = name.strip_suffix("_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").unwrap().replace("+Inf", "inf");
                buckets
                    .entry((family.to_owned(), labels))
                    .or_default()
                    .push((bound.parse().unwrap(), *value));
            }
        }
        for ((family, labels), buckets) in buckets {
            assert!(
                buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
                "{family}"
            );
            let &(bound, all) = buckets.last().unwrap();
            assert_eq!(bound, f64::INFINITY);
            let labels: Vec<_> = labels
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            assert_eq!(self.value(&format!("{family}_count"), &labels), Some(all));
            assert!(self.value(&format!("{family}_sum"), &labels).is_some());
        }
    }

    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: LabelMap = labels
            .iter()
            .map(|&(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let found = self.samples.iter().find(|s| s.0 == name && s.1 == labels)?;
        Some(found.2)
    }

    pub(super) fn sum(&self, name: &str) -> f64 {
        self.samples
            .iter()
            .filter(|s| s.0 == name)
            .map(|s| s.2)
            .sum()
    }
}

fn read_labels(mut text: &str) -> LabelMap {
    let mut labels = LabelMap::new();
    while !text.is_empty() {
        let (key, rest) = text.split_once("=\"").unwrap();
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next().expect("an open quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('"' | '\\') => c,
                    c => panic!("\\{c}"),
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(
            labels.insert(key.to_owned(), value).is_none(),
            "{key} twice"
        );
        let rest = &rest[end + 1..];
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    labels
}
