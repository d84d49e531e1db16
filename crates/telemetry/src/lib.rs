//! The record of an exchange: access log and metrics.
//!
//! An exchange that settles leaves one [`Record`]. It becomes one line of the
//! access log ([`Format`]), carried off the worker by a [`LogSink`] to the one
//! thread that writes ([`LogWriter`]); and it is counted in the worker's own
//! [`Metrics`], plain integers that only that worker touches. When somebody
//! asks, each worker gives a [`Snapshot`], the snapshots are merged, and
//! [`render`] makes the page that Prometheus reads.
//!
//! Nothing here waits, and nothing here looks at a clock.

mod access;
mod log;
mod metrics;
mod record;

pub use access::{FORMAT_VARIABLES, Format, FormatFault, push_json};
pub use log::{Drops, LogHandle, LogSink, LogWriter, OpenFault, Output, Trouble};
pub use metrics::{
    Breaker, CONTENT_TYPE, CertificateExpiry, CertificateFigures, ConfigurationFigures, Figures,
    LimitFigures, ListenerFigures, Metrics, Names, OrderFigures, ProcessFigures, Program,
    QUANTILES, Retried, RouteFigures, Snapshot, SourceFigures, StandingFigures, TunnelFigures,
    UpstreamFigures, render,
};
pub use record::{Record, Tunnel};

#[cfg(test)]
mod tests {
    use super::*;

    /// What crosses threads: checked while compiling.
    const fn crosses_threads<T: Send + 'static>() {}
    const _: () = {
        crosses_threads::<Metrics>();
        crosses_threads::<Snapshot>();
        crosses_threads::<LogSink>();
        crosses_threads::<LogHandle>();
        crosses_threads::<LogWriter>();
        crosses_threads::<Drops>();
    };
}
