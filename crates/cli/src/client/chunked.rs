//! Bodies in chunks.

use std::io::{self, BufRead, Read};

/// Bytes of a line.
const LINE: u64 = 64 << 10;

/// A body in chunks (RFC 9112 section 7.1).
pub(super) struct Chunked<R> {
    reader: R,
    /// Of the chunk.
    left: u64,
    has_ended: bool,
}

impl<R: BufRead> Chunked<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            left: 0,
            has_ended: false,
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        (&mut self.reader).take(LINE).read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Reads the size of the next chunk.
    fn begin(&mut self) -> io::Result<()> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16);
        self.left = size.map_err(|_| io::Error::other("a chunk has no size"))?;
        if self.left == 0 {
            while !self.line()?.is_empty() {}
            self.has_ended = true;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Chunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_ended || buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            self.begin()?;
            if self.has_ended {
                return Ok(0);
            }
        }
        let count = (&mut self.reader).take(self.left).read(buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= count as u64;
        if self.left == 0 {
            self.line()?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together() {
        let read = |bytes: &'static [u8]| {
            let mut text = String::new();
            let read = Chunked::new(bytes).read_to_string(&mut text);
            read.map(|_| text)
        };
        assert_eq!(
            read(b"3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n").unwrap(),
            "abcde"
        );
        assert_eq!(read(b"0\r\nA: b\r\n\r\n").unwrap(), "");
        for bad in [&b"3\r\nab"[..], b"x\r\n", b"3\r\nabc\r\n", b""] {
            assert!(read(bad).is_err());
        }
    }
}
