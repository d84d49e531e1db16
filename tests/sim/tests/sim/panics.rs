//! Panics of this thread, wherever they were caught.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on panics count.
pub(crate) fn forget() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            SEEN.with_borrow_mut(|seen| seen.push(panic.to_string()));
            usual(panic);
        }));
    });
    SEEN.with_borrow_mut(Vec::clear);
}

pub(crate) fn first() -> Option<String> {
    SEEN.with_borrow(|seen| seen.first().cloned())
}
