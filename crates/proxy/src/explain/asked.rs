//! What is asked: where a URL leads, and a request's head from its parts.

use message::RequestHead;
use plan::{Listener, Plan};
use wire::h1::write_request_head;

/// What a client makes of a URL.
#[derive(Debug, PartialEq, Eq)]
pub struct Aim {
    /// An index into the plan's listeners.
    pub listener: usize,
    /// For the field `Host`.
    pub host: String,
    /// For the request line.
    pub target: String,
}

/// To which listener a client comes with a URL, and what it asks for there, as with
/// curl. `http://` and `https://` (and `ws://` and `wss://`) with their port lead to a
/// listener that speaks so; without them, it is the one at the port, or the first, of
/// forward proxies for a tunnel; unless a name is given.
///
/// # Errors
///
/// When there is no such listener.
pub fn aim(plan: &Plan, method: &str, url: &str, listener: Option<&str>) -> Result<Aim, String> {
    let url = url.split('#').next().unwrap_or_default();
    let named = match listener {
        None => None,
        Some(id) => {
            let place = plan.listeners.iter().position(|l| *l.id == *id);
            let place = place.ok_or_else(|| format!("there is no listener `{id}`"))?;
            let is_tcp = plan.listeners.get(place).is_some_and(|l| l.tcp.is_some());
            if is_tcp {
                return Err(format!(
                    "the listener `{id}` has `protocol: tcp`: there are no requests to explain"
                ));
            }
            Some(place)
        }
    };
    let (host, target) = host_and_target(url);
    let target = match target.starts_with('?') {
        true => format!("/{target}"),
        false => target.to_owned(),
    };
    let written = port(host)?;
    let Some(scheme) = Scheme::of(url)? else {
        return Ok(Aim {
            listener: named.unwrap_or_else(|| first(plan, method, written)),
            host: host.to_owned(),
            target,
        });
    };
    let host = match (method, written) {
        // Of a tunnel, the port is always said.
        ("CONNECT", None) => format!("{host}:{}", scheme.port()),
        (method, Some(port)) if method != "CONNECT" && port == scheme.port() => {
            let bare = host.rsplit_once(':').map_or(host, |(host, _)| host);
            bare.to_owned()
        }
        _ => host.to_owned(),
    };
    let listener = match named {
        Some(listener) => listener,
        None => scheme.listener(plan, written)?,
    };
    // A forward proxy is asked for all of a URL that is not at its own port.
    let is_elsewhere = plan.listeners.get(listener).is_some_and(|listener| {
        listener.forward.is_some() && Some(listener.address.port()) != written
    });
    Ok(Aim {
        listener,
        target: match is_elsewhere {
            true => format!("{}://{host}{target}", scheme.name()),
            false => target,
        },
        host,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// None where there is none.
    fn of(url: &str) -> Result<Option<Self>, String> {
        match scheme_and_rest(url) {
            None => Ok(None),
            Some((name, _)) => match &*name.to_ascii_lowercase() {
                "http" | "ws" => Ok(Some(Self::Http)),
                "https" | "wss" => Ok(Some(Self::Https)),
                _ => Err(format!(
                    "no listener takes `{name}://`: begin the URL with `http://` or `https://`"
                )),
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The listener at this port; where none is written, or a listener takes any port,
    /// the first that speaks so; or a forward proxy, where there is nothing else.
    fn listener(self, plan: &Plan, written: Option<u16>) -> Result<usize, String> {
        let port = written.unwrap_or(self.port());
        let speaks = |l: &Listener| l.tls.is_some() == (self == Self::Https);
        find(plan, |l| speaks(l) && l.address.port() == port)
            .or_else(|| {
                find(plan, |l| {
                    let may_be_there = written.is_none() || l.address.port() == 0;
                    speaks(l) && l.forward.is_none() && may_be_there
                })
            })
            .or_else(|| {
                let is_other = find(plan, |l| l.forward.is_none()).is_some();
                find(plan, |_| !is_other)
            })
            .ok_or_else(|| self.nobody(plan, written))
    }

    fn nobody(self, plan: &Plan, written: Option<u16>) -> String {
        let at = written.map(|port| format!(" at port {port}"));
        let listeners = plan.listeners.iter().filter(|l| l.tcp.is_none());
        let there: Vec<_> = listeners
            .map(|l| {
                let scheme = l.tls.as_ref().map_or("http", |_| "https");
                format!("`{}` ({scheme}, {})", l.id, l.address)
            })
            .collect();
        format!(
            "no listener takes `{}://`{}; name the one that it comes to (`listener`), of {}",
            self.name(),
            at.unwrap_or_default(),
            there.join(", ")
        )
    }
}

/// Where no scheme says what is spoken: the listener at the port, or the first.
fn first(plan: &Plan, method: &str, written: Option<u16>) -> usize {
    let found = match method {
        "CONNECT" => find(plan, |l| l.forward.is_some()),
        _ => find(plan, |l| Some(l.address.port()) == written),
    };
    found.or_else(|| find(plan, |_| true)).unwrap_or(0)
}

/// The first listener like this among those that take requests.
fn find(plan: &Plan, fits: impl Fn(&Listener) -> bool) -> Option<usize> {
    let mut all = plan.listeners.iter();
    all.position(|l| l.tcp.is_none() && fits(l))
}

/// The port behind a host, if one is written.
fn port(authority: &str) -> Result<Option<u16>, String> {
    let Some((host, port)) = authority.rsplit_once(':') else {
        return Ok(None);
    };
    let is_within_address = host.starts_with('[') && !host.ends_with(']');
    if is_within_address || port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let read = port.parse();
    read.map(Some)
        .map_err(|_| format!("`{port}` is no port: they go from 0 to 65535"))
}

fn scheme_and_rest(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    // Not one in a path or a query.
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_scheme.then_some((scheme, rest))
}

/// Takes `http://host/path` apart, or `/path`, which goes to localhost.
pub fn host_and_target(url: &str) -> (&str, &str) {
    let rest = match scheme_and_rest(url) {
        Some((_, rest)) => rest,
        None if url.starts_with('/') => return ("localhost", url),
        None => url,
    };
    match rest.find(['/', '?']) {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    }
}

/// A request's head in bytes, from its parts.
pub fn request_head(
    method: &str,
    target: &str,
    host: &str,
    fields: &[(String, String)],
) -> Vec<u8> {
    let mut head = RequestHead::default();
    let has_host = fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"));
    head.method_text = head.fields.intern(method.as_bytes());
    // Of a tunnel only the other end is said.
    let target = if method == "CONNECT" { host } else { target };
    head.path = head.fields.intern(target.as_bytes());
    if !has_host {
        head.fields.push(b"Host", host.as_bytes());
    }
    for (name, value) in fields {
        head.fields.push(name.as_bytes(), value.as_bytes());
    }
    let mut bytes = Vec::new();
    write_request_head(&mut bytes, &head, wire::h1::Framing::Empty);
    bytes
}
