//! Configurations of one listener for TCP and one group.

use crate::{Backend, Forebay};

/// Pieces are entries of YAML flow mappings, as for `Config`.
#[derive(Default)]
pub struct Tunnel {
    top: Vec<String>,
    listener: Vec<String>,
    group: Vec<String>,
    urls: Vec<String>,
    groups: Vec<String>,
}

impl Tunnel {
    /// Every connection goes to this backend.
    pub fn to(backend: &Backend) -> Self {
        Self::to_urls([Self::url(backend)])
    }

    /// They go to one group of these backends.
    pub fn to_all(backends: &[Backend]) -> Self {
        Self::to_urls(backends.iter().map(Self::url))
    }

    pub fn to_urls(urls: impl IntoIterator<Item = String>) -> Self {
        Self {
            urls: urls.into_iter().collect(),
            ..Self::default()
        }
    }

    pub fn url(backend: &Backend) -> String {
        format!("tcp://{}", backend.address())
    }

    #[must_use]
    pub fn top(mut self, entry: &str) -> Self {
        self.top.push(entry.to_owned());
        self
    }

    #[must_use]
    pub fn listener(mut self, entry: &str) -> Self {
        self.listener.push(entry.to_owned());
        self
    }

    /// An entry of the group, which is called `app`.
    #[must_use]
    pub fn group(mut self, entry: &str) -> Self {
        self.group.push(entry.to_owned());
        self
    }

    /// A further group.
    #[must_use]
    pub fn add_group(mut self, id: &str, backend: &Backend) -> Self {
        let url = Self::url(backend);
        self.groups
            .push(format!("{{ id: {id}, backends: [ {url:?} ] }}"));
        self
    }

    pub fn yaml(&self) -> String {
        let entries =
            |more: &[String]| -> String { more.iter().map(|entry| format!(", {entry}")).collect() };
        let listener = entries(&self.listener);
        let group = match self.listener.iter().any(|entry| entry.contains("sni:")) {
            true => "",
            false => ", group: app",
        };
        let mut groups = vec![format!(
            "{{ id: app, backends: {:?}{} }}",
            self.urls,
            entries(&self.group)
        )];
        groups.extend(self.groups.iter().cloned());
        format!(
            "{}\nlisteners: [ {{ id: front, address: \"127.0.0.1:0\", protocol: tcp{group}{listener} }} ]\n\
             backend_groups: [ {} ]\n\
             telemetry: {{ metrics: {{ enabled: true, port: 0 }} }}\n",
            self.top.join("\n"),
            groups.join(", ")
        )
    }

    #[track_caller]
    pub fn start(&self) -> Forebay {
        Forebay::start(&self.yaml())
    }
}
