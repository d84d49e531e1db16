//! The runtime log as text: an event begins a line of its own, and nothing else
//! does. What comes from outside stands in it without doing anything to the
//! terminal of who reads it, and cannot pass for another event.

use std::io::{self, Write};
use std::iter::Peekable;
use std::str::Chars;

/// Before what follows in the same event.
const INDENT: &str = "    ";

/// Cleans events, each of which comes as one piece.
pub(crate) struct LogText<W> {
    to: W,
    /// Colors are the log's own, and stay.
    has_color: bool,
}

impl<W: Write> LogText<W> {
    pub(crate) fn new(to: W, has_color: bool) -> Self {
        Self { to, has_color }
    }
}

impl<W: Write> Write for LogText<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let clean = clean(text.trim_end_matches('\n'), self.has_color);
        self.to.write_all(clean.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn clean(text: &str, has_color: bool) -> String {
    let mut clean = String::with_capacity(text.len() + 1);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' => {
                clean.push('\n');
                // Nothing hangs behind lines that are empty.
                if letters.peek().is_some_and(|&next| next != '\n') {
                    clean.push_str(INDENT);
                }
            }
            '\u{1b}' => match color(&letters).filter(|_| has_color) {
                Some(length) => {
                    clean.push(letter);
                    clean.extend(letters.by_ref().take(length));
                }
                None => clean.extend(letter.escape_default()),
            },
            letter if letter.is_control() || turns(letter) => clean.extend(letter.escape_default()),
            letter => clean.push(letter),
        }
    }
    clean.push('\n');
    clean
}

/// How long what follows is, if it sets a color (ECMA-48 section 8.3.117).
fn color(rest: &Peekable<Chars<'_>>) -> Option<usize> {
    let mut rest = rest.clone();
    rest.next().filter(|&letter| letter == '[')?;
    let mut length = 1;
    loop {
        length += 1;
        match rest.next()? {
            '0'..='9' | ';' => {}
            'm' => return Some(length),
            _ => return None,
        }
    }
}

/// Turns the letters around it, or ends a line in some eyes.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_what_hangs_behind_it() {
        for (text, plain, colored) in [
            ("INFO x", "INFO x\n", "INFO x\n"),
            (
                "a\nINFO b\n\nc",
                "a\n    INFO b\n\n    c\n",
                "a\n    INFO b\n\n    c\n",
            ),
            (
                "a\r\tb\u{7f}\u{9b}2J",
                "a\\r\\tb\\u{7f}\\u{9b}2J\n",
                "a\\r\\tb\\u{7f}\\u{9b}2J\n",
            ),
            ("\u{1b}[31;1mx", "\\u{1b}[31;1mx\n", "\u{1b}[31;1mx\n"),
            (
                "\u{1b}[2J\u{1b}]0;x\u{7}\u{1b}",
                "\\u{1b}[2J\\u{1b}]0;x\\u{7}\\u{1b}\n",
                "\\u{1b}[2J\\u{1b}]0;x\\u{7}\\u{1b}\n",
            ),
            (
                "\u{202e}\u{e9}\u{2028}",
                "\\u{202e}\u{e9}\\u{2028}\n",
                "\\u{202e}\u{e9}\\u{2028}\n",
            ),
        ] {
            assert_eq!(clean(text, false), plain);
            assert_eq!(clean(text, true), colored);
        }
        let mut log = LogText::new(Vec::new(), false);
        log.write_all(b"one\ntwo\xff\n").unwrap();
        assert_eq!(log.to, "one\n    two\u{fffd}\n".as_bytes());
    }
}
