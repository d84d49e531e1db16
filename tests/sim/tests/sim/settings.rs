//! The configuration of a run.

use fastrand::Rng;
use tokio::time::Duration;

/// What the configuration says, as far as the run has to know it.
pub(crate) struct Settings {
    pub(crate) yaml: String,
    /// Nothing goes wrong in this run, so every request is to be answered well.
    pub(crate) is_calm: bool,
    pub(crate) workers: usize,
    pub(crate) backends: usize,
    pub(crate) max_clients: usize,
    pub(crate) max_line: usize,
    pub(crate) max_head: usize,
    pub(crate) max_body: usize,
    pub(crate) max_attempts: usize,
    /// A second backend is asked where the first is slow.
    pub(crate) hedges: bool,
    pub(crate) max_waiting: usize,
    pub(crate) max_requests: Option<usize>,
    /// Failures in a row may be enough for all backends to be out.
    pub(crate) may_lack_backends: bool,
    /// Bytes per second that a client has to send and take; 0 for none.
    pub(crate) min_rate: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    pub(crate) total: Option<Duration>,
    pub(crate) idle: Duration,
    pub(crate) wait: Duration,
    pub(crate) pool_idle: Duration,
}

/// What the route `own` answers.
pub(crate) const OWN_BODY: &str = "an answer of its own\n";

impl Settings {
    pub(crate) fn draw(random: &mut Rng) -> Self {
        let is_calm = random.u8(..4) == 0;
        // Calm runs are never short of time or room.
        let mut time = |from: u64, to: u64| match is_calm {
            true => Duration::from_secs(300),
            false => Duration::from_millis(random.u64(from..to)),
        };
        let header_timeout = time(300, 3000);
        let body_timeout = time(300, 3000);
        let keep_alive_timeout = time(300, 4000);
        let write_timeout = time(300, 3000);
        let connect = time(100, 2000);
        let response = time(200, 3000);
        let idle = time(300, 3000);
        let wait = time(50, 2000);
        let total = time(500, 5000);
        let total = (!is_calm && random.u8(..4) == 0).then_some(total);
        let pool_idle = Duration::from_millis(random.u64(200..4000));
        let mut settings = Self {
            yaml: String::new(),
            is_calm,
            workers: random.usize(1..=2),
            backends: random.usize(1..=3),
            max_clients: if is_calm { 100 } else { random.usize(1..12) },
            max_line: *random.choice(&[512, 2048, 8192]).unwrap_or(&512),
            max_head: *random.choice(&[2048, 8192, 32768]).unwrap_or(&2048),
            max_body: match random.u8(..3) {
                0 if !is_calm => *random.choice(&[100, 5000, 100_000]).unwrap_or(&100),
                _ => usize::MAX,
            },
            max_attempts: random.usize(1..=4),
            hedges: random.u8(..4) == 0,
            max_waiting: if is_calm { 1000 } else { random.usize(0..6) },
            max_requests: (!is_calm && random.u8(..8) == 0).then(|| random.usize(1..6)),
            may_lack_backends: !is_calm && random.u8(..3) == 0,
            min_rate: *random.choice(&[0, 0, 240, 5000]).unwrap_or(&0),
            header_timeout,
            body_timeout,
            keep_alive_timeout,
            write_timeout,
            connect,
            response,
            total,
            idle,
            wait,
            pool_idle,
        };
        settings.yaml = settings.write(random);
        settings
    }

    fn write(&self, random: &mut Rng) -> String {
        let ms = |time: Duration| format!("{}ms", time.as_millis());
        let max_body = match self.max_body {
            usize::MAX => "none".to_owned(),
            n => format!("{n}B"),
        };
        let strategies = [
            "round_robin",
            "least_connections",
            "random",
            "two_choices",
            "ip_hash",
            "hash",
        ];
        let strategy = random.choice(&strategies).unwrap_or(&"random");
        let backends: Vec<String> = (0..self.backends)
            .map(|i| format!("{{ url: \"http://10.0.0.{i}:80\" }}"))
            .collect();
        let per_host = random.choice(&[1, 1, 2, 5, 100]).unwrap_or(&1);
        let max_idle = random.choice(&[0, 1, 2, 100]).unwrap_or(&1);
        let max_age = random.choice(&["500ms", "5s", "1h"]).unwrap_or(&"1h");
        let backoff = random.choice(&["linear", "exponential"]).unwrap_or(&"");
        let on: Vec<&str> = ["connection_error", "timeout", "\"5xx\""]
            .into_iter()
            .filter(|_| random.u8(..3) > 0)
            .collect();
        let sticky = match random.u8(..6) {
            0 => "sticky: { by: client_ip }, ",
            _ => "",
        };
        let hedge = match self.hedges {
            true => ", hedge: { percentile: 50, max_percent: 100 }",
            false => "",
        };
        let health = self.health(random);
        let total = self
            .total
            .map(|total| format!(", total: {}", ms(total)))
            .unwrap_or_default();
        format!(
            "server: {{ address: \"127.0.0.1:0\", max_connections: {max_clients}, max_request_line: {max_line}B, \
             max_header_size: {max_head}B, max_body: {max_body}, min_rate: {min_rate}B, header_timeout: {header}, body_timeout: {body}, \
             keep_alive_timeout: {keep_alive}, write_timeout: {write} }}\n\
             telemetry: {{ access_log: {{ output: \"off\" }} }}\n\
             routes:\n\
             - {{ id: app, path: \"/t/*\", backend_group: app }}\n\
             - {{ id: own, path: \"/own/*\", respond: {{ status: 200, body: {OWN_BODY:?} }} }}\n\
             backend_groups:\n\
             - {{ id: app, strategy: {strategy}, {sticky}backends: [ {backends} ], \
             connection_pool: {{ max_connections_per_host: {per_host}, max_idle_connections: {max_idle}, \
             idle_timeout: {pool_idle}, max_age: {max_age}, max_waiting: {max_waiting}, wait_timeout: {wait} }}, \
             timeout: {{ connect: {connect}, request: {response}, idle: {idle}{total} }}, \
             retry: {{ max_attempts: {max_attempts}, backoff: {backoff}, delay: {delay}ms, max_delay: {max_delay}ms, \
             budget: {budget}, retry_on: [ {on} ] }}{hedge}{health} }}\n",
            max_clients = self.max_clients,
            max_line = self.max_line,
            max_head = self.max_head,
            min_rate = self.min_rate,
            header = ms(self.header_timeout),
            body = ms(self.body_timeout),
            keep_alive = ms(self.keep_alive_timeout),
            write = ms(self.write_timeout),
            backends = backends.join(", "),
            pool_idle = ms(self.pool_idle),
            max_waiting = self.max_waiting,
            wait = ms(self.wait),
            connect = ms(self.connect),
            response = ms(self.response),
            idle = ms(self.idle),
            max_attempts = self.max_attempts,
            delay = random.u64(1..200),
            max_delay = random.u64(50..1000),
            budget = random.choice(&[0, 20, 1000]).unwrap_or(&20),
            on = on.join(", "),
        )
    }

    /// What takes backends out. Half of them at most, and with a breaker only
    /// where requests go to them all the same, unless all may be out.
    fn health(&self, random: &mut Rng) -> String {
        let (ejected, without) = match self.may_lack_backends {
            true => (random.u8(..=100), "fail"),
            false => (random.u8(..=50), "fail_open"),
        };
        let breaker = match random.bool() {
            true => format!(
                ", circuit_breaker: {{ failure_threshold: {}, window: 5s, open_timeout: {}ms, success_threshold: {} }}",
                random.u8(1..6),
                random.u16(10..2000),
                random.u8(1..3)
            ),
            false => String::new(),
        };
        let limit = self.max_requests;
        let limit = limit.map_or(String::new(), |most| format!(", max_requests: {most}"));
        format!(
            "{breaker}{limit}, when_all_unhealthy: {without}, health_check: {{ slow_start: {}ms, \
             passive: {{ max_failures: {}, ejection_time: {}ms, max_ejected_percent: {ejected} }} }}",
            random.u16(..5000),
            random.u8(1..6),
            random.u16(10..3000)
        )
    }
}
