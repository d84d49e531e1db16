//! What a route may do to a request or a response, one filter per file.
//!
//! Filters are built once with the plan and shared by all workers; what they
//! know of an exchange is given to them, and they do no I/O. Everything that
//! can be wrong with a filter's settings is said when it is built.

mod answer;
mod error_page;
mod escape;
mod facts;
mod field_rules;
mod filter;
#[cfg(test)]
mod fixtures;
mod nearest;
mod redirect;
mod replace_prefix;
mod respond;
mod rewrite;
mod set_headers;
mod step;
mod template;
mod variable;

// What is shown of filters, and of the rest of a plan, is shown by one rule.
pub use message::{HIDDEN, without_secrets};

pub use answer::{Answer, AnswerField};
pub use error_page::{ErrorPage, ErrorPages, PageFacts};
pub use facts::{Exchange, Facts};
pub use field_rules::{check_request_field, check_response_field};
pub use filter::{Filter, Verdict};
pub use redirect::Redirect;
pub use replace_prefix::ReplacePrefix;
pub use respond::Respond;
pub use rewrite::Rewrite;
pub use set_headers::{FieldFault, HeaderChange, SetHeaders};
pub use step::Step;
pub use template::{Template, TemplateFault};
