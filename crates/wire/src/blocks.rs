//! The buffers of one worker, shared by all its connections.
//!
//! A connection borrows a block only while it holds bytes that have not moved
//! on; an idle connection holds none. The most recently returned block is lent
//! first, so a busy worker keeps using the same few, warm ones.

use std::cell::RefCell;
use std::rc::Rc;

/// A 64 KiB body and its head fit in one read.
pub const BLOCK_SIZE: usize = 68 * 1024;

/// Blocks beyond this many are given back to the allocator.
const KEEP: usize = 64;

/// A worker's stock of blocks. Clones share the stock.
#[derive(Clone, Default)]
pub struct Blocks(Rc<RefCell<Vec<Vec<u8>>>>);

impl Blocks {
    /// An empty buffer of at least `BLOCK_SIZE` bytes.
    pub fn take(&self) -> Vec<u8> {
        self.0
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(BLOCK_SIZE))
    }

    /// Takes a buffer back. One that had to grow is not kept.
    pub fn give(&self, mut block: Vec<u8>) {
        let mut stock = self.0.borrow_mut();
        if block.capacity() == BLOCK_SIZE && stock.len() < KEEP {
            block.clear();
            stock.push(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_reused_last_in_first_out_and_oversized_ones_dropped() {
        let blocks = Blocks::default();
        let (a, b) = (blocks.take(), blocks.take());
        let (a_at, b_at) = (a.as_ptr(), b.as_ptr());
        assert_ne!(a_at, b_at);
        blocks.give(a);
        blocks.give(b);
        let again = blocks.take();
        assert_eq!(again.as_ptr(), b_at);
        blocks.give(Vec::with_capacity(BLOCK_SIZE * 2));
        let other = blocks.take();
        assert_eq!(other.as_ptr(), a_at);
    }
}
