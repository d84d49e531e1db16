//! Routes and requests made of few words, so that they often meet. What kinds
//! of conditions there are is known here and nowhere else among the targets.

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use message::{Fields, Method};
use std::net::{IpAddr, Ipv4Addr};

use routing::{Condition, Conditions, Demand, Facts, HostPattern, Miss, Order, PathPattern};

#[derive(Arbitrary, Debug)]
pub struct Case {
    ordered: bool,
    routes: Vec<Route>,
    requests: Vec<Request>,
}

#[derive(Arbitrary, Debug)]
struct Route {
    hosts: Vec<Pattern>,
    path: Option<Pattern>,
    methods: Vec<Verb>,
    further: Vec<Further>,
}

/// A condition beyond host, path and method; some are turned round.
#[derive(Arbitrary, Debug)]
struct Further {
    kind: Kind,
    name: Word,
    value: Value,
    not: bool,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Kind {
    Header,
    Query,
    Cookie,
    Client,
}

/// Words of a host or a path, and what below them counts too.
#[derive(Arbitrary, Debug)]
struct Pattern {
    words: Vec<Word>,
    below: Below,
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
enum Below {
    Nothing,
    /// `/a/*`
    Below,
    /// `prefix:/a`
    Tree,
    /// `regex:/a`
    Anywhere,
}

#[derive(Arbitrary, Debug)]
struct Request {
    host: Vec<Word>,
    path: Vec<Word>,
    /// Ends the path in a slash.
    slash: bool,
    verb: Verb,
    headers: Vec<(Word, Value)>,
    query: Vec<(Word, Value)>,
    cookies: Vec<(Word, Value)>,
    client: u8,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Word {
    A,
    B,
    Ab,
    Ba,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Verb {
    Get,
    Head,
    Purge,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Value {
    /// In a condition anything, in a request itself.
    Star,
    One,
    Two,
    Empty,
}

/// A request with the text that its facts point into.
pub struct Asked {
    host: String,
    path: String,
    query: String,
    method: &'static str,
    client: IpAddr,
    fields: Fields,
}

impl Case {
    pub fn order(&self) -> Order {
        match self.ordered {
            true => Order::Ordered,
            false => Order::Specific,
        }
    }

    pub fn routes(&self) -> Vec<Conditions> {
        self.routes.iter().map(Route::conditions).collect()
    }

    pub fn requests(&self) -> impl Iterator<Item = Asked> {
        self.requests.iter().map(Request::asked)
    }
}

impl Route {
    fn conditions(&self) -> Conditions {
        let hosts = self.hosts.iter().map(|host| {
            let text = host.host();
            HostPattern::parse(&text).expect("a host")
        });
        let path = self.path.as_ref().map(|path| {
            let text = path.path();
            PathPattern::parse(&text).expect("a path")
        });
        Conditions {
            id: "route".into(),
            hosts: hosts.collect(),
            path: path.unwrap_or(PathPattern::Any),
            methods: self.methods.iter().map(|verb| verb.text().into()).collect(),
            further: self.further.iter().map(Further::condition).collect(),
        }
    }
}

impl Further {
    fn condition(&self) -> Condition {
        let (name, value) = (self.name.text(), self.value.text());
        let condition = match self.kind {
            Kind::Header => Condition::Header(Demand::header(name, value).expect("a header")),
            Kind::Query => Condition::Query(Demand::parse(name, value).expect("a parameter")),
            Kind::Cookie => Condition::Cookie(Demand::cookie(name, value).expect("a cookie")),
            Kind::Client => {
                let network = format!("10.0.0.{}/28", name.len() * 16);
                Condition::Client(vec![network.parse().expect("a network")])
            }
        };
        match self.not {
            true => Condition::Not(Box::new(condition)),
            false => condition,
        }
    }
}

/// Greater is more specific, among routes that take the request.
pub fn specificity(route: &Conditions, facts: &Facts<'_>) -> [usize; 4] {
    let hosts = route.hosts.iter().filter(|host| host.takes(facts.host));
    let host = hosts.map(|host| match host {
        HostPattern::Any => 0,
        HostPattern::Suffix(suffix) => suffix.len(),
        HostPattern::Exact(_) => usize::MAX,
    });
    let path = match &route.path {
        PathPattern::Any => 0,
        PathPattern::Below(prefix) | PathPattern::Tree(prefix) => prefix.len(),
        PathPattern::Regex(_) => usize::MAX - 1,
        PathPattern::Exact(_) => usize::MAX,
    };
    let methods = usize::from(!route.methods.is_empty());
    [host.max().unwrap_or(0), path, methods, route.further.len()]
}

/// Whether the one condition that a miss names holds.
pub fn takes(route: &Conditions, facts: &Facts<'_>, miss: Miss) -> bool {
    match miss {
        Miss::Host => route.hosts.is_empty() || route.hosts.iter().any(|h| h.takes(facts.host)),
        Miss::Path => route.path.takes(facts.path),
        Miss::Method => {
            let taken = |method: &str| method.as_bytes() == facts.method_text;
            route.methods.is_empty() || route.methods.iter().any(|m| taken(m))
        }
        Miss::Further { which } => route.further[which].holds(facts),
        Miss::Outranked => true,
    }
}

impl Pattern {
    fn host(&self) -> String {
        let name = joined(&self.words, ".");
        match (self.below, name.as_str()) {
            (_, "") => "*".to_owned(),
            (Below::Nothing, name) => name.to_owned(),
            (_, name) => format!("*.{name}"),
        }
    }

    fn path(&self) -> String {
        let path = joined(&self.words, "/");
        match (self.below, path.as_str()) {
            (Below::Below, "") => "/*".to_owned(),
            (Below::Below, path) => format!("/{path}/*"),
            (Below::Nothing, path) => format!("/{path}"),
            (Below::Tree, path) => format!("prefix:/{path}"),
            (Below::Anywhere, path) => format!("regex:/{path}"),
        }
    }
}

impl Request {
    fn asked(&self) -> Asked {
        let mut path = format!("/{}", joined(&self.path, "/"));
        if self.slash && path.len() > 1 {
            path.push('/');
        }
        let mut fields = Fields::default();
        for (name, value) in &self.headers {
            fields.push(name.text().as_bytes(), value.text().as_bytes());
        }
        let pairs = |pairs: &[(Word, Value)], between: &str| {
            let each = pairs.iter().map(|(n, v)| format!("{}={}", n.text(), v.text()));
            each.collect::<Vec<_>>().join(between)
        };
        if !self.cookies.is_empty() {
            fields.push(b"Cookie", pairs(&self.cookies, "; ").as_bytes());
        }
        Asked {
            host: joined(&self.host, "."),
            path,
            query: pairs(&self.query, "&"),
            method: self.verb.text(),
            client: Ipv4Addr::new(10, 0, 0, self.client).into(),
            fields,
        }
    }
}

impl Asked {
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            host: self.host.as_bytes(),
            path: self.path.as_bytes(),
            query: self.query.as_bytes(),
            client: self.client,
            method: Method::of(self.method.as_bytes()),
            method_text: self.method.as_bytes(),
            fields: &self.fields,
        }
    }
}

fn joined(words: &[Word], between: &str) -> String {
    // A host may have 255 bytes.
    let words: Vec<_> = words.iter().take(60).map(|word| word.text()).collect();
    words.join(between)
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::A => "a",
            Word::B => "b",
            Word::Ab => "ab",
            Word::Ba => "ba",
        }
    }
}

impl Verb {
    fn text(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Head => "HEAD",
            Verb::Purge => "PURGE",
        }
    }
}

impl Value {
    fn text(self) -> &'static str {
        match self {
            Value::Star => "*",
            Value::One => "1",
            Value::Two => "2",
            Value::Empty => "",
        }
    }
}
