use crate::condition::takes_method;
use crate::{Condition, Facts, HostPattern, Miss, PathPattern};

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
    pub further: Vec<Condition>,
}

impl Conditions {
    /// Whether the route takes the request, or the first condition that fails,
    /// in the order host, path, method, further ones.
    pub fn check(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        if !self.hosts.is_empty() && !self.hosts.iter().any(|host| host.takes(facts.host)) {
            return Err(Miss::Host);
        }
        if !self.path.takes(facts.path) {
            return Err(Miss::Path);
        }
        self.check_beyond_place(facts)
    }

    /// The conditions that the index knows nothing of.
    pub(crate) fn check_beyond_place(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        if !self.methods.is_empty() && !takes_method(&self.methods, facts) {
            return Err(Miss::Method);
        }
        self.check_further(facts)
    }

    pub(crate) fn check_further(&self, facts: &Facts<'_>) -> Result<(), Miss> {
        match self.further.iter().position(|c| !c.holds(facts)) {
            Some(which) => Err(Miss::Further { which }),
            None => Ok(()),
        }
    }

    /// Whether the route may take the request, where nothing is known of some of
    /// its further conditions.
    pub(crate) fn check_known(
        &self,
        facts: &Facts<'_>,
        unknown: &dyn Fn(&Condition) -> bool,
    ) -> Result<(), Miss> {
        if !self.methods.is_empty() && !takes_method(&self.methods, facts) {
            return Err(Miss::Method);
        }
        let mut further = self.further.iter();
        match further.position(|c| !unknown(c) && !c.holds(facts)) {
            Some(which) => Err(Miss::Further { which }),
            None => Ok(()),
        }
    }

    /// The condition that was missed, in the words of [`Condition`].
    pub(crate) fn missed(&self, miss: Miss) -> Option<Condition> {
        match miss {
            Miss::Host => Some(Condition::Host(self.hosts.clone())),
            Miss::Path => Some(Condition::Path(self.path.clone())),
            Miss::Method => Some(Condition::Method(self.methods.clone())),
            Miss::Further { which } => self.further.get(which).cloned(),
            Miss::Outranked => None,
        }
    }

    /// Every condition, in the order in which they are looked at.
    pub fn all(&self) -> impl Iterator<Item = Condition> {
        let host = (!self.hosts.is_empty()).then(|| Condition::Host(self.hosts.clone()));
        let path = (self.path != PathPattern::Any).then(|| Condition::Path(self.path.clone()));
        let methods = (!self.methods.is_empty()).then(|| Condition::Method(self.methods.clone()));
        [host, path, methods]
            .into_iter()
            .flatten()
            .chain(self.further.iter().cloned())
    }
}
