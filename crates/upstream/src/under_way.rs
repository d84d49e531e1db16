//! How many requests of a group are under way, where that is limited.

use std::sync::Arc;

use crate::Group;
use crate::standing::Peers;

/// One request's place among those of its group. Counted only in groups that
/// have a limit.
#[derive(Debug)]
#[must_use = "the request counts only while this exists"]
pub struct UnderWay(Arc<Peers>);

/// The group has as many requests under way as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowded;

impl Group {
    /// A place for one more request; none where there is no limit.
    ///
    /// # Errors
    ///
    /// When all are taken.
    pub fn enter(&self) -> Result<Option<UnderWay>, Crowded> {
        let (Some(most), Some(peers)) = (self.max_requests, self.peers.first()) else {
            return Ok(None);
        };
        match peers.enter(most) {
            true => Ok(Some(UnderWay(Arc::clone(peers)))),
            false => Err(Crowded),
        }
    }
}

impl Drop for UnderWay {
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
            assert_eq!(group.enter().unwrap_err(), Crowded);
        }
    }
}
