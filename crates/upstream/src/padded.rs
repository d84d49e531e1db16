use std::ops::Deref;

/// A value on cache lines of its own.
///
/// What one worker writes on every exchange must not evict what the others
/// read. 128 bytes, because processors fetch lines of 64 in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
