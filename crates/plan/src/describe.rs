//! The decided plan, in words.

use std::fmt::{self, Display, Formatter};
use telemetry::Retried;
use tls::ClientAuthorities;
use upstream::{HealthPolicy, RetryPolicy, Strategy};
use wire::h2::Patience;

use crate::{
    AdminEndpoint, BackendTls, Check, Forward, Group, Http2, Listener, Plan, ProxyProtocol, Sticky,
    Tcp, Times,
};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.workers {
            Some(n) => writeln!(f, "workers: {n}")?,
            None => writeln!(f, "workers: one per core")?,
        }
        writeln!(
            f,
            "shutdown: in-flight requests get {:?}, streams {:?}",
            self.shutdown_timeout, self.drain_timeout
        )?;
        for file in &self.left_out {
            writeln!(f, "left out because of mistakes: {file}")?;
        }
        writeln!(f, "\nlisteners:")?;
        self.listeners
            .iter()
            .try_for_each(|l| listener(f, self, l))?;
        writeln!(f, "\nroutes, each with what it needs of a request:")?;
        (0..self.routes.len()).try_for_each(|i| route(f, self, i))?;
        writeln!(f, "\ngroups:")?;
        self.groups.iter().try_for_each(|g| group(f, g))?;
        writeln!(f)?;
        if !self.error_pages.is_empty() {
            writeln!(f, "pages for {}", self.error_pages.describe())?;
        }
        match &self.metrics {
            Some(m) => writeln!(f, "metrics: http://{}{}", m.address, m.path)?,
            None => writeln!(f, "metrics: off")?,
        }
        match &self.admin {
            Some(admin) => writeln!(f, "admin API: {}", endpoint(admin))?,
            None => writeln!(f, "admin API: off")?,
        }
        if let Some(acme) = &self.acme {
            let (directory, challenge) = (&acme.directory, acme.challenge.name());
            writeln!(f, "certificates on order: {directory}, by {challenge}")?;
        }
        match &self.access_log {
            Some(log) => writeln!(f, "access log: {}", log.output)?,
            None => writeln!(f, "access log: off")?,
        }
        writeln!(
            f,
            "runtime log: {} and above to {}",
            self.logging.level, self.logging.output
        )
    }
}

impl Display for Http2 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            max_concurrent_streams,
            stream_window,
            connection_window,
            patience:
                Patience {
                    resets,
                    control_frames,
                    stalls,
                },
        } = self;
        write!(
            f,
            "{max_concurrent_streams} streams, windows {stream_window} and {connection_window} bytes, \
             up to {resets} resets, {control_frames} control frames, {stalls} stalls"
        )
    }
}

/// Where it is, and to whom it is open.
pub(crate) fn endpoint(admin: &AdminEndpoint) -> String {
    let who = match &*admin.tokens {
        [] => "open to whoever can connect".to_owned(),
        tokens => {
            let scopes: Vec<_> = tokens.iter().map(|token| token.scope.label()).collect();
            format!("for tokens of {}", scopes.join(", "))
        }
    };
    format!("http://{}, {who}", admin.address)
}

pub(crate) fn route(f: &mut Formatter<'_>, plan: &Plan, at: usize) -> fmt::Result {
    let Some(route) = plan.routes.get(at) else {
        return Ok(());
    };
    write!(
        f,
        "  {}: {}",
        route.id,
        conditions(plan.table.conditions(at))
    )?;
    if let Some(group) = route.group.and_then(|g| plan.groups.get(g)) {
        write!(f, " -> group {}", group.balance.id)?;
    }
    writeln!(f)?;
    for filter in &route.filters {
        writeln!(f, "      {}", filter.describe())?;
    }
    if let Some(most) = route.max_body {
        writeln!(f, "      body up to {most} bytes")?;
    }
    if route.grpc_web {
        writeln!(f, "      gRPC-Web becomes gRPC")?;
    }
    if let Some(of_route) = &route.times {
        writeln!(f, "      {}", times(of_route))?;
    }
    if !route.error_pages.is_empty() {
        writeln!(f, "      pages for {}", route.error_pages.describe())?;
    }
    Ok(())
}

pub(crate) fn listener(f: &mut Formatter<'_>, plan: &Plan, l: &Listener) -> fmt::Result {
    writeln!(
        f,
        "  {} at {}://{}, up to {} connections",
        l.id,
        l.scheme(),
        l.address,
        l.max_connections
    )?;
    if let Some(header) = &l.proxy_protocol {
        writeln!(f, "      {}", proxy_protocol(header))?;
    }
    if let Some(tcp) = &l.tcp {
        return tunnels(f, plan, tcp);
    }
    let body = match l.max_body {
        u64::MAX => "any size".to_owned(),
        n => format!("up to {n} bytes"),
    };
    writeln!(
        f,
        "      request line {} bytes, header {} bytes in {} fields, body {body}",
        l.limits.line, l.limits.fields, l.limits.count
    )?;
    if let Some(port) = l.redirect_port {
        writeln!(f, "      redirects {}, with 308", redirect(port))?;
    }
    if let Some(tls) = &l.tls {
        let chains = tls.certificates.iter().map(|files| files.chain.to_string());
        let awaited = tls.options.awaited.iter();
        let awaited = awaited.map(|name| format!("(to come) {name}"));
        let chains: Vec<String> = chains.chain(awaited).collect();
        let versions = (
            tls.options.min_version.name(),
            tls.options.max_version.name(),
        );
        writeln!(
            f,
            "      TLS {} to {}, certificates {}",
            versions.0,
            versions.1,
            chains.join(", ")
        )?;
        if let Some(clients) = &tls.options.clients {
            writeln!(
                f,
                "      client certificates {}",
                client_certificates(clients)
            )?;
        }
    }
    if let Some(http2) = &l.http2 {
        writeln!(f, "      HTTP/2: {http2}")?;
    }
    if !l.upgrades.is_empty() {
        writeln!(f, "      upgrades to {}", l.upgrades.join(", "))?;
    }
    if let Some(forward) = &l.forward {
        let Forward { allow, times } = forward;
        let allow: Vec<String> = allow.iter().map(ToString::to_string).collect();
        writeln!(
            f,
            "      forward proxy to {}; timeouts: connect {:?}, response head {:?}, idle {:?}",
            if allow.is_empty() {
                "nowhere".to_owned()
            } else {
                allow.join(", ")
            },
            times.connect,
            times.response,
            times.idle
        )?;
    }
    if let Some(hsts) = &l.hsts {
        writeln!(f, "      HSTS {hsts}")?;
    }
    writeln!(
        f,
        "      timeouts: header {:?}, body {:?}, keep-alive {:?}, write {:?}; bodies at {} bytes per second at least",
        l.header_timeout, l.body_timeout, l.keep_alive_timeout, l.write_timeout, l.min_rate
    )
}

/// Where clients without TLS are sent; 0 is a port that cannot be known.
pub(crate) fn redirect(port: u16) -> String {
    match port {
        0 => "to HTTPS".to_owned(),
        port => format!("to HTTPS at port {port}"),
    }
}

pub(crate) fn client_certificates(clients: &ClientAuthorities) -> String {
    let demand = match clients.is_required {
        true => "required",
        false => "requested",
    };
    format!("{demand}, of authorities {}", clients.fingerprint())
}

/// How TLS is spoken to the backends of a group.
fn to_backends(tls: &BackendTls) -> String {
    let (min, max) = (&tls.options.min_version, &tls.options.max_version);
    let shown = match &tls.certificate {
        Some(files) => format!(", showing {}", files.chain),
        None => String::new(),
    };
    format!(
        "{} to {}, to {}, certificates {}{shown}",
        min.name(),
        max.name(),
        name_in_tls(tls),
        believed(tls)
    )
}

/// Whose backends are believed.
pub(crate) fn believed(tls: &BackendTls) -> String {
    match (&tls.options.authorities, &tls.ca_file) {
        (None, _) => "of anybody".to_owned(),
        (Some(_), None) => "of the system's authorities".to_owned(),
        (Some(authorities), Some(_)) => format!("of authorities {}", authorities.fingerprint()),
    }
}

pub(crate) fn name_in_tls(tls: &BackendTls) -> String {
    match &tls.server_name {
        Some(name) => name.to_string(),
        None => "the host of the URL".to_owned(),
    }
}

pub(crate) fn proxy_protocol(header: &ProxyProtocol) -> String {
    let whose = match header.is_required {
        true => "required",
        false => "accepted",
    };
    let timeout = header.timeout;
    format!("PROXY protocol {whose} of trusted proxies, within {timeout:?}")
}

fn tunnels(f: &mut Formatter<'_>, plan: &Plan, tcp: &Tcp) -> fmt::Result {
    for place in places(plan, tcp) {
        writeln!(f, "      {place}")?;
    }
    let connect = match tcp.connect_timeout {
        Some(time) => format!("{time:?}"),
        None => "as the group says".to_owned(),
    };
    let idle = tcp.idle_timeout;
    writeln!(f, "      timeouts: connect {connect}, idle {idle:?}")
}

/// Where connections go, a line for each case.
pub(crate) fn places(plan: &Plan, tcp: &Tcp) -> Vec<String> {
    let id = |at: usize| plan.groups.get(at).map_or("", |group| &*group.balance.id);
    let names = tcp.names.all().into_iter();
    let mut places: Vec<String> = names
        .map(|(name, group)| format!("{name} -> group {}", id(group)))
        .collect();
    places.push(match (tcp.group, places.is_empty()) {
        (Some(group), true) => format!("-> group {}", id(group)),
        (Some(group), false) => format!("any other -> group {}", id(group)),
        (None, _) => "any other is refused".to_owned(),
    });
    places
}

fn conditions(conditions: &routing::Conditions) -> String {
    let all: Vec<String> = conditions.all().map(|c| c.to_string()).collect();
    match &*all {
        [] => "any request".to_owned(),
        all => all.join(", "),
    }
}

pub(crate) fn group(f: &mut Formatter<'_>, g: &Group) -> fmt::Result {
    writeln!(f, "  {}: {}", g.balance.id, g.balance.strategy)?;
    for (backend, weight) in g.balance.backends.iter().zip(g.balance.weights()) {
        write!(
            f,
            "      {}, up to {} connections",
            backend.url, backend.options.max_connections
        )?;
        if g.balance.strategy.uses_weights() {
            write!(f, ", weight {weight}")?;
        }
        writeln!(f)?;
    }
    if g.protocol != config::BackendProtocol::Auto {
        writeln!(f, "      speaks {}", g.protocol.name())?;
    }
    if let Some(tls) = &g.tls {
        writeln!(f, "      TLS {}", to_backends(tls))?;
    }
    for source in &g.sources {
        writeln!(f, "      found by {}", source.in_full())?;
    }
    if let Some(key) = &g.hash_key {
        writeln!(f, "      by {key}{}", bound(g.balance.strategy))?;
    }
    match &g.sticky {
        None => {}
        Some(Sticky::Client(_)) => writeln!(f, "      sticky by client address")?,
        Some(Sticky::Cookie(cookie)) => writeln!(
            f,
            "      sticky by cookie {}{}",
            cookie.name, cookie.attributes
        )?,
    }
    if let Some(most) = g.balance.max_requests {
        writeln!(f, "      up to {most} requests under way")?;
    }
    if let Some(limit) = &g.balance.adaptive {
        writeln!(f, "      adaptive limit {limit}")?;
    }
    writeln!(f, "      {}", times(&g.times))?;
    writeln!(f, "      {}", retry(&g.retry))?;
    health(f, &g.balance.health)?;
    if let Some(check) = &g.check {
        let Check {
            probe,
            interval,
            timeout,
            ..
        } = &**check;
        writeln!(
            f,
            "      checked every {interval:?}, within {timeout:?}: {probe}"
        )?;
    }
    if let Some(version) = g.send_proxy_protocol {
        writeln!(f, "      told of clients by the PROXY protocol, {version}")?;
    }
    match &g.hedge {
        Some(hedge) => writeln!(f, "      {hedge}"),
        None => Ok(()),
    }
}

fn health(f: &mut Formatter<'_>, policy: &HealthPolicy) -> fmt::Result {
    if let Some(passive) = &policy.passive {
        writeln!(f, "      backends are taken out {passive}")?;
    }
    if let Some(breaker) = &policy.breaker {
        writeln!(f, "      circuit breaker {breaker}")?;
    }
    if policy.can_take_out() {
        let slow_start = match policy.slow_start.is_zero() {
            true => "at once".to_owned(),
            false => format!("slowly, within {:?}", policy.slow_start),
        };
        writeln!(
            f,
            "      they come back {slow_start}; {}",
            without_backends(policy)
        )?;
    }
    Ok(())
}

/// What becomes of requests where no backend is left.
pub(crate) fn without_backends(policy: &HealthPolicy) -> &'static str {
    match policy.fails_open {
        true => "where all are out, all are asked",
        false => "where all are out, requests fail",
    }
}

fn bound(strategy: Strategy) -> String {
    match strategy {
        Strategy::Hash { load_factor: 0 } => String::new(),
        Strategy::Hash { load_factor } => {
            format!(", none above {load_factor}% of the average load")
        }
        _ => String::new(),
    }
}

fn times(times: &Times) -> String {
    let total = match times.total {
        Some(total) => format!(", in all {total:?}"),
        None => String::new(),
    };
    format!(
        "timeouts: connect {:?}, response head {:?}, idle body {:?}, idle tunnel {:?}, connection queue {:?}{total}",
        times.connect, times.response, times.idle, times.tunnel, times.wait
    )
}

fn retry(policy: &RetryPolicy) -> String {
    let on = retried(policy);
    if on.is_empty() {
        return "no retries".to_owned();
    }
    format!(
        "up to {} attempts, on {}; waits from {:?} to {:?}; budget {}",
        policy.max_attempts,
        on.join(" or "),
        policy.delay,
        policy.max_delay,
        policy.budget
    )
}

/// What is worth another attempt; nothing where none is made.
pub(crate) fn retried(policy: &RetryPolicy) -> Vec<&'static str> {
    let on = [
        (policy.on_connection_error, Retried::ConnectionError),
        (policy.on_timeout, Retried::Timeout),
        (policy.on_server_error, Retried::ServerError),
    ];
    if policy.max_attempts <= 1 {
        return Vec::new();
    }
    let statuses = policy.on_grpc.iter();
    let statuses = statuses.filter_map(|&status| Retried::of_grpc(status));
    let others = on.iter().filter(|(on, _)| *on).map(|(_, why)| *why);
    others.chain(statuses).map(Retried::label).collect()
}
