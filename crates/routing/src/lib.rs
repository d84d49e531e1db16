//! Which route a request belongs to, and why.
//!
//! A [`Table`] is built once from the [`Conditions`] of every route, in the
//! order of the file. [`Table::find`] is a pure function of the table and the
//! [`Facts`] of a request; the sink of [`Reasons`] decides at compile time
//! whether it also says why every other route was passed over.
//!
//! Hosts and paths reach the table in the normal form that [`normalise`] gives
//! them, so that two spellings of one resource never take different routes.

mod by_length;
mod condition;
mod conditions;
mod facts;
mod host;
mod index;
mod miss;
pub mod normalise;
mod overlap;
mod path;
mod pattern;
mod reasons;
mod table;
mod value;

pub use condition::{Condition, Demand};
pub use conditions::Conditions;
pub use facts::Facts;
pub use host::HostPattern;
pub use miss::Miss;
pub use path::PathPattern;
pub use pattern::Pattern;
pub use reasons::{Explained, Reasons, Silent};
pub use table::{Order, Table, Way};
pub use value::ValuePattern;
