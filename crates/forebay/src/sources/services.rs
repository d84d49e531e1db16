//! Backends that register themselves.

use std::time::Duration;

use config::BackendUrl;
use plan::{BackendSource, RegistrySource};
use registry::find::Place;
use registry::{Serving, Shared as Registry};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::board::Board;

/// A look at a number, most of the time.
const EVERY: Duration = Duration::from_millis(100);

pub(super) async fn look(
    source: &BackendSource,
    wanted: &RegistrySource,
    board: &Board,
    registry: &Registry,
) {
    let mut seen = None;
    loop {
        if let Some(serving) = news(wanted, registry, &mut seen) {
            board.answers(source, places(serving, &wanted.scheme));
        }
        sleep(EVERY).await;
    }
}

/// All that serve now, if anything has changed since the version that was seen.
fn news(
    wanted: &RegistrySource,
    registry: &Registry,
    seen: &mut Option<u64>,
) -> Option<Vec<Serving>> {
    let mut registry = registry.lock();
    registry.expire(Instant::now().into_std());
    let version = registry.version(&wanted.name);
    let is_new = seen.replace(version) != Some(version);
    is_new.then(|| registry.serving(&wanted.name, &wanted.tags))
}

/// Those that speak what is wanted, and that can be asked.
fn places(serving: Vec<Serving>, scheme: &str) -> Vec<Place> {
    let speaks = |serving: &Serving| {
        let rest = serving.url.strip_prefix(scheme);
        rest.is_some_and(|rest| rest.starts_with("://"))
    };
    let place = |serving: Serving| match serving.url.parse::<BackendUrl>() {
        Ok(url) => Some(Place {
            url: url.to_string(),
            weight: serving.weight.into(),
        }),
        Err(why) => {
            let (id, url) = (serving.id, serving.url);
            warn!("the service {id} at {url} cannot be a backend: {why}");
            None
        }
    };
    serving
        .into_iter()
        .filter(speaks)
        .filter_map(place)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_backends_where_they_speak_what_is_wanted() {
        let serving = |id: &str, url: &str| Serving {
            id: id.into(),
            url: url.to_owned(),
            weight: 7,
        };
        let all = vec![
            serving("a", "http://10.0.0.1:80"),
            serving("b", "https://10.0.0.2:80"),
            serving("c", "http://bad url:80"),
            serving("d", "httpx://10.0.0.3:80"),
        ];
        let found = places(all, "http");
        let urls: Vec<_> = found.iter().map(|p| (&*p.url, p.weight)).collect();
        assert_eq!(urls, [("http://10.0.0.1:80", 7)]);
    }
}
