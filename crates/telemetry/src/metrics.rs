//! Counting: plain integers in each worker, merged and rendered on request.

mod cells;
mod figures;
mod histogram;
mod limit;
mod names;
mod process;
mod render;
mod series;
mod snapshot;
mod standing;
mod tunnels;
mod upstream;

pub use cells::{Metrics, Retried};
pub use figures::{Figures, ListenerFigures, QUANTILES, RouteFigures, TunnelFigures};
pub use limit::LimitFigures;
pub use names::Names;
pub use process::ProcessFigures;
pub use render::{
    CONTENT_TYPE, CertificateExpiry, CertificateFigures, ConfigurationFigures, OrderFigures,
    Program, SourceFigures, render,
};
pub use snapshot::Snapshot;
pub use standing::{Breaker, StandingFigures};
pub use upstream::UpstreamFigures;
