//! What the registry promises: tables, and a model that keeps everything in
//! lists.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::watch::Ended;
use crate::{Event, Registration, WrittenAddress, WrittenTtl};

pub(crate) fn registry() -> Registry {
    Registry::new(Limits::default(), 1)
}

pub(crate) fn service(id: &str, name: &str) -> Arc<Service> {
    Arc::new(service_with(id, name, &[], 30))
}

pub(crate) fn service_with(id: &str, name: &str, tags: &[&str], ttl: u64) -> Service {
    let registration = Registration {
        id: Some(id.to_owned()),
        name: name.to_owned(),
        address: WrittenAddress::Text("10.0.0.1:80".to_owned()),
        scheme: None,
        metadata: BTreeMap::new(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        ttl: Some(WrittenTtl::Seconds(ttl as f64)),
    };
    Service::check(registration, 0).unwrap()
}

fn named(name: &str) -> Filter {
    Filter {
        name: Some(name.to_owned()),
        tags: Vec::new(),
    }
}

fn tagged(tag: &str) -> Filter {
    Filter {
        name: None,
        tags: vec![tag.to_owned()],
    }
}

fn ids(registry: &Registry, filter: &Filter) -> Vec<String> {
    registry
        .list(filter)
        .map(|service| service.id().to_string())
        .collect()
}

fn seen(events: &[Arc<Event>]) -> Vec<(Change, &str)> {
    events
        .iter()
        .map(|event| (event.change, &**event.service.id()))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a test begins some time")]
fn clock() -> impl Fn(u64) -> Instant {
    let start = Instant::now();
    move |millis| start + Duration::from_millis(millis)
}

#[test]
fn a_service_comes_changes_and_goes() {
    let at = clock();
    let mut registry = registry();
    let start = registry.cursor();
    let first = service_with("a", "web", &["v1"], 30);
    assert_eq!(
        registry.register(first.clone(), at(0)),
        Ok(Outcome::Registered)
    );
    let version = registry.version("web");
    assert_eq!(registry.register(first, at(1)), Ok(Outcome::Renewed));
    let other_ttl = service_with("a", "web", &["v1"], 60);
    assert_eq!(registry.register(other_ttl, at(2)), Ok(Outcome::Renewed));
    assert_eq!(registry.get("a").map(|a| a.ttl().as_secs()), Some(60));
    assert_eq!(
        registry.version("web"),
        version,
        "a lease is nobody's business"
    );
    let other_tag = service_with("a", "web", &["v2"], 60);
    assert_eq!(registry.register(other_tag, at(3)), Ok(Outcome::Updated));
    assert!(registry.version("web") > version);
    assert!(registry.deregister("a", at(4)).is_ok());
    assert_eq!(registry.deregister("a", at(5)), Err(Unknown));
    assert_eq!(registry.heartbeat("a", at(5)), Err(Unknown));
    assert_eq!((registry.version("web"), registry.next_expiry()), (0, None));
    let page = registry.since(start, 10, &Filter::default()).unwrap();
    let changes = [Change::Registered, Change::Updated, Change::Deregistered];
    assert_eq!(seen(&page.events), changes.map(|change| (change, "a")));
    assert_eq!(
        seen(&registry.since(start, 10, &tagged("v1")).unwrap().events).len(),
        2
    );
}

#[test]
fn a_lease_is_over_when_its_time_has_come() {
    let at = clock();
    let mut registry = registry();
    registry
        .register(service_with("a", "web", &[], 10), at(0))
        .unwrap();
    registry
        .register(service_with("b", "web", &[], 10), at(0))
        .unwrap();
    assert_eq!(
        registry.heartbeat("a", at(9_000)),
        Ok(Duration::from_secs(10))
    );
    assert_eq!(registry.expire(at(9_999)), 0);
    let next = registry.next_expiry().unwrap();
    assert!((at(10_000)..=at(11_000)).contains(&next));
    assert_eq!(registry.expire(next), 1);
    assert_eq!(ids(&registry, &Filter::default()), ["a"]);
    // Nobody has looked, and yet it is over.
    assert_eq!(registry.heartbeat("a", at(19_000)), Err(Unknown));
    let again = service_with("a", "web", &[], 10);
    assert_eq!(
        registry.register(again, at(19_000)),
        Ok(Outcome::Registered)
    );
}

#[test]
fn a_service_may_move_to_another_name() {
    let at = clock();
    let mut registry = registry();
    registry
        .register(service_with("a", "web", &[], 10), at(0))
        .unwrap();
    let before = registry.cursor();
    registry
        .register(service_with("a", "api", &[], 10), at(0))
        .unwrap();
    assert_eq!((registry.version("web"), registry.version("api")), (0, 2));
    assert_eq!(ids(&registry, &named("web")), [""; 0]);
    assert_eq!(ids(&registry, &named("api")), ["a"]);
    for name in ["web", "api"] {
        let page = registry.since(before, 10, &named(name)).unwrap();
        assert_eq!(seen(&page.events), [(Change::Updated, "a")], "{name}");
    }
}

#[test]
fn there_is_a_most_but_those_who_are_there_may_stay() {
    let at = clock();
    let limits = Limits {
        services: 2,
        ..Limits::default()
    };
    let mut registry = Registry::new(limits, 1);
    registry
        .register(service_with("a", "web", &[], 10), at(0))
        .unwrap();
    registry
        .register(service_with("b", "web", &[], 20), at(0))
        .unwrap();
    let third = service_with("c", "web", &[], 10);
    assert_eq!(
        registry.register(third.clone(), at(0)),
        Err(Full { most: 2 })
    );
    let changed = service_with("a", "web", &["v2"], 10);
    assert_eq!(registry.register(changed, at(0)), Ok(Outcome::Updated));
    assert_eq!(
        registry.register(third, at(10_000)),
        Ok(Outcome::Registered)
    );
    assert_eq!(ids(&registry, &Filter::default()), ["b", "c"]);
}

#[test]
fn who_serves_is_told_in_order() {
    let at = clock();
    let mut registry = registry();
    for (id, name, tags) in [
        ("c", "web", &["v1", "eu"][..]),
        ("a", "web", &["v1"]),
        ("d", "api", &["v1", "eu"]),
        ("b", "web", &["eu", "v1", "x"]),
    ] {
        registry
            .register(service_with(id, name, tags, 10), at(0))
            .unwrap();
    }
    let serving = registry.serving("web", &["v1", "eu"]);
    let seen: Vec<_> = serving
        .iter()
        .map(|s| (&*s.id, &*s.url, s.weight))
        .collect();
    let url = "http://10.0.0.1:80";
    assert_eq!(seen, [("b", url, 1), ("c", url, 1)]);
    assert_eq!(registry.serving::<&str>("web", &[]).len(), 3);
    assert_eq!(registry.serving("web", &["v2"]), []);
    assert_eq!(ids(&registry, &tagged("eu")), ["d", "b", "c"]);
    assert_eq!(ids(&registry, &named("none")), [""; 0]);
}

#[test]
fn watching_goes_on_where_a_list_or_a_page_ended() {
    let at = clock();
    let limits = Limits {
        mailbox: 2,
        events: 4,
        ..Limits::default()
    };
    let mut registry = Registry::new(limits, 1);
    let start = registry.cursor();
    let mut watcher = registry.watch(start, named("web")).unwrap();
    for id in ["a", "b", "c"] {
        registry
            .register(service_with(id, "web", &[], 10), at(0))
            .unwrap();
    }
    assert_eq!(watcher.try_next().map(|e| e.is_ok()), Some(true));
    assert_eq!(watcher.try_next().map(|e| e.is_ok()), Some(true));
    assert_eq!(watcher.try_next(), Some(Err(Ended::TooSlow)));
    assert_eq!(registry.watchers(), 0);
    let mut again = registry.watch(watcher.cursor(), named("web")).unwrap();
    let event = again.try_next().unwrap().unwrap();
    assert_eq!(&**event.service.id(), "c");
    assert_eq!(
        registry.watch(start, named("web")).err(),
        Some(NoWatch::Behind)
    );
    registry.expire(at(10_000));
    assert_eq!(
        registry.watch(start, named("web")).err(),
        Some(NoWatch::Gone)
    );
}

/// Something that clients or time do.
#[derive(Debug, Clone)]
enum Step {
    Register {
        id: u8,
        name: u8,
        tag: bool,
        ttl: u64,
    },
    Deregister(u8),
    Heartbeat(u8),
    Expire,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..6_u8;
    prop_oneof![
        4 => (id.clone(), 0..2_u8, any::<bool>(), 1..5_u64)
            .prop_map(|(id, name, tag, ttl)| Step::Register { id, name, tag, ttl }),
        1 => id.clone().prop_map(Step::Deregister),
        3 => id.prop_map(Step::Heartbeat),
        1 => Just(Step::Expire),
        3 => (0..3_000_u64).prop_map(Step::Pass),
    ]
}

/// The registry as a person would keep it: one list of services, one of all
/// events.
#[derive(Default)]
struct Model {
    /// Service and end of its lease, in milliseconds, by id.
    services: BTreeMap<String, (Service, u64)>,
    events: Vec<(Change, String)>,
    now: u64,
}

const MOST: usize = 4;

impl Model {
    fn expire(&mut self) -> usize {
        let now = self.now;
        let mut over: Vec<_> = self
            .services
            .extract_if(.., |_, (_, ends)| *ends <= now)
            .collect();
        over.sort_by(|(a, (_, a_ends)), (b, (_, b_ends))| (a_ends, a).cmp(&(b_ends, b)));
        let count = over.len();
        let gone = over.into_iter().map(|(id, _)| (Change::Expired, id));
        self.events.extend(gone);
        count
    }

    fn register(&mut self, service: Service) -> Result<Outcome, Full> {
        self.expire();
        let id = service.id().to_string();
        let ends = self.now + service.ttl().as_millis() as u64;
        let outcome = match self.services.get(&id) {
            None if self.services.len() >= MOST => return Err(Full { most: MOST }),
            None => Outcome::Registered,
            Some((was, _)) if was.name() == service.name() && was.tags() == service.tags() => {
                Outcome::Renewed
            }
            Some(_) => Outcome::Updated,
        };
        match outcome {
            Outcome::Registered => self.events.push((Change::Registered, id.clone())),
            Outcome::Updated => self.events.push((Change::Updated, id.clone())),
            Outcome::Renewed => {}
        }
        self.services.insert(id, (service, ends));
        Ok(outcome)
    }

    fn heartbeat(&mut self, id: &str) -> Result<Duration, Unknown> {
        self.expire();
        let (service, ends) = self.services.get_mut(id).ok_or(Unknown)?;
        *ends = self.now + service.ttl().as_millis() as u64;
        Ok(service.ttl())
    }

    fn deregister(&mut self, id: &str) -> bool {
        self.expire();
        let known = self.services.remove(id).is_some();
        if known {
            self.events.push((Change::Deregistered, id.to_owned()));
        }
        known
    }
}

/// One with room for as many services as the model has.
fn few(events: usize) -> Registry {
    let limits = Limits {
        services: MOST,
        events,
        ..Limits::default()
    };
    Registry::new(limits, 1)
}

/// Takes one step in both, which must agree on what it comes to.
fn take(step: &Step, registry: &mut Registry, model: &mut Model, at: &impl Fn(u64) -> Instant) {
    let now = at(model.now);
    match step {
        Step::Register { id, name, tag, ttl } => {
            let tags: &[&str] = if *tag { &["t"] } else { &[] };
            let service = service_with(&id.to_string(), ["web", "api"][*name as usize], tags, *ttl);
            assert_eq!(
                registry.register(service.clone(), now),
                model.register(service)
            );
        }
        Step::Deregister(id) => {
            let gone = registry.deregister(&id.to_string(), now).is_ok();
            assert_eq!(gone, model.deregister(&id.to_string()));
        }
        Step::Heartbeat(id) => {
            let id = id.to_string();
            assert_eq!(registry.heartbeat(&id, now), model.heartbeat(&id));
        }
        Step::Expire => assert_eq!(registry.expire(now), model.expire()),
        Step::Pass(millis) => model.now += millis,
    }
}

fn agree(registry: &Registry, model: &Model, at: &impl Fn(u64) -> Instant) {
    let mut known: Vec<_> = model.services.values().collect();
    known.sort_by_key(|(service, _)| (service.name().to_string(), service.id().to_string()));
    for filter in [Filter::default(), named("web"), named("api"), tagged("t")] {
        let listed = registry.list(&filter).map(|service| &**service);
        let wanted = known.iter().map(|(service, _)| service);
        assert!(listed.eq(wanted.filter(|service| filter.takes(service))));
    }
    for (service, ends) in known {
        let left = registry.left(service.id(), at(model.now)).unwrap();
        assert_eq!(left.as_millis() as u64, ends.saturating_sub(model.now));
        assert!(
            left <= service.ttl(),
            "no lease is longer than its time to live"
        );
        assert_eq!(
            registry.get(service.id()).map(|service| &**service),
            Some(service)
        );
    }
    assert_eq!(registry.len(), model.services.len());
    let soonest = model
        .services
        .values()
        .map(|(_, ends)| at(ends + 500))
        .min();
    assert!(registry.next_expiry() <= soonest, "no expiry is late");
    assert_eq!(registry.next_expiry().is_some(), soonest.is_some());
}

proptest! {
    #[test]
    fn it_does_what_a_list_does(steps in prop::collection::vec(step(), 0..80)) {
        let at = clock();
        let mut registry = few(8);
        let mut model = Model::default();
        for step in &steps {
            take(step, &mut registry, &mut model, &at);
            agree(&registry, &model, &at);
        }
        let numbered = registry.cursor().number;
        prop_assert_eq!(numbered, model.events.len() as u64);
    }

    /// Someone who polls now and then sees every event once and in order, or is
    /// told that some are gone.
    #[test]
    fn the_log_gives_every_event_once_or_says_that_some_are_gone(
        steps in prop::collection::vec((step(), prop::option::of(0..5_usize)), 0..120),
    ) {
        let at = clock();
        let mut registry = few(8);
        let mut model = Model::default();
        let mut cursor = registry.cursor();
        for (step, poll) in &steps {
            take(step, &mut registry, &mut model, &at);
            let Some(limit) = poll else { continue };
            let missed = &model.events[cursor.number as usize..];
            match registry.since(cursor, *limit, &Filter::default()) {
                Ok(page) => {
                    let first: Vec<_> = missed.iter().take(*limit).map(|(c, id)| (*c, &**id)).collect();
                    prop_assert_eq!(seen(&page.events), first);
                    prop_assert_eq!(page.more, missed.len() > *limit);
                    prop_assert_eq!(page.next.number, cursor.number + page.events.len() as u64);
                    cursor = page.next;
                }
                Err(Gone) => {
                    prop_assert!(missed.len() > 8);
                    cursor = registry.cursor();
                }
            }
        }
    }

    /// Someone who keeps a copy from events alone has what the registry has,
    /// also of one name or one tag; the version tells when to look.
    #[test]
    fn a_copy_made_of_events_is_true(
        steps in prop::collection::vec(step(), 0..80),
        filter in prop::sample::select(vec![Filter::default(), named("web"), tagged("t")]),
    ) {
        let at = clock();
        let mut registry = few(100);
        let mut model = Model::default();
        let mut watcher = registry.watch(registry.cursor(), filter.clone()).unwrap();
        let mut copy = BTreeMap::new();
        let mut served = (registry.version("web"), registry.serving("web", &["t"]));
        for step in &steps {
            take(step, &mut registry, &mut model, &at);
            while let Some(Ok(event)) = watcher.try_next() {
                let id = event.service.id().to_string();
                let stays = matches!(event.change, Change::Registered | Change::Updated);
                if stays && filter.takes(&event.service) {
                    copy.insert(id, Arc::clone(&event.service));
                } else {
                    copy.remove(&id);
                }
            }
            let mut listed: Vec<_> = registry.list(&filter).map(|s| s.id().to_string()).collect();
            listed.sort();
            prop_assert!(listed.iter().eq(copy.keys()));
            let serves = (registry.version("web"), registry.serving("web", &["t"]));
            prop_assert!(served.0 != serves.0 || served.1 == serves.1);
            served = serves;
        }
    }
}
