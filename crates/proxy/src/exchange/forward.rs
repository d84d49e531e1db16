//! The request as the backend will see it: what Forebay adds to the fields,
//! and whose word is kept in them.

use std::rc::Rc;

use message::{ClientCertificate, Fields, Known, KnownSet, RequestHead, Version};
use plan::Listener;

use crate::client::ip_text::IpText;
use crate::exchange::heads::Heads;

/// What the added fields are made of.
pub(crate) struct Forwarding<'a> {
    /// The other end of the client's connection.
    pub(crate) peer: &'a IpText,
    /// Who asks: the peer, or whom a trusted peer speaks for.
    pub(crate) client: &'a IpText,
    /// What the peer says in these fields is kept.
    pub(crate) is_trusted: bool,
    pub(crate) scheme: &'a str,
    pub(crate) request_id: &'a [u8],
    /// Sent as `Host` where an HTTP/1.0 client sent none.
    pub(crate) authority: &'a str,
    /// The value of `Client-Cert`, where the backend is to know it.
    pub(crate) certificate: Option<&'a str>,
    /// The protocol that the backend is asked to switch to.
    pub(crate) upgrade: Option<&'a str>,
}

/// The client's certificate, where backends are to know it.
pub(crate) fn told_certificate(
    listener: &Listener,
    heads: &Heads,
) -> Option<Rc<ClientCertificate>> {
    let tls = listener.tls.as_ref()?;
    let shown = heads.certificate.as_ref()?;
    tls.forwards_certificate.then(|| Rc::clone(shown))
}

/// Sets `X-Forwarded-For/-Proto/-Host`, `X-Real-IP`, `X-Request-ID` and `Via`
/// (RFC 9110 section 7.6.3). What an untrusted client sent in them is replaced,
/// but for `Via`, which each hop adds to. `Forwarded` (RFC 7239) and other things
/// that only a proxy can say are taken out, and so is whatever some backends take
/// for one of these.
pub(crate) fn forward(request: &mut RequestHead, forwarding: &Forwarding<'_>) {
    const CLAIMS: KnownSet = KnownSet::of(&[
        Known::XForwardedFor,
        Known::XForwardedProto,
        Known::XForwardedHost,
        Known::XRealIp,
        Known::XRequestId,
        Known::ProxyAuthorization,
        // CGI makes `HTTP_PROXY` of it, which many programs obey.
        Known::Proxy,
        Known::Lookalike,
    ]);
    /// What only a proxy in front can know; frameworks believe it.
    const HEARSAY: KnownSet = KnownSet::of(&[
        Known::ClientCert,
        Known::ClientCertChain,
        Known::Forwarded,
        Known::XForwardedPort,
        Known::XForwardedPrefix,
        Known::XForwardedScheme,
        Known::XForwardedServer,
        Known::XForwardedSsl,
        Known::XOriginalUrl,
        Known::XRewriteUrl,
    ]);
    let fields = &mut request.fields;
    let kept = if forwarding.is_trusted {
        Kept::of(fields)
    } else {
        fields.remove_all(HEARSAY);
        Kept::default()
    };
    fields.remove_all(CLAIMS);
    if !fields.has(Known::Host) {
        fields.push_known(Known::Host, forwarding.authority.as_bytes());
    }
    fields.push_with(Known::XForwardedFor, |text| {
        text.extend_from_slice(&kept.chain);
        text.extend_from_slice(forwarding.peer.as_bytes());
    });
    let scheme = kept.scheme.as_deref();
    fields.push_known(
        Known::XForwardedProto,
        scheme.unwrap_or(forwarding.scheme.as_bytes()),
    );
    match &kept.host {
        Some(host) => fields.push_known(Known::XForwardedHost, host),
        None => fields.push_copy(Known::XForwardedHost, Known::Host),
    }
    if let Some(certificate) = forwarding.certificate {
        const OTHERS: KnownSet = KnownSet::of(&[Known::ClientCert, Known::ClientCertChain]);
        fields.remove_all(OTHERS);
        fields.push_known(Known::ClientCert, certificate.as_bytes());
    }
    fields.push_known(Known::XRealIp, forwarding.client.as_bytes());
    fields.push_known(Known::XRequestId, forwarding.request_id);
    fields.push_known(
        Known::Via,
        match request.version {
            Version::Http10 => b"1.0 forebay",
            Version::Http11 => b"1.1 forebay",
            Version::Http2 => b"2.0 forebay",
        },
    );
    if let Some(protocol) = forwarding.upgrade {
        fields.push_known(Known::Connection, b"upgrade");
        fields.push_known(Known::Upgrade, protocol.as_bytes());
    }
}

/// What a trusted peer says and is believed.
#[derive(Default)]
struct Kept {
    /// All of `X-Forwarded-For`, ready to have the peer added.
    chain: Vec<u8>,
    scheme: Option<Vec<u8>>,
    host: Option<Vec<u8>>,
}

impl Kept {
    fn of(fields: &Fields) -> Self {
        let mut chain = Vec::new();
        for value in fields.all(Known::XForwardedFor) {
            chain.extend_from_slice(value);
            chain.extend_from_slice(b", ");
        }
        Self {
            chain,
            scheme: fields.get(Known::XForwardedProto).map(<[u8]>::to_vec),
            host: fields.get(Known::XForwardedHost).map(<[u8]>::to_vec),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(is_trusted: bool, received: &[(&str, &str)]) -> Vec<String> {
        let mut request = RequestHead::default();
        for (name, value) in received {
            request.fields.push(name.as_bytes(), value.as_bytes());
        }
        forward(
            &mut request,
            &Forwarding {
                peer: &IpText::new("10.0.0.1".parse().unwrap()),
                client: &IpText::new("1.2.3.4".parse().unwrap()),
                is_trusted,
                scheme: "http",
                request_id: b"id-1",
                authority: "backend:80",
                certificate: None,
                upgrade: None,
            },
        );
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let line = |f: message::Field<'_>| format!("{}: {}", text(f.name), text(f.value));
        request.fields.iter().map(line).collect()
    }

    const CLAIMS: &[(&str, &str)] = &[
        ("Host", "a.example"),
        ("x-forwarded-for", "6.6.6.6"),
        ("X-Forwarded-For", "7.7.7.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "b.example"),
        ("X-Real-IP", "6.6.6.6"),
        ("X-Request-ID", "other"),
        ("Via", "1.1 cdn"),
        ("Proxy-Authorization", "secret"),
        ("Forwarded", "for=6.6.6.6"),
        ("Client-Cert", ":AAAA:"),
        ("X-Forwarded-Prefix", "/admin"),
        ("X-Original-URL", "/admin"),
        ("Proxy", "http://evil.example"),
        ("X_Forwarded_For", "6.6.6.6"),
        ("X_Other", "1"),
    ];

    #[test]
    fn what_a_stranger_claims_is_replaced() {
        assert_eq!(
            forwarded(false, CLAIMS),
            [
                "Host: a.example",
                "Via: 1.1 cdn",
                "X_Other: 1",
                "X-Forwarded-For: 10.0.0.1",
                "X-Forwarded-Proto: http",
                "X-Forwarded-Host: a.example",
                "X-Real-IP: 1.2.3.4",
                "X-Request-ID: id-1",
                "Via: 1.1 forebay",
            ]
        );
    }

    #[test]
    fn what_a_trusted_peer_says_is_kept_and_added_to() {
        assert_eq!(
            forwarded(true, CLAIMS),
            [
                "Host: a.example",
                "Via: 1.1 cdn",
                "Forwarded: for=6.6.6.6",
                "Client-Cert: :AAAA:",
                "X-Forwarded-Prefix: /admin",
                "X-Original-URL: /admin",
                "X_Other: 1",
                "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 10.0.0.1",
                "X-Forwarded-Proto: https",
                "X-Forwarded-Host: b.example",
                "X-Real-IP: 1.2.3.4",
                "X-Request-ID: id-1",
                "Via: 1.1 forebay",
            ]
        );
    }

    #[test]
    fn a_request_without_a_host_gets_the_backends() {
        let fields = forwarded(true, &[]);
        assert_eq!(fields[0], "Host: backend:80");
        assert!(fields.contains(&"X-Forwarded-Proto: http".to_owned()));
    }
}
