//! The page of metrics, as a scraper would read it.

pub struct Metrics(Vec<Sample>);

struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Metrics {
    pub fn of(page: &str) -> Self {
        let samples = page.lines().filter(|line| !line.starts_with('#'));
        Self(samples.map(sample).collect())
    }

    /// The sum of all samples of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &Sample, (name, value): &(&str, &str)| {
            sample.labels.iter().any(|(n, v)| n == name && v == value)
        };
        let named = self.0.iter().filter(|sample| sample.name == name);
        let chosen = named.filter(|sample| labels.iter().all(|label| has(sample, label)));
        chosen.fold(0.0, |sum, sample| sum + sample.value)
    }
}

/// `name{label="value",...} number`; no label of the tests holds a quote.
fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let pairs = labels.trim_end_matches('}').split("\",");
    let pairs = pairs.filter_map(|pair| pair.split_once("=\""));
    Sample {
        name: name.to_owned(),
        labels: pairs
            .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
            .collect(),
        value: value.parse().expect("a sample is a number"),
    }
}
