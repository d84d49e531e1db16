//! Requests with which an authority checks that a name leads here (RFC 8555
//! section 8.3).

use std::sync::Arc;

use filters::Answer;
use plan::{Listener, Plan};

use crate::exchange::heads::Heads;

const PATH: &[u8] = b"/.well-known/acme-challenge/";

/// The answer to such a request, while the check is under way; all others go
/// where they would go anyway. `explain` knows of none: tokens come and go
/// within seconds.
pub(crate) fn answer(plan: &Plan, listener: &Listener, heads: &Heads) -> Option<Answer> {
    let acme = plan.acme.as_ref()?;
    let token = heads.path.strip_prefix(PATH)?;
    if listener.tls.is_some() {
        return None;
    }
    Some(Answer {
        status: 200,
        fields: Arc::new([("Content-Type".into(), (*b"application/octet-stream").into())]),
        body: acme.challenges.answer_to(token)?,
    })
}
