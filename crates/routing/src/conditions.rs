use crate::{Facts, HeaderCondition, HostPattern, Miss, PathPattern};

/// What a request must be for a route to take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    pub id: Box<str>,
    /// Any one of these; empty takes any host.
    pub hosts: Vec<HostPattern>,
    pub path: PathPattern,
    /// Exactly these, so `GET` alone does not take `HEAD`; empty takes any.
    pub methods: Vec<Box<str>>,
    /// All of these.
    pub headers: Vec<HeaderCondition>,
}

impl Conditions {
    /// Whether the route takes the request, or the first condition that fails,
    /// in the order host, path, method, headers.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        self.check_host(facts)?;
        self.check_path(facts)?;
        self.check_beyond_place(facts)
    }

    fn check_host(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        let taken = self.hosts.is_empty() || self.hosts.iter().any(|h| h.takes(facts.host));
        taken.then_some(()).ok_or(Miss::Host)
    }

    fn check_path(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        self.path.takes(facts.path).then_some(()).ok_or(Miss::Path)
    }

    /// The conditions that the index knows nothing of.
    pub(crate) fn check_beyond_place(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        let taken = |method: &str| method.as_bytes() == facts.method_text;
        if !self.methods.is_empty() && !self.methods.iter().any(|m| taken(m)) {
            return Err(Miss::Method);
        }
        self.check_headers(facts)
    }

    pub(crate) fn check_headers(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        match self.headers.iter().position(|h| !h.takes(facts.fields)) {
            Some(which) => Err(Miss::Header { which }),
            None => Ok(()),
        }
    }
}
