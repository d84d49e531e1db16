//! Active checks: a thread of their own asks every backend how it is.
//!
//! A backend is checked for as long as it is in the plan; a reload does not
//! interrupt it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use plan::{Check, Plan};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::Instant;
use tracing::debug;
use upstream::{Backend, HealthPolicy, State};

use crate::backend::names::Resolver;
use crate::health::check::check;
use crate::sockets::timers::Timers;
use crate::worker::event_loop;

/// Checks under way at a time.
const AT_ONCE: usize = 256;
/// Bad answers in a row after which the time between two checks doubles.
const PATIENCE: u32 = 5;
/// How long somebody who takes over waits for the first checks at most.
const FIRST_CHECKS: Duration = Duration::from_secs(10);
/// Between two looks at them.
const STEP: Duration = Duration::from_millis(10);

pub(crate) struct Checker {
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    /// The backends to check are those of this plan.
    Adopt(Arc<Plan>),
    /// Check this one now.
    Check {
        group: Box<str>,
        url: Box<str>,
        done: oneshot::Sender<Option<Checked>>,
    },
}

/// What a check has found.
pub type Checked = upstream::Check;

impl Checker {
    pub(crate) fn start(plan: Arc<Plan>, resolver: Arc<Resolver>) -> io::Result<Self> {
        let (orders, mut ordered) = mpsc::unbounded_channel();
        event_loop::spawn("forebay-checks".to_owned(), move |runtime| {
            runtime.block_on(async {
                let mut checks = Checks::new(resolver);
                checks.adopt(&plan);
                let mut plan = plan;
                loop {
                    match ordered.recv().await {
                        // Who gave the orders is gone.
                        None => return,
                        Some(Order::Adopt(new)) => {
                            checks.adopt(&new);
                            plan = new;
                        }
                        Some(Order::Check { group, url, done }) => {
                            checks.now(&plan, &group, &url, done);
                        }
                    }
                }
            });
        })?;
        Ok(Self { orders })
    }

    pub(crate) fn adopt(&self, plan: Arc<Plan>) {
        // Only the end of the program ends the thread.
        let _ = self.orders.send(Order::Adopt(plan));
    }

    /// Checks a backend now; none where there is no such backend, or its group
    /// has no checks.
    pub(crate) fn check(&self, group: &str, url: &str) -> oneshot::Receiver<Option<Checked>> {
        let (done, is_done) = oneshot::channel();
        let (group, url) = (group.into(), url.into());
        let _ = self.orders.send(Order::Check { group, url, done });
        is_done
    }
}

/// Backends that are not to be used before they have been checked are not, from
/// now on.
pub(crate) fn await_first_checks(plan: &Plan, now: std::time::Instant) {
    for group in &plan.groups {
        if group
            .check
            .as_ref()
            .is_some_and(|check| !check.assume_healthy)
        {
            for backend in &group.balance.backends {
                backend.standing.await_check(&group.balance.health, now);
            }
        }
    }
}

/// Waits until each of these backends has been checked once, but not for long.
/// Who takes over from a Forebay that serves has to be able to.
pub(crate) fn wait_for_first_checks(plan: &Plan) {
    let end = Instant::now() + FIRST_CHECKS;
    let is_unknown = |group: &plan::Group| {
        let now = Instant::now().into_std();
        let mut backends = group.balance.backends.iter();
        backends.any(|b| b.standing.view(&group.balance.health, now).state == State::Unknown)
    };
    while Instant::now() < end && plan.groups.iter().any(is_unknown) {
        std::thread::sleep(STEP);
    }
}

/// What is checked, by the backend's address in memory, which it keeps.
struct Checks {
    targets: HashMap<*const Backend, (Rc<Target>, AbortHandle)>,
    tools: Rc<Tools>,
}

struct Tools {
    resolver: Arc<Resolver>,
    timers: Rc<Timers>,
    room: Semaphore,
    random: RefCell<fastrand::Rng>,
}

/// A backend with how it is checked, which a reload may change.
struct Target {
    backend: Arc<Backend>,
    how: RefCell<How>,
}

#[derive(Clone)]
struct How {
    group: Box<str>,
    check: Arc<Check>,
    health: HealthPolicy,
}

impl Checks {
    fn new(resolver: Arc<Resolver>) -> Self {
        Self {
            targets: HashMap::new(),
            tools: Rc::new(Tools {
                resolver,
                timers: Timers::new(),
                room: Semaphore::new(AT_ONCE),
                random: RefCell::new(fastrand::Rng::new()),
            }),
        }
    }

    /// Checks the backends of this plan and no others.
    fn adopt(&mut self, plan: &Plan) {
        let mut before = std::mem::take(&mut self.targets);
        for group in &plan.groups {
            let Some(check) = &group.check else { continue };
            for backend in &group.balance.backends {
                let how = How {
                    group: group.balance.id.clone(),
                    check: Arc::clone(check),
                    health: group.balance.health.clone(),
                };
                let key = Arc::as_ptr(backend);
                let entry = match before.remove(&key) {
                    Some((target, task)) => {
                        target.how.replace(how);
                        (target, task)
                    }
                    None => self.begin(backend, how),
                };
                self.targets.insert(key, entry);
            }
        }
        for (_, task) in before.into_values() {
            task.abort();
        }
    }

    fn begin(&self, backend: &Arc<Backend>, how: How) -> (Rc<Target>, AbortHandle) {
        let target = Rc::new(Target {
            backend: Arc::clone(backend),
            how: RefCell::new(how),
        });
        let task = spawn_local(again_and_again(Rc::clone(&target), Rc::clone(&self.tools)));
        (target, task.abort_handle())
    }

    fn now(&self, plan: &Plan, group: &str, url: &str, done: oneshot::Sender<Option<Checked>>) {
        let groups = plan.groups.iter().map(|group| &group.balance);
        let group = groups.into_iter().find(|balance| *balance.id == *group);
        let backends = group.map_or(&[][..], |balance| &balance.backends);
        let backend = backends.iter().find(|backend| *backend.url == *url);
        let target = backend.and_then(|backend| self.targets.get(&Arc::as_ptr(backend)));
        let Some((target, _)) = target else {
            // Who asked may have stopped waiting.
            let _ = done.send(None);
            return;
        };
        let (target, tools) = (Rc::clone(target), Rc::clone(&self.tools));
        spawn_local(async move { done.send(Some(once(&target, &tools).await)) });
    }
}

/// The first check is at once.
async fn again_and_again(target: Rc<Target>, tools: Rc<Tools>) {
    let mut bad: u32 = 0;
    loop {
        let checked = once(&target, &tools).await;
        bad = match checked.error {
            None => 0,
            Some(_) => bad.saturating_add(1),
        };
        let how = target.how.borrow().clone();
        let pause = pause(&how.check, bad, tools.random.borrow_mut().f64());
        tokio::time::sleep(pause).await;
    }
}

/// Until the next check: a tenth more or less, so that not all come at once, and
/// longer where the backend has been unwell for long.
fn pause(check: &Check, bad: u32, random: f64) -> Duration {
    let doubled = check.interval.saturating_mul(1 << (bad / PATIENCE).min(16));
    doubled.min(check.max_interval).mul_f64(0.9 + 0.2 * random)
}

async fn once(target: &Target, tools: &Tools) -> Checked {
    // The semaphore is never closed.
    let _permit = tools.room.acquire().await;
    let How {
        group,
        check: how,
        health,
    } = target.how.borrow().clone();
    let began = Instant::now();
    let asking = check(&tools.resolver, &tools.timers, &target.backend, &how);
    let result = match tokio::time::timeout(how.timeout, asking).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {:?}", how.timeout)),
    };
    let ended = Instant::now();
    let checked = Checked {
        at: ended.into_std(),
        latency: ended.saturating_duration_since(began),
        error: result.err().map(Arc::from),
    };
    let (group, backend) = (&*group, &*target.backend.url);
    let (latency, error) = (checked.latency, checked.error.as_deref().unwrap_or("none"));
    debug!(group, backend, ?latency, error, "checked");
    target
        .backend
        .standing
        .checked(&health, checked.clone(), checked.at);
    checked
}

#[cfg(test)]
mod tests {
    use plan::Probe;

    use super::*;

    #[test]
    fn pauses_grow_while_a_backend_stays_unwell_and_are_bounded() {
        let check = Check {
            interval: Duration::from_secs(10),
            max_interval: Duration::from_secs(60),
            timeout: Duration::from_secs(1),
            assume_healthy: true,
            send_proxy_protocol: None,
            probe: Probe::Tcp,
        };
        for (bad, seconds) in [
            (0, 10),
            (4, 10),
            (5, 20),
            (9, 20),
            (10, 40),
            (15, 60),
            (u32::MAX, 60),
        ] {
            let middle = Duration::from_secs(seconds);
            assert_eq!(pause(&check, bad, 0.5), middle, "{bad}");
            assert!(pause(&check, bad, 0.0) >= middle.mul_f64(0.9));
            assert!(pause(&check, bad, 1.0) <= middle.mul_f64(1.1001));
        }
    }
}
