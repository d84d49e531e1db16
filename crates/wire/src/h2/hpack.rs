//! The fields of HTTP/2 as bytes: HPACK (RFC 7541).
//!
//! What is received may refer to what came before it. What is written never
//! does, so that nothing is kept for it.

mod huffman;
mod known_lines;
mod table;
mod write;

use table::{Name, Table};

pub use write::{Pseudo, write_field, write_pseudo, write_status};

/// A scratch buffer that has become larger than this is not kept, in bytes.
const SCRATCH: usize = 16 * 1024;

/// What an integer may be at most: far more than any block has.
const LARGEST: u64 = 1 << 28;

// The forms of a line (RFC 7541 section 6), told by the first bits of its first byte.
const INDEXED: u8 = 0x80;
const WITH_INDEXING: u8 = 0x40;
const SIZE_UPDATE: u8 = 0x20;
const NEVER_INDEXED: u8 = 0x10;
const WITHOUT_INDEXING: u8 = 0;

/// The bit of a string that is in Huffman's code (RFC 7541 section 5.2).
const HUFFMAN: u8 = 0x80;

/// The block cannot be decoded: COMPRESSION_ERROR (RFC 9113 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// Decodes the field blocks of one connection, in the order in which they come.
#[derive(Debug)]
pub struct Decoder {
    most: usize,
    table: Table,
    // What was in Huffman's code, decoded.
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Decoder {
    /// `most` is what we have announced as SETTINGS_HEADER_TABLE_SIZE; no memory
    /// is taken before a field is kept.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            table: Table::new(most),
            name: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Decodes a whole field block; `field(name, value)` is called for each line
    /// in order. Works through the whole block, and names may be empty: what is
    /// too much, or no field, is for the caller to say. After an error there is
    /// no telling what later blocks mean.
    pub fn decode(&mut self, block: &[u8], field: impl FnMut(&[u8], &[u8])) -> Result<(), Broken> {
        let done = self.lines(block, field);
        // Who indexes nothing is not to keep memory either.
        let spared = if self.table.is_empty() { 0 } else { SCRATCH };
        for scratch in [&mut self.name, &mut self.value] {
            if scratch.capacity() > spared {
                *scratch = Vec::new();
            }
        }
        done
    }

    fn lines(
        &mut self,
        mut block: &[u8],
        mut field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Broken> {
        let mut is_beginning = true;
        while let Some((&first, rest)) = block.split_first() {
            block = rest;
            if first & INDEXED != 0 {
                let index = integer(first, 0x7f, &mut block)?;
                let (name, value) = self.table.line(index).ok_or(Broken)?;
                field(name, value);
            } else if first & WITH_INDEXING != 0 {
                self.literal(first, 0x3f, &mut block, &mut field)?;
            } else if first & SIZE_UPDATE == 0 {
                self.literal(first, 0x0f, &mut block, &mut field)?;
            } else {
                let limit = integer(first, 0x1f, &mut block)?;
                // Section 4.2; more than two are of no use, and do no harm.
                if !is_beginning || limit > self.most {
                    return Err(Broken);
                }
                self.table.resize(limit);
                continue;
            }
            is_beginning = false;
        }
        Ok(())
    }

    /// A line with a value of its own (RFC 7541 section 6.2).
    fn literal(
        &mut self,
        first: u8,
        mask: u8,
        block: &mut &[u8],
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Broken> {
        let name = match integer(first, mask, block)? {
            0 => Name::Here(string(block, &mut self.name)?),
            index => Name::Of(index),
        };
        let value = string(block, &mut self.value)?;
        field(self.table.name(name).ok_or(Broken)?, value);
        if first & WITH_INDEXING != 0 {
            self.table.insert(name, value);
        }
        Ok(())
    }
}

/// An integer (RFC 7541 section 5.1), of which `first` has the bits of `mask`.
fn integer(first: u8, mask: u8, block: &mut &[u8]) -> Result<usize, Broken> {
    let prefix = first & mask;
    if prefix < mask {
        return Ok(usize::from(prefix));
    }
    let mut value = u64::from(prefix);
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = block.split_first().ok_or(Broken)?;
        *block = rest;
        value += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return match value {
                0..=LARGEST => usize::try_from(value).map_err(|_| Broken),
                _ => Err(Broken),
            };
        }
    }
    Err(Broken)
}

/// A string (RFC 7541 section 5.2), where it lies or decoded into `scratch`.
fn string<'a, 'block: 'a>(
    block: &mut &'block [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<&'a [u8], Broken> {
    let (&first, mut rest) = block.split_first().ok_or(Broken)?;
    let length = integer(first, !HUFFMAN, &mut rest)?;
    let (text, rest) = rest.split_at_checked(length).ok_or(Broken)?;
    *block = rest;
    if first & HUFFMAN == 0 {
        return Ok(text);
    }
    scratch.clear();
    huffman::decode(text, scratch)?;
    Ok(scratch)
}

#[cfg(test)]
mod tests;
