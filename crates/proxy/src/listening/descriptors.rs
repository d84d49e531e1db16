//! Room for descriptors before they are needed.
//!
//! The kernel enlarges a process's table of descriptors when it is full. In a
//! process with several threads it then waits until no other processor can be
//! looking at the old table: each time the number of connections doubles, a
//! worker would serve nobody for 10 to 20 ms.

use std::os::fd::AsFd;

use plan::Plan;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, getrlimit};

/// Beyond this many, at 8 bytes each, the table grows when it has to.
const MOST: usize = 1 << 16;

/// For logs, listeners and the like.
const OTHERS: usize = 256;

/// For connections of the admin API, if there is one.
const ADMIN: usize = 2048;

/// Makes room for as many connections as a plan allows, as far as the process
/// may open that many files. `any` is an open one.
pub(crate) fn make_room(plan: &Plan, any: impl AsFd) {
    let clients = plan.listeners.iter().map(|l| l.max_connections);
    let groups = plan.groups.iter().flat_map(|g| &g.balance.backends);
    let upstream = groups.map(|backend| backend.options.max_connections);
    let admin = plan.admin.iter().map(|_| ADMIN);
    let wanted = clients
        .chain(upstream)
        .chain(admin)
        .fold(OTHERS, usize::saturating_add)
        .min(MOST);
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let last = (wanted as u64).min(allowed).saturating_sub(1);
    // The table never shrinks again: a descriptor at its end is enough, and it
    // may go at once. Without it the table grows when it has to.
    let _ = i32::try_from(last).map(|last| fcntl_dupfd_cloexec(any, last));
}
