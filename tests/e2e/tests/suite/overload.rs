//! A limit of requests under way that follows the latency.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use forebay_e2e::{Backend, Client, Config, Forebay, Reply, Scratch, StopAtEnd, forebay, until};

const SLOTS: usize = 8;
const SERVICE: Duration = Duration::from_millis(20);

/// Clients do not wait for longer.
const PATIENCE: Duration = Duration::from_millis(200);

/// Serves so many requests at a time; the others wait, also those that nobody
/// wants any longer.
struct Slots {
    free: Mutex<usize>,
    freed: Condvar,
    served: AtomicU64,
}

impl Slots {
    fn serve(&self) {
        let free = self.free.lock().unwrap();
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap();
        *free -= 1;
        drop(free);
        thread::sleep(SERVICE);
        *self.free.lock().unwrap() += 1;
        self.freed.notify_one();
        self.served.fetch_add(1, Ordering::Relaxed);
    }
}

/// Such a backend behind Forebay.
fn start(mode: &str) -> (Forebay, Backend, Arc<Slots>) {
    let slots = Arc::new(Slots {
        free: Mutex::new(SLOTS),
        freed: Condvar::new(),
        served: AtomicU64::new(0),
    });
    let serving = Arc::clone(&slots);
    let backend = Backend::answering(move |_| {
        serving.serve();
        Reply::ok("ok")
    });
    let forebay = Config::to(&backend)
        .group(&format!("adaptive_concurrency: {mode}"))
        .group("connection_pool: { max_connections_per_host: 10000 }")
        .start();
    (forebay, backend, slots)
}

#[derive(Default)]
struct Counts {
    good: AtomicU64,
    refused: AtomicU64,
    /// Refused, but not at once.
    refused_late: AtomicU64,
    left: AtomicU64,
}

impl Counts {
    fn all(&self) -> [u64; 4] {
        [&self.good, &self.refused, &self.refused_late, &self.left]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

/// Asks at a steady pace, whatever becomes of the requests, until told to stop.
fn ask(forebay: &Forebay, every: Duration, first: Duration, counts: &Counts, stop: &AtomicBool) {
    let mut client: Option<Client> = None;
    let mut next = Instant::now() + first;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += every;
        let asked = Instant::now();
        let mut asking = client.take().unwrap_or_else(|| forebay.client());
        asking.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let count = match asking.is_silent_for(PATIENCE) {
            true => &counts.left,
            false => {
                let response = asking.response();
                client = Some(asking);
                match response.status {
                    200 => &counts.good,
                    503 => {
                        assert_eq!(response.reason(), Some("concurrency_limit_reached"));
                        assert_eq!(response.get("retry-after"), Some("1"));
                        let is_late = asked.elapsed() > PATIENCE / 2;
                        counts
                            .refused_late
                            .fetch_add(u64::from(is_late), Ordering::Relaxed);
                        &counts.refused
                    }
                    status => panic!("{status}"),
                }
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks for so many times what the slots can do, and lets the test watch.
fn under_load<T>(forebay: &Forebay, load: f64, watch: impl FnOnce(&Counts) -> T) -> T {
    let capacity = SLOTS as f64 / SERVICE.as_secs_f64();
    // None is still waiting when its next turn comes.
    let clients = (capacity * load * PATIENCE.as_secs_f64() * 1.2) as u32;
    let every = Duration::from_secs_f64(f64::from(clients) / (capacity * load));
    let (counts, stop) = (Counts::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for n in 0..clients {
            let (counts, stop) = (&counts, &stop);
            scope.spawn(move || ask(forebay, every, every * n / clients, counts, stop));
        }
        let _stop = StopAtEnd(&stop);
        watch(&counts)
    })
}

/// A group in which Forebay has seen what is usual.
fn experience(forebay: &Forebay) {
    under_load(forebay, 0.5, |counts| {
        until("some are answered", || {
            (counts.all()[0] > 200).then_some(())
        });
        // On a busy machine, a client may lose its patience.
        assert_eq!(counts.all()[1..3], [0, 0]);
    });
}

#[test]
fn under_overload_the_backends_work_for_those_who_still_wait() {
    let (forebay, _backend, slots) = start("\"on\"");
    experience(&forebay);
    let [good, refused, late, served] = under_load(&forebay, 3.0, |counts| {
        until("it is noticed", || (counts.all()[1] > 500).then_some(()));
        // What had been let through before is served first, and in vain.
        let before = counts.all()[0];
        until("the queue is gone", || {
            (counts.all()[0] > before + 100).then_some(())
        });
        let before = (counts.all(), slots.served.load(Ordering::Relaxed));
        thread::sleep(Duration::from_millis(2500));
        let after = (counts.all(), slots.served.load(Ordering::Relaxed));
        let since = |at: usize| after.0[at] - before.0[at];
        [since(0), since(1), since(2), after.1 - before.1]
    });
    println!("good {good}, refused {refused} ({late} late), served {served}");
    assert!(served > 250, "the slots are busy: {served}");
    assert!(good * 10 >= served * 9, "{good} of {served}");
    assert!(refused > good, "{refused} {good}");
    assert!(late * 10 <= refused, "{late} of {refused}");
    let metrics = forebay.metrics();
    let group = [("group", "app")];
    assert!(metrics.sum("forebay_group_concurrency_limit", &group) < 100.0);
    assert!(metrics.sum("forebay_group_concurrency_refused_total", &group) >= refused as f64);
}

/// Without a request the limit grows back, and who asks then is let in.
#[test]
fn the_limit_is_forgotten_in_silence() {
    let (forebay, _backend, _slots) = start("\"on\"");
    experience(&forebay);
    let group = [("group", "app")];
    let limit = || {
        forebay
            .metrics()
            .sum("forebay_group_concurrency_limit", &group)
    };
    under_load(&forebay, 3.0, |_| {
        until("it is noticed", || (limit() < 100.0).then_some(()));
    });
    forebay.wait_metric("forebay_group_concurrency_limit", &group, 10_000.0);
}

#[test]
fn half_of_the_load_is_never_refused() {
    let (forebay, _backend, _slots) = start("{ mode: \"on\" }");
    experience(&forebay);
    under_load(&forebay, 0.5, |counts| {
        thread::sleep(Duration::from_millis(2500));
        assert_eq!(counts.all()[1], 0, "{:?}", counts.all());
    });
    let metrics = forebay.metrics();
    let group = [("group", "app")];
    let of = |name: &str| metrics.sum(&format!("forebay_group_{name}"), &group);
    assert_eq!(of("concurrency_refused_total"), 0.0);
    assert_eq!(of("concurrency_limit"), 10_000.0);
    assert!(of("latency_base_seconds") >= 0.02);
    assert!(of("latency_current_seconds") >= 0.02);
    forebay.wait_metric("forebay_group_concurrency", &group, 0.0);
}

#[test]
fn shadow_says_what_it_would_do() {
    let (forebay, _backend, _slots) = start("shadow");
    experience(&forebay);
    let group = [("group", "app")];
    let of = |name: &str| {
        forebay
            .metrics()
            .sum(&format!("forebay_group_{name}"), &group)
    };
    under_load(&forebay, 3.0, |counts| {
        until("it would refuse", || {
            (of("concurrency_refused_total") > 0.0).then_some(())
        });
        thread::sleep(Duration::from_millis(500));
        assert_eq!(counts.all()[1], 0, "{:?}", counts.all());
    });
    assert!(of("latency_current_seconds") > of("latency_base_seconds"));
}

#[test]
fn explain_says_the_limit() {
    let scratch = Scratch::new();
    let config = Config::to_urls(["http://127.0.0.1:1".to_owned()]);
    let config = config.group("adaptive_concurrency: { mode: shadow, max_limit: 300 }");
    let file = scratch.write("forebay.yaml", &config.yaml());
    let explained = forebay(&["explain", "-c", &file, "/"]);
    let said = "adaptive limit 300 (only reported), 0 under way, 0 of them waiting for a connection; \
                latency not known yet";
    assert!(explained.stdout.contains(said), "{}", explained.stdout);
}
