//! Services that do not register themselves: what is known of them by name.
//!
//! [`Question`] says what to look up, [`LookUp`] looks it up, [`Question::ask`]
//! makes places of the answers, and [`Known`] keeps what was found last while
//! there is no good answer.

mod intervals;
mod known;
mod question;
mod srv;

pub use intervals::Intervals;
pub use known::{Known, News};
pub use question::{Answer, LookUp, NoAnswer, Question};
pub use srv::Target;

/// Where requests can be sent, and the share of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Such as `http://10.0.0.1:8080`.
    pub url: String,
    pub weight: u32,
}

/// Places in order, each URL once: of several the first counts.
pub fn set(places: impl IntoIterator<Item = Place>) -> Vec<Place> {
    let mut places: Vec<Place> = places.into_iter().collect();
    // Stable, so that the first of equal ones stays the first.
    places.sort_by(|a, b| a.url.cmp(&b.url));
    places.dedup_by(|later, first| later.url == first.url);
    places
}
