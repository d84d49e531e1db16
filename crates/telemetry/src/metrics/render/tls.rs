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
    /// Until when what authorities say of revocation is current.
    pub revocations: Vec<CertificateExpiry>,
    /// How often renewed files were taken up, and refused.
    pub taken: u64,
    pub refused: u64,
    /// In how many places files as they are now cannot be used. Absent: there are none.
    pub refused_files: Option<usize>,
    /// Absent: no authority is asked for any.
    pub orders: Option<OrderFigures>,
}

/// Certificates that are ordered from an authority (ACME).
#[derive(Debug, Clone, Default)]
pub struct OrderFigures {
    pub issued: u64,
    pub failed: u64,
    /// When each is ordered next, by its names, in seconds since the Unix epoch.
    pub next: Vec<(String, i64)>,
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
const REVOCATION: Family = Family::in_unit(
    "forebay_revocation_expiry_timestamp",
    Unit::Seconds,
    "Until when an OCSP response or a revocation list is current, since the Unix epoch.",
);
const RENEWALS: Family = Family::new(
    "forebay_certificate_renewals",
    "Times that certificate files had changed while Forebay ran.",
);
const REFUSED_FILES: Family = Family::new(
    "forebay_certificate_files_refused",
    "Certificates, authorities and revocation lists that are not what is in their files, which cannot be used.",
);

const ORDERS: Family = Family::new(
    "forebay_acme_orders",
    "Orders of certificates that an authority has followed (issued), and that have failed.",
);
const NEXT_ORDER: Family = Family::in_unit(
    "forebay_acme_next_order_timestamp",
    Unit::Seconds,
    "When a certificate is ordered from the authority next, since the Unix epoch.",
);

pub(super) fn write(
    page: &mut Page<'_>,
    snapshot: &Snapshot,
    figures: &CertificateFigures,
) -> fmt::Result {
    if let Some(orders) = &figures.orders {
        write_orders(page, orders)?;
    }
    if let Some(refused) = figures.refused_files {
        page.gauge(&REFUSED_FILES, refused as u64)?;
    }
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
    for (family, ends) in [
        (&EXPIRY, &figures.certificates),
        (&REVOCATION, &figures.revocations),
    ] {
        if ends.is_empty() {
            continue;
        }
        page.gauges(
            family,
            ends.iter().map(|end| {
                let (listener, file) = (&*end.listener, &*end.file);
                ([("listener", listener), ("file", file)], end.unix_seconds)
            }),
        )?;
    }
    let results = [("taken", figures.taken), ("refused", figures.refused)];
    page.counters(
        &RENEWALS,
        results.map(|(result, count)| ([("result", result)], count)),
    )
}

fn write_orders(page: &mut Page<'_>, orders: &OrderFigures) -> fmt::Result {
    let results = [("issued", orders.issued), ("failed", orders.failed)];
    page.counters(
        &ORDERS,
        results.map(|(result, count)| ([("result", result)], count)),
    )?;
    let next = orders.next.iter();
    page.gauges(
        &NEXT_ORDER,
        next.map(|(names, time)| ([("names", &**names)], *time)),
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
