//! What a proxy needs to know of a service to send requests to it.

use std::sync::Arc;

use crate::service::Service;

/// One place to send requests to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    pub id: Arc<str>,
    /// Such as `http://10.0.0.1:8080`.
    pub url: String,
    /// 0 to 1000; of 0 it asks for no requests.
    pub weight: u16,
}

impl From<&Service> for Serving {
    fn from(service: &Service) -> Self {
        Self {
            id: Arc::clone(service.id()),
            url: service.url(),
            weight: service.weight(),
        }
    }
}
