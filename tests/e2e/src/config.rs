//! Configurations: one listener, one route and one group, unless told otherwise.

use crate::{Backend, Forebay, Tunnel};

/// What a test's configuration says. Pieces are entries of YAML flow mappings,
/// such as `header_timeout: 300ms`.
#[derive(Default)]
pub struct Config {
    is_tcp: bool,
    top: Vec<String>,
    server: Vec<String>,
    route: Vec<String>,
    routes: Vec<String>,
    group: Vec<String>,
    backends: Vec<String>,
    groups: Vec<String>,
    telemetry: Vec<String>,
}

impl Config {
    /// Everything goes to this backend.
    pub fn to(backend: &Backend) -> Self {
        Self::to_urls([backend.url()])
    }

    /// Everything goes to one group of these backends.
    pub fn to_all(backends: &[Backend]) -> Self {
        Self::to_urls(backends.iter().map(Backend::url))
    }

    pub fn to_urls(urls: impl IntoIterator<Item = String>) -> Self {
        Self {
            backends: urls
                .into_iter()
                .map(|url| format!("url: {url:?}"))
                .collect(),
            ..Self::default()
        }
    }

    /// Connections are passed on, and there are no routes.
    pub(crate) fn over_tcp(mut self) -> Self {
        self.is_tcp = true;
        self
    }

    /// A backend of the group, with more than its URL.
    #[must_use]
    pub fn backend(mut self, url: &str, more: &str) -> Self {
        self.backends.push(format!("url: {url:?}, {more}"));
        self
    }

    #[must_use]
    pub fn top(mut self, entry: &str) -> Self {
        self.top.push(entry.to_owned());
        self
    }

    #[must_use]
    pub fn server(mut self, entry: &str) -> Self {
        self.server.push(entry.to_owned());
        self
    }

    /// An entry of the only route.
    #[must_use]
    pub fn route(mut self, entry: &str) -> Self {
        self.route.push(entry.to_owned());
        self
    }

    /// A route of its own; the one that takes everything is left out then.
    #[must_use]
    pub fn add_route(mut self, entries: &str) -> Self {
        self.routes.push(entries.to_owned());
        self
    }

    /// An entry of the only group, which is called `app`.
    #[must_use]
    pub fn group(mut self, entry: &str) -> Self {
        self.group.push(entry.to_owned());
        self
    }

    /// A further group.
    #[must_use]
    pub fn add_group(mut self, id: &str, backend: &Backend) -> Self {
        let url = match self.is_tcp {
            true => Tunnel::url(backend),
            false => backend.url(),
        };
        self.groups
            .push(format!("id: {id}, backends: [ {{ url: {url:?} }} ]"));
        self
    }

    /// A further group, with everything that it has.
    #[must_use]
    pub fn add_group_of(mut self, entries: &str) -> Self {
        self.groups.push(entries.to_owned());
        self
    }

    #[must_use]
    pub fn telemetry(mut self, entry: &str) -> Self {
        self.telemetry.push(entry.to_owned());
        self
    }

    /// The listener's own entries.
    fn listener(&self) -> String {
        let mut first = r#"address: "127.0.0.1:0""#.to_owned();
        if self.is_tcp {
            first += ", id: front, protocol: tcp";
            if !self.server.iter().any(|entry| entry.contains("sni:")) {
                first += ", group: app";
            }
        }
        with(&first, &self.server)
    }

    pub fn yaml(&self) -> String {
        let route = with("id: all, backend_group: app", &self.route);
        let routes = match &*self.routes {
            [] => vec![route],
            routes => routes.to_vec(),
        };
        let backends = list(&self.backends);
        let group = with(&format!("id: app, backends: {backends}"), &self.group);
        let groups: Vec<_> = match &*self.backends {
            [] => self.groups.clone(),
            _ => [group].into_iter().chain(self.groups.clone()).collect(),
        };
        let metrics = "metrics: { enabled: true, port: 0 }";
        let telemetry = with(metrics, &self.telemetry);
        let mut lines = self.top.clone();
        lines.push(format!("server: {{ {} }}", self.listener()));
        if !self.is_tcp {
            lines.push(format!("routes: {}", list(&routes)));
        }
        lines.push(format!("backend_groups: {}", list(&groups)));
        lines.push(format!("telemetry: {{ {telemetry} }}\n"));
        lines.join("\n")
    }

    #[track_caller]
    pub fn start(&self) -> Forebay {
        Forebay::start(&self.yaml())
    }
}

fn with(first: &str, more: &[String]) -> String {
    let all: Vec<&str> = [first]
        .into_iter()
        .chain(more.iter().map(|m| &**m))
        .collect();
    all.join(", ")
}

fn list(entries: &[String]) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|entry| format!("{{ {entry} }}"))
        .collect();
    format!("[ {} ]", entries.join(", "))
}
