//! What goes by certificates of clients, where none is asked for.

use config::{ClientCertificates, Problems, Protocol, Settings, Span};

/// Whether requests can come with a certificate.
fn are_asked_for(settings: &Settings) -> bool {
    let mut listeners = settings.server.iter().chain(&settings.listeners);
    listeners.any(|listener| {
        let tls = listener.tls.as_ref();
        *listener.protocol == Protocol::Http
            && tls.is_some_and(|tls| *tls.client_certificates != ClientCertificates::Off)
    })
}

/// Says so of these places, where none can.
pub(super) fn warn_of_none(
    settings: &Settings,
    places: impl IntoIterator<Item = Span>,
    problems: &mut Problems,
) {
    let mut places = places.into_iter().peekable();
    if places.peek().is_none() || are_asked_for(settings) {
        return;
    }
    for place in places {
        problems
            .warning(place, "no client ever shows a certificate, for no listener asks for one")
            .help("add `client_certificates: request` and `client_ca_file: ...` to the `tls` of a listener");
    }
}

/// Where conditions look at one.
pub(super) fn looked_at(route: &config::Route) -> impl Iterator<Item = Span> {
    let refused = route.not.iter().map(|not| &not.value);
    let all = std::iter::once(&route.conditions).chain(refused);
    all.flat_map(|conditions| {
        conditions
            .client_certificate
            .iter()
            .map(|pair| pair.name.span)
    })
}
