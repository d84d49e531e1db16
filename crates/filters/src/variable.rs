//! The variables a template may use.

use std::io::Write;

use message::{Form, RequestHead, cookies, parameters};

use crate::field_rules::is_token;
use crate::nearest::nearest;
use crate::{Exchange, Facts};

macro_rules! variables {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// A fact of an exchange that a template can quote.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum Variable {
            $($(#[doc = $doc])* $variant,)*
            /// `family.NAME`.
            Named(Family, Box<str>),
        }

        const NAMED: &[(&str, Variable)] = &[$(($name, Variable::$variant),)*];
    };
}

variables! {
    ClientIp = "client_ip",
    ClientPort = "client_port",
    RequestId = "request_id",
    /// In normal form, without the port.
    Host = "host",
    Method = "method",
    /// As it stands: a filter before this one may have changed it.
    Path = "path",
    /// Without its `?`.
    Query = "query",
    /// Path and query as received, whatever filters did since.
    Uri = "uri",
    Scheme = "scheme",
    /// Such as `HTTP/1.1`.
    Protocol = "protocol",
    Route = "route",
    BackendGroup = "backend_group",
    Listener = "listener",
    /// Empty where the client has shown none; so are the others.
    CertificateSubject = "client_certificate_subject",
    /// The alternative names, joined by `, `.
    CertificateNames = "client_certificate_names",
    CertificateFingerprint = "client_certificate_fingerprint",
    CertificateSerial = "client_certificate_serial",
}

/// What a variable with a dot in its name is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// The request field's values, joined by `, `.
    Header,
    /// The first parameter of this name, decoded.
    Query,
    /// The first cookie of this name.
    Cookie,
    /// A group of the route's path expression, by name or number.
    Capture,
}

const FAMILIES: &[(&str, Family)] = &[
    ("header", Family::Header),
    ("query", Family::Query),
    ("cookie", Family::Cookie),
    ("capture", Family::Capture),
];

impl Variable {
    /// The variable of a name; the error is a message and, where the name is
    /// close to a known one, a suggestion.
    pub(crate) fn of(name: &str) -> Result<Self, (String, Option<String>)> {
        if let Some((word, rest)) = name.split_once('.')
            && let Some((_, family)) = FAMILIES.iter().find(|(known, _)| *known == word)
        {
            return match (family, is_token(rest)) {
                (Family::Header, false) => Err((format!("`{rest}` is not a header name"), None)),
                (_, false) if rest.is_empty() => {
                    Err((format!("`${{{name}}}` does not say which"), None))
                }
                _ => Ok(Self::Named(*family, rest.into())),
            };
        }
        match NAMED.iter().find(|(known, _)| *known == name) {
            Some((_, variable)) => Ok(variable.clone()),
            None => Err((format!("unknown variable `${{{name}}}`"), Some(help(name)))),
        }
    }

    /// Whether the value is no longer as a URL has it.
    pub(crate) fn is_decoded(&self) -> bool {
        matches!(self, Self::Named(Family::Query, _))
    }

    /// Writes the value as it is, which may hold any bytes a request may.
    pub(crate) fn write(&self, exchange: &Exchange<'_>, out: &mut Vec<u8>) {
        let Exchange { request, facts } = exchange;
        match self {
            // Writing into memory cannot fail.
            Variable::ClientIp => drop(write!(out, "{}", facts.client.ip().to_canonical())),
            Variable::ClientPort => drop(write!(out, "{}", facts.client.port())),
            Variable::RequestId => out.extend_from_slice(facts.request_id.as_bytes()),
            Variable::Host => out.extend_from_slice(facts.host),
            Variable::Method => out.extend_from_slice(request.method_bytes()),
            Variable::Path => out.extend_from_slice(request.path_bytes()),
            Variable::Query => {
                let query = request.query_bytes();
                out.extend_from_slice(query.strip_prefix(b"?").unwrap_or(query));
            }
            Variable::Uri => write_uri(request, out),
            Variable::Scheme => out.extend_from_slice(facts.scheme.as_bytes()),
            Variable::Protocol => out.extend_from_slice(request.version.label().as_bytes()),
            Variable::Route => out.extend_from_slice(facts.route.as_bytes()),
            Variable::BackendGroup => out.extend_from_slice(facts.group.as_bytes()),
            Variable::Listener => out.extend_from_slice(facts.listener.as_bytes()),
            Variable::CertificateSubject => write_certificate("subject", facts, out),
            Variable::CertificateNames => write_certificate("name", facts, out),
            Variable::CertificateFingerprint => write_certificate("fingerprint", facts, out),
            Variable::CertificateSerial => write_certificate("serial", facts, out),
            Variable::Named(family, name) => family.write(name, exchange, out),
        }
    }
}

fn write_certificate(fact: &str, facts: &Facts<'_>, out: &mut Vec<u8>) {
    let values = facts
        .certificate
        .iter()
        .flat_map(|shown| shown.values(fact));
    for (at, value) in values.enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(value);
    }
}

impl Family {
    fn write(self, name: &str, exchange: &Exchange<'_>, out: &mut Vec<u8>) {
        let Exchange { request, facts } = exchange;
        match self {
            Family::Header => write_field(request, name, out),
            Family::Query => {
                let query = request.query_bytes();
                let query = query.strip_prefix(b"?").unwrap_or(query);
                let mut named = parameters(query).filter(|(n, _)| **n == *name.as_bytes());
                out.extend_from_slice(&named.next().unwrap_or_default().1);
            }
            Family::Cookie => {
                let mut named = cookies(&request.fields).filter(|(n, _)| *n == name.as_bytes());
                out.extend_from_slice(named.next().unwrap_or_default().1);
            }
            Family::Capture => out.extend_from_slice(captured(name, facts).unwrap_or_default()),
        }
    }
}

/// Sought anew each time it is quoted, so that routes which quote nothing pay
/// nothing.
fn captured<'a>(name: &str, facts: &Facts<'a>) -> Option<&'a [u8]> {
    let captures = facts.expression?.captures(facts.path)?;
    let group = match name.parse() {
        Ok(number) => captures.get(number),
        Err(_) => captures.name(name),
    };
    group.map(|group| group.as_bytes())
}

fn write_field(request: &RequestHead, name: &str, out: &mut Vec<u8>) {
    for (at, value) in request.fields.all_named(name.as_bytes()).enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(value);
    }
}

/// The target without the scheme and authority of an absolute form, which may
/// lack even the path (RFC 9112 section 3.2.2).
fn write_uri(request: &RequestHead, out: &mut Vec<u8>) {
    let target = request.target_bytes();
    if request.form != Form::Absolute {
        return out.extend_from_slice(target);
    }
    let after_scheme = match target.windows(3).position(|three| three == b"://") {
        Some(at) => target.get(at + 3..).unwrap_or_default(),
        None => target,
    };
    let end = after_scheme.iter().position(|b| b"/?".contains(b));
    let uri = end
        .and_then(|at| after_scheme.get(at..))
        .unwrap_or_default();
    if !uri.starts_with(b"/") {
        out.push(b'/');
    }
    out.extend_from_slice(uri);
}

/// What other servers call a variable.
const ELSEWHERE: &[(&str, &str)] = &[
    ("remote_addr", "client_ip"),
    ("remote_host", "client_ip"),
    ("remote_port", "client_port"),
    ("request_uri", "uri"),
    ("request_method", "method"),
    ("query_string", "query"),
    ("args", "query"),
    ("http_host", "host"),
    ("server_protocol", "protocol"),
];

/// The variable that someone means by a name from elsewhere: `1`, `remote_addr`.
pub(crate) fn known_elsewhere(name: &str) -> Option<String> {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(format!("capture.{name}"));
    }
    let known = ELSEWHERE.iter().find(|(theirs, _)| *theirs == name);
    known.map(|(_, ours)| (*ours).to_owned())
}

fn help(name: &str) -> String {
    if let Some(meant) = known_elsewhere(name) {
        return format!("did you mean `${{{meant}}}`?");
    }
    // Those with a free part, for which a distance would mislead.
    if let Some((word, rest)) = name.split_once('.')
        && let Some(family) = nearest(word, FAMILIES.iter().map(|(family, _)| *family))
        && is_token(rest)
    {
        return format!("did you mean `${{{family}.{rest}}}`?");
    }
    let names = NAMED.iter().map(|(name, _)| *name);
    match nearest(name, names.clone()) {
        Some(near) => format!("did you mean `${{{near}}}`?"),
        None => format!(
            "the variables are {}, header.NAME, query.NAME, cookie.NAME and capture.NAME",
            names.collect::<Vec<_>>().join(", ")
        ),
    }
}
