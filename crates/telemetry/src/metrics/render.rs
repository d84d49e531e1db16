//! The page that Prometheus reads: OpenMetrics text, written by
//! `prometheus-client` from a merged snapshot.

mod clients;
mod family;
mod http;
mod limit;
mod program;
mod standing;
mod tls;
mod tunnels;
mod upstream;

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::Snapshot;
use family::Page;
pub use program::{ConfigurationFigures, Program, SourceFigures};
pub use tls::{CertificateExpiry, CertificateFigures, OrderFigures};

/// The media type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Renders the merged counters of all workers, and what is known about the
/// program itself.
///
/// # Errors
///
/// None that has a cause here: the encoder reports what its output reports,
/// and a string takes everything.
pub fn render(snapshot: Snapshot, program: Program) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposition { snapshot, program }));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

#[derive(Debug)]
struct Exposition {
    snapshot: Snapshot,
    program: Program,
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::new(encoder);
        http::write(&mut page, &self.snapshot)?;
        clients::write(&mut page, &self.snapshot)?;
        tunnels::write(&mut page, &self.snapshot)?;
        upstream::write(&mut page, &self.snapshot)?;
        standing::write(&mut page, &self.snapshot)?;
        limit::write(&mut page, &self.snapshot)?;
        tls::write(&mut page, &self.snapshot, &self.program.certificates)?;
        program::write(&mut page, &self.snapshot, &self.program)
    }
}

#[cfg(test)]
mod tests;
