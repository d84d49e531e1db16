//! Which services or events someone wants to see.

use crate::event::Event;
use crate::service::Service;

/// Services of a name, if there is one, that have every one of these tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub name: Option<String>,
    pub tags: Vec<String>,
}

impl Filter {
    pub fn takes(&self, service: &Service) -> bool {
        let named = self
            .name
            .as_deref()
            .is_none_or(|name| name == &**service.name());
        named && service.has_tags(&self.tags)
    }

    /// True also of a change by which a service came to be not wanted: who
    /// watches a tag learns that a service has lost it.
    pub fn takes_event(&self, event: &Event) -> bool {
        self.takes(&event.service) || event.was.as_deref().is_some_and(|was| self.takes(was))
    }
}
