//! Step 2: a socket becomes a client connection: as it is, since listeners
//! speak plain HTTP. Never reads a request. Next: `receive`.

use std::rc::Rc;

use crate::client::Client;
use crate::path::accept::Accepted;
use crate::worker::{Held, Worker};

pub(crate) fn secure(worker: &Worker, accepted: Accepted) -> (Client, Held) {
    let client = Client::new(
        worker,
        accepted.stream,
        (Rc::clone(&accepted.held.door), accepted.held.place),
        accepted.peer,
        "http",
    );
    (client, accepted.held)
}
