//! TLS of listeners: handshakes and certificates.

use std::fmt;

use prometheus_client::registry::Unit;

use super::family::{Family, Page};
use crate::metrics::Snapshot;
use crate::metrics::cells::Handshakes;

/// What is known of certificates.
#[derive(Debug, Clone, Default)]
pub struct CertificateFigures {
    pub certificates: Vec<CertificateExpiry>,
    /// How often renewed files were taken up, and refused.
    pub taken: u64,
    pub refused: u64,
}

/// Until when a certificate is valid.
#[derive(Debug, Clone)]
pub struct CertificateExpiry {
    pub listener: String,
    pub file: String,
    /// In seconds since the Unix epoch.
    pub unix_seconds: i64,
}

const HANDSHAKES: Family = Family::new(
    "forebay_tls_handshakes",
    "TLS handshakes done, with an earlier session taken up (resumed) or without.",
);
const FAILURES: Family = Family::new(
    "forebay_tls_handshake_failures",
    "TLS handshakes that have come to nothing.",
);
const DURATION: Family = Family::in_unit(
    "forebay_tls_handshake_duration",
    Unit::Seconds,
    "How long handshakes took that were done.",
);
const EXPIRY: Family = Family::in_unit(
    "forebay_certificate_expiry_timestamp",
    Unit::Seconds,
    "Until when a certificate is valid, since the Unix epoch.",
);
const RENEWALS: Family = Family::new(
    "forebay_certificate_renewals",
    "Times that certificate files had changed while Forebay ran.",
);

pub(super) fn write(
    page: &mut Page<'_>,
    snapshot: &Snapshot,
    figures: &CertificateFigures,
) -> fmt::Result {
    let all = || listeners(snapshot);
    if all().next().is_none() && figures.certificates.is_empty() {
        return Ok(());
    }
    page.counters(
        &HANDSHAKES,
        all().flat_map(|(name, handshakes)| {
            handshakes
                .done
                .iter()
                .map(move |&((version, is_resumed), count)| {
                    let resumed = if is_resumed { "true" } else { "false" };
                    let labels = [
                        ("listener", name),
                        ("version", version),
                        ("resumed", resumed),
                    ];
                    (labels, count)
                })
        }),
    )?;
    page.counters(
        &FAILURES,
        all().flat_map(|(name, handshakes)| {
            let failed = handshakes.failed.iter();
            failed.map(move |&(reason, count)| ([("listener", name), ("reason", reason)], count))
        }),
    )?;
    page.histograms(
        &DURATION,
        all().map(|(name, handshakes)| ([("listener", name)], &handshakes.duration)),
    )?;
    if figures.certificates.is_empty() {
        return Ok(());
    }
    page.gauges(
        &EXPIRY,
        figures.certificates.iter().map(|certificate| {
            let (listener, file) = (&*certificate.listener, &*certificate.file);
            (
                [("listener", listener), ("file", file)],
                certificate.unix_seconds,
            )
        }),
    )?;
    let results = [("taken", figures.taken), ("refused", figures.refused)];
    page.counters(
        &RENEWALS,
        results.map(|(result, count)| ([("result", result)], count)),
    )
}

/// Those at which there were any.
fn listeners(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &Handshakes)> {
    let named = (0..).map_while(|n| snapshot.names.listener_name(n));
    let cells = snapshot.listeners.iter().map(|cells| &cells.handshakes);
    named
        .zip(cells)
        .filter(|(_, handshakes)| !handshakes.done.is_empty() || !handshakes.failed.is_empty())
}
