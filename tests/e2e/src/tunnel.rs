//! Configurations of one listener for TCP, which is called `front`, and one group.

use crate::{Backend, Config};

pub struct Tunnel;

impl Tunnel {
    /// Every connection goes to this backend.
    pub fn to(backend: &Backend) -> Config {
        Self::to_urls([Self::url(backend)])
    }

    /// They go to one group of these backends.
    pub fn to_all(backends: &[Backend]) -> Config {
        Self::to_urls(backends.iter().map(Self::url))
    }

    pub fn to_urls(urls: impl IntoIterator<Item = String>) -> Config {
        Config::to_urls(urls).over_tcp()
    }

    pub fn url(backend: &Backend) -> String {
        format!("tcp://{}", backend.address())
    }
}
