//! A lease that is kept for as long as the program runs.

use std::time::Duration;

use serde_json::Value;

use crate::client::Client;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// One service's place in the registry.
pub(super) struct Lease {
    client: Client,
    registration: Value,
    /// What it is called there, while it has a lease.
    id: Option<String>,
    state: State,
}

/// How it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    ttl: Duration,
    /// In a row.
    failures: u32,
}

/// What came of a try.
pub(super) struct Tried {
    /// Before the next one.
    pub(super) wait: Duration,
    /// For people, where there is something new.
    pub(super) news: Option<String>,
}

impl Lease {
    pub(super) fn new(client: Client, registration: Value) -> Self {
        Self {
            client,
            registration,
            id: None,
            state: State {
                ttl: Duration::from_secs(30),
                failures: 0,
            },
        }
    }

    /// Gets the lease, or makes it longer.
    pub(super) fn keep(&mut self) -> Tried {
        let result = match self.id.clone() {
            Some(id) => self.heartbeat(&id),
            None => self.register().map(Some),
        };
        match result {
            Ok(news) => {
                let was_failing = std::mem::take(&mut self.state.failures) > 0;
                let again = || was_failing.then(|| "the admin API answers again".to_owned());
                Tried {
                    wait: self.state.wait(),
                    news: news.or_else(again),
                }
            }
            Err(why) => {
                self.state.failures = self.state.failures.saturating_add(1);
                let is_first = self.state.failures == 1;
                Tried {
                    wait: self.state.wait(),
                    news: is_first.then(|| format!("{why}; trying again")),
                }
            }
        }
    }

    fn register(&mut self) -> Result<String, String> {
        let body = Some(&self.registration);
        let (status, answer) = self.client.ask("POST", "/v1/services", body)?;
        match (status, answer["id"].as_str()) {
            (200 | 201, Some(id)) => {
                self.state.take_ttl(&answer["expires_in"]);
                self.id = Some(id.to_owned());
                Ok(format!("registered as {id}"))
            }
            _ => Err(refused(status, &answer)),
        }
    }

    fn heartbeat(&mut self, id: &str) -> Result<Option<String>, String> {
        let target = format!("/v1/services/{id}/heartbeat");
        let (status, answer) = self.client.ask("PUT", &target, None)?;
        match status {
            200 => {
                self.state.take_ttl(&answer["ttl_seconds"]);
                Ok(None)
            }
            // The lease is over, or there is another Forebay.
            404 => {
                self.id = None;
                let again = self.register()?;
                Ok(Some(format!("the lease was lost: {again}")))
            }
            _ => Err(refused(status, &answer)),
        }
    }

    /// Leaves. What goes wrong, time will mend.
    pub(super) fn leave(&mut self) -> Result<(), String> {
        let Some(id) = self.id.take() else {
            return Ok(());
        };
        let target = format!("/v1/services/{id}");
        let (status, answer) = self.client.ask("DELETE", &target, None)?;
        match status {
            204 | 404 => Ok(()),
            _ => Err(refused(status, &answer)),
        }
    }
}

impl State {
    /// A third of the lease, so that two heartbeats may be lost; after failures
    /// sooner.
    fn wait(self) -> Duration {
        let third = self.ttl / 3;
        match self.failures {
            0 => third,
            failures => {
                let doubled = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
                let wait = FIRST_WAIT.saturating_mul(doubled);
                wait.min(LONGEST_WAIT).min(third)
            }
        }
    }

    fn take_ttl(&mut self, seconds: &Value) {
        let ttl = seconds.as_f64().map(Duration::try_from_secs_f64);
        if let Some(Ok(ttl)) = ttl {
            self.ttl = ttl.max(Duration::from_millis(300));
        }
    }
}

fn refused(status: u16, answer: &Value) -> String {
    let why = answer["detail"].as_str().unwrap_or("no reason is given");
    format!("the admin API refuses it with {status}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_a_third_of_the_lease_and_shorter_after_failures() {
        let mut state = State {
            ttl: Duration::ZERO,
            failures: 0,
        };
        state.take_ttl(&30.0.into());
        for (failures, millis) in [
            (0, 10_000),
            (1, 500),
            (2, 1000),
            (5, 8000),
            (6, 10_000),
            (99, 10_000),
        ] {
            state.failures = failures;
            assert_eq!(state.wait(), Duration::from_millis(millis), "{failures}");
        }
        for nonsense in [Value::Null, (-1.0).into(), "x".into()] {
            state.take_ttl(&nonsense);
            assert_eq!(state.ttl, Duration::from_secs(30));
        }
        state.take_ttl(&0.3.into());
        state.failures = 1;
        assert_eq!(state.wait(), Duration::from_millis(100));
    }
}
