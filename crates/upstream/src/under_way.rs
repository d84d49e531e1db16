//! How many requests of a group are under way, where that is limited.

use std::sync::Arc;

use crate::Group;
use crate::adaptive::AdaptivePlace;
use crate::standing::Peers;

/// One request's place among those of its group. Counted only in groups that
/// have a limit.
#[derive(Debug)]
#[must_use = "the request counts only while this exists"]
pub struct UnderWay {
    _of_most: Option<Place>,
    _of_adaptive: Option<AdaptivePlace>,
}

/// The group has as many requests under way as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// As `max_requests` says.
    Most,
    /// As its latency says.
    Adaptive,
}

impl Group {
    /// A place for one more request; none where there is no limit.
    ///
    /// # Errors
    ///
    /// When all are taken.
    pub fn enter(&self) -> Result<Option<UnderWay>, Crowded> {
        if self.max_requests.is_none() && self.adaptive.is_none() {
            return Ok(None);
        }
        let of_most = match (self.max_requests, self.peers.first()) {
            (Some(most), Some(peers)) => Some(Place::take(peers, most).ok_or(Crowded::Most)?),
            _ => None,
        };
        let of_adaptive = match &self.adaptive {
            Some(limit) => Some(limit.enter().ok_or(Crowded::Adaptive)?),
            None => None,
        };
        Ok(Some(UnderWay {
            _of_most: of_most,
            _of_adaptive: of_adaptive,
        }))
    }
}

#[derive(Debug)]
struct Place(Arc<Peers>);

impl Place {
    fn take(peers: &Arc<Peers>, most: usize) -> Option<Self> {
        peers.enter(most).then(|| Self(Arc::clone(peers)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Strategy;
    use crate::group::tests::group;

    #[test]
    fn no_more_than_the_limit_and_every_place_comes_back() {
        let mut group = group(Strategy::Random, &[1, 1]);
        assert!(group.enter().unwrap().is_none());
        group.max_requests = Some(2);
        for _ in 0..3 {
            let held = [group.enter().unwrap(), group.enter().unwrap()];
            assert!(held.iter().all(Option::is_some));
            assert_eq!(group.enter().unwrap_err(), Crowded::Most);
        }
    }
}
