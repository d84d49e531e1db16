use message::{Failure, RequestHead, ResponseHead};

use crate::{Answer, Exchange, Facts, Step};

/// One thing a route does to its requests, its responses, or both.
///
/// A route's filters see a request in the order of the file and a response in
/// the reverse. `scratch` belongs to the worker and saves an allocation; what
/// it holds between calls means nothing.
pub trait Filter: Send + Sync {
    /// The filter's name as in the configuration.
    fn name(&self) -> &'static str;

    /// Looks at a request before it is sent on, and may change it.
    fn request(
        &self,
        request: &mut RequestHead,
        facts: &Facts<'_>,
        scratch: &mut Vec<u8>,
    ) -> Verdict;

    /// Looks at the response before the client gets it, and may change it.
    fn response(
        &self,
        _response: &mut ResponseHead,
        _exchange: &Exchange<'_>,
        _scratch: &mut Vec<u8>,
    ) {
    }

    /// Request fields that are as it says, and not as a client says in a
    /// trailer.
    fn own_fields(&self) -> Vec<&str> {
        Vec::new()
    }

    /// What it does, in one line for `explain`.
    fn describe(&self) -> String;

    /// What it does, step by step and leaving nothing out: how two filters are
    /// compared.
    fn steps(&self) -> Vec<Step>;
}

/// What happens to the request after a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Continue,
    /// The client gets this, and no backend is asked.
    Answer(Answer),
    /// The request cannot be carried on with; answered like any failure.
    Fail(Failure),
}
