//! Kinds of values: how each is read, written back, and described. One kind per file.

mod address;
mod duration;
pub(crate) mod form;
mod list;
mod network;
mod number;
mod output;
mod pairs;
mod placed;
mod size;
mod statuses;
mod text;
mod url;
mod written;

pub use output::{AccessLogFormat, AccessLogOutput, LogOutput};
pub use pairs::{Pair, Pairs};
pub use size::Size;
pub use statuses::Statuses;
pub use url::{BackendUrl, Host, Scheme};

use serde_json::Value as Json;

use crate::node::Node;
use crate::reader::Reader;
use crate::shape::{Rule, Shape};

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// Whether a key of this type may be left out although it has no default.
    const OPTIONAL: bool = false;

    /// Whether this is a single word, so that a list of these may be written as just one.
    const SINGLE: bool = true;

    /// The word by which an optional value of this type is switched off.
    const NONE: Option<&'static str> = None;

    /// The value of `node`, which is not null; `None`, with a problem reported, if it is not such a value.
    fn read(node: &Node, rule: &Rule, reader: &mut Reader<'_>) -> Option<Self>;

    /// What stands in where nothing readable is written.
    fn absent() -> Self;

    /// The value as a configuration would have it.
    fn write(&self) -> Json;

    /// How it looks from outside.
    fn shape(rule: &Rule) -> Shape;

    /// What to show as the default of a key that may be absent.
    fn no_default() -> Option<Json> {
        None
    }
}
