//! A group in simulated time: some slots that serve one request each and a
//! queue in front of them, as behind any server.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Adaptive, AdaptiveMode, AdaptiveTerms};

/// How long a request is served, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Service {
    /// Within 10 % of this.
    Even(f64),
    /// Exponentially distributed.
    Exponential(f64),
    /// Nine of ten take this and are even, the tenth that.
    Mixed(f64, f64),
}

impl Service {
    pub(super) fn mean(self) -> f64 {
        match self {
            Service::Even(mean) | Service::Exponential(mean) => mean,
            Service::Mixed(fast, slow) => 0.9 * fast + 0.1 * slow,
        }
    }

    pub(super) fn slower(self, by: f64) -> Self {
        match self {
            Service::Even(mean) => Service::Even(mean * by),
            Service::Exponential(mean) => Service::Exponential(mean * by),
            Service::Mixed(fast, slow) => Service::Mixed(fast * by, slow * by),
        }
    }

    fn draw(self, rng: &mut Rng) -> f64 {
        let even = |mean: f64, rng: &mut Rng| mean * (0.9 + 0.2 * rng.f64());
        match self {
            Service::Even(mean) => even(mean, rng),
            Service::Exponential(mean) => exponential(mean, rng),
            Service::Mixed(fast, slow) => match rng.u8(..10) {
                0 => even(slow, rng),
                _ => even(fast, rng),
            },
        }
    }
}

fn exponential(mean: f64, rng: &mut Rng) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}

/// What clients do for a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) seconds: f64,
    /// Relative to what the slots can do.
    pub(super) load: f64,
    /// Requests that arrive at a time.
    pub(super) burst: u32,
    pub(super) service: Service,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) arrived: u64,
    pub(super) refused: u64,
    /// Answered while the client was still there.
    pub(super) good: u64,
    pub(super) left: u64,
    pub(super) most_under_way: usize,
    /// Refused within the last third of the phase.
    pub(super) refused_late: u64,
    pub(super) seconds: f64,
    pub(super) capacity: f64,
    pub(super) limit: usize,
}

impl Outcome {
    /// Good answers relative to what the slots can do.
    pub(super) fn goodput(&self) -> f64 {
        self.good as f64 / self.seconds / self.capacity
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// A slot has served this request.
    Served(usize),
    /// A client has waited for as long as it would.
    Leaves(usize),
    /// Another second has passed.
    Tick,
}

struct Request {
    arrived: u64,
    service: u64,
    is_here: bool,
}

#[expect(clippy::disallowed_methods, reason = "a test begins some time")]
pub(super) fn beginning() -> Instant {
    Instant::now()
}

pub(super) struct Simulation {
    pub(super) limit: Adaptive,
    pub(super) mode: Option<AdaptiveMode>,
    slots: usize,
    /// Clients leave after this, in microseconds. The server does not notice.
    timeout: u64,
    rng: Rng,
    now: u64,
    start: Instant,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    requests: Vec<Request>,
    waiting: VecDeque<usize>,
    busy: usize,
}

impl Simulation {
    pub(super) fn new(slots: usize, timeout: f64, seed: u64) -> Self {
        let terms = AdaptiveTerms {
            min_limit: 10,
            max_limit: 10_000,
            tolerance_percent: 200,
        };
        Self {
            limit: Adaptive::new(terms),
            mode: Some(AdaptiveMode::On),
            slots,
            timeout: timeout as u64,
            rng: Rng::with_seed(seed),
            now: 0,
            start: beginning(),
            events: BinaryHeap::from([Reverse((0, Event::Tick))]),
            requests: Vec::new(),
            waiting: VecDeque::new(),
            busy: 0,
        }
    }

    fn instant(&self) -> Instant {
        self.start + Duration::from_micros(self.now)
    }

    pub(super) fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    pub(super) fn run(&mut self, phase: Phase) -> Outcome {
        let capacity = self.slots as f64 * 1e6 / phase.service.mean();
        let between = 1e6 * f64::from(phase.burst) / (capacity * phase.load);
        let (begin, end) = (self.now, self.now + (phase.seconds * 1e6) as u64);
        let late = begin + (end - begin) / 3 * 2;
        let mut outcome = Outcome {
            seconds: phase.seconds,
            capacity,
            ..Outcome::default()
        };
        if phase.load > 0.0 {
            self.events.push(Reverse((begin, Event::Arrival)));
        }
        while let Some(Reverse((at, event))) = self.events.pop() {
            if at >= end {
                if event != Event::Arrival {
                    self.events.push(Reverse((at, event)));
                }
                break;
            }
            self.now = at;
            match event {
                Event::Arrival => {
                    let next = at + exponential(between, &mut self.rng) as u64;
                    self.events.push(Reverse((next, Event::Arrival)));
                    // As many as that on average; always one where bursts are.
                    for _ in 0..self.rng.u32(1..phase.burst * 2) {
                        let is_refused = self.arrives(phase.service, &mut outcome);
                        outcome.refused_late += u64::from(is_refused && at >= late);
                    }
                }
                Event::Served(request) => self.served(request, &mut outcome),
                Event::Leaves(request) => self.leaves(request, &mut outcome),
                Event::Tick => {
                    self.limit.tick(self.instant());
                    self.events.push(Reverse((at + 1_000_000, Event::Tick)));
                }
            }
        }
        // The arrival that was due next may still lie there.
        self.events
            .retain(|Reverse((_, event))| *event != Event::Arrival);
        self.now = end;
        outcome.limit = self.limit.figures().limit;
        outcome
    }

    fn arrives(&mut self, service: Service, outcome: &mut Outcome) -> bool {
        outcome.arrived += 1;
        let under_way = self.limit.figures().under_way;
        outcome.most_under_way = outcome.most_under_way.max(under_way);
        if self.mode.is_some_and(|mode| !self.limit.enter(mode)) {
            outcome.refused += 1;
            return true;
        }
        let request = self.requests.len();
        let service = service.draw(&mut self.rng) as u64;
        self.requests.push(Request {
            arrived: self.now,
            service,
            is_here: true,
        });
        let leaves = (self.now + self.timeout, Event::Leaves(request));
        self.events.push(Reverse(leaves));
        self.waiting.push_back(request);
        self.serve();
        false
    }

    fn serve(&mut self) {
        while self.busy < self.slots
            && let Some(request) = self.waiting.pop_front()
        {
            self.busy += 1;
            let at = self.now + self.requests[request].service;
            self.events.push(Reverse((at, Event::Served(request))));
        }
    }

    fn served(&mut self, request: usize, outcome: &mut Outcome) {
        self.busy -= 1;
        if self.requests[request].is_here {
            self.requests[request].is_here = false;
            outcome.good += 1;
            if self.mode.is_some() {
                let latency = Duration::from_micros(self.now - self.requests[request].arrived);
                self.limit.answered(latency, self.instant());
                self.limit.leave();
            }
        }
        self.serve();
    }

    fn leaves(&mut self, request: usize, outcome: &mut Outcome) {
        if std::mem::replace(&mut self.requests[request].is_here, false) {
            outcome.left += 1;
            if self.mode.is_some() {
                let waited = Duration::from_micros(self.timeout);
                self.limit.unanswered(waited, self.instant());
                self.limit.leave();
            }
        }
    }
}
