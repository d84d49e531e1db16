//! What is known of one registered service, checked and never changed.

use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::fault::{Faults, Findings};
use crate::metadata::{Metadata, metadata, weight};
use crate::scheme::{self, scheme};
use crate::tags::{Tags, tags};
use crate::ttl;
use crate::wire::Registration;
use crate::word::word;

const LONGEST_NAME: usize = 128;

/// Room for a name, a dash and the 32 digits of an id that is made.
const LONGEST_ID: usize = 192;

/// A service as it described itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    id: Arc<str>,
    name: Arc<str>,
    scheme: Box<str>,
    address: Address,
    metadata: Metadata,
    tags: Tags,
    weight: u16,
    ttl: Duration,
}

/// What stands in its place under `/v1/services`.
const WATCH: &str = "`watch` is where changes are watched; take another";

impl Service {
    /// Checks what a service says about itself; all that is wrong is found in
    /// one go. A registration without an id gets one of its name and `random`,
    /// which must not be drawn twice.
    pub fn check(registration: Registration, random: u128) -> Result<Self, Faults> {
        let mut findings = Findings::default();
        let id = match &registration.id {
            Some(id) if id == "watch" => Err(WATCH.to_owned()),
            Some(id) => word(id, LONGEST_ID).map(Arc::from),
            None => Ok(Arc::from(format!("{}-{random:032x}", registration.name))),
        };
        let id = findings.take("id", id);
        let name = word(&registration.name, LONGEST_NAME).map(Arc::from);
        let name = findings.take("name", name);
        let address = findings.take("address", registration.address.check());
        let text = registration.scheme.as_deref();
        let scheme = findings.take("scheme", scheme(text.unwrap_or(scheme::DEFAULT)));
        let weight = findings.take("metadata", weight(&registration.metadata));
        let metadata = findings.take("metadata", metadata(registration.metadata));
        let tags = findings.take("tags", tags(registration.tags));
        let ttl = registration.ttl.map_or(Ok(ttl::DEFAULT), |ttl| ttl.check());
        let ttl = findings.take("ttl", ttl);
        let whole = || {
            Some(Self {
                id: id?,
                name: name?,
                scheme: scheme?,
                address: address?,
                metadata: metadata?,
                tags: tags?,
                weight: weight?,
                ttl: ttl?,
            })
        };
        whole().ok_or_else(|| findings.faults())
    }

    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// The share of requests it asks for, 0 to 1000, from its metadata.
    pub fn weight(&self) -> u16 {
        self.weight
    }

    /// How long it is believed without a heartbeat.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Such as `http://10.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) fn has_tags<T: AsRef<str>>(&self, wanted: &[T]) -> bool {
        wanted.iter().all(|tag| self.tags.contains(tag.as_ref()))
    }

    /// True if nothing but the terms of the lease differs.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.id == other.id
            && self.name == other.name
            && self.scheme == other.scheme
            && self.address == other.address
            && self.metadata == other.metadata
            && self.tags == other.tags
    }
}
