//! The header fields of one message, in one buffer.

use crate::{Known, KnownSet, Span};

/// One field as received or added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    pub known: Known,
    pub name: &'a [u8],
    pub value: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    name_at: u32,
    value_at: u32,
    value_len: u32,
    name_len: u16,
    known: Known,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Lies in the text as the line `Name: value` CR LF.
    Line,
    /// Lies in the text in another form.
    Odd,
    Removed,
}

impl Entry {
    fn live(&self) -> bool {
        self.state != State::Removed
    }

    fn name(self) -> Span {
        Span {
            at: self.name_at,
            len: u32::from(self.name_len),
        }
    }

    fn value(self) -> Span {
        Span {
            at: self.value_at,
            len: self.value_len,
        }
    }
}

/// Fields in order, with their text. Order, case and repeats are kept.
///
/// The text also holds the other parts of a head (method, target, reason), so
/// that a whole head is two allocations that are reused from message to message.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

impl Fields {
    /// Forgets everything but keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }

    /// Gives back memory beyond what an ordinary head needs.
    pub fn shrink(&mut self) {
        self.text.shrink_to(4096);
        self.entries.shrink_to(64);
    }

    /// The buffer all spans of this head point into.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The bytes of a span of this head.
    pub fn slice(&self, span: Span) -> &[u8] {
        span.of(&self.text)
    }

    /// Appends text that is not a field and returns where it lies.
    pub fn intern(&mut self, bytes: &[u8]) -> Span {
        let at = self.text.len();
        self.text.extend_from_slice(bytes);
        Span::new(at, bytes.len())
    }

    /// Declares a field whose name and value lie in the text, or will before
    /// anyone asks for them; `is_line` if they do so as the line
    /// `Name: value` CR LF.
    pub fn declare(&mut self, known: Known, name: Span, value: Span, is_line: bool) {
        self.entries.push(Entry {
            name_at: name.at,
            value_at: value.at,
            value_len: value.len,
            name_len: name.len as u16,
            known,
            state: if is_line { State::Line } else { State::Odd },
        });
    }

    /// Appends a field. A name longer than 65,535 bytes is cut; no listener
    /// accepts one.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_as(Known::of(name), name, value);
    }

    /// The same where it is known already which name it is.
    pub fn push_as(&mut self, known: Known, name: &[u8], value: &[u8]) {
        let at = self.text.len();
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        self.push_value(known, Span::new(at, name.len()), |text| {
            text.extend_from_slice(value);
        });
    }

    /// Appends a well-known field in its usual spelling.
    pub fn push_known(&mut self, known: Known, value: &[u8]) {
        self.push_with(known, |text| text.extend_from_slice(value));
    }

    /// Appends a well-known field whose value is written by `write` straight
    /// into the text.
    pub fn push_with(&mut self, known: Known, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.text.len();
        let start = known.line_start();
        self.text.extend_from_slice(start.as_bytes());
        self.push_value(known, Span::new(at, start.len() - 2), write);
    }

    /// Appends a well-known field with the first value of another, if there is
    /// one.
    pub fn push_copy(&mut self, known: Known, from: Known) {
        let Some(entry) = self.entries.iter().find(|e| e.known == from && e.live()) else {
            return;
        };
        let at = entry.value_at as usize;
        let range = at..at + entry.value_len as usize;
        if range.end <= self.text.len() {
            self.push_with(known, |text| text.extend_from_within(range));
        }
    }

    /// Ends a line whose name and colon have been written. Fields that are added
    /// lie in the text just as most of those received do, as the line
    /// `Name: value` CR LF, so that `write_lines` can copy runs.
    fn push_value(&mut self, known: Known, name: Span, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.text.len();
        write(&mut self.text);
        let value = Span::new(at, self.text.len().saturating_sub(at));
        self.text.extend_from_slice(b"\r\n");
        self.declare(known, name, value, true);
    }

    /// Appends every field to `out` as lines `Name: value` CR LF. Neighbouring
    /// fields that lie in the text in just that form are copied in one run.
    pub fn write_lines(&self, out: &mut Vec<u8>) {
        let mut run = 0..0;
        for entry in self.entries.iter().filter(|e| e.live()) {
            let name_at = entry.name_at as usize;
            let value_at = entry.value_at as usize;
            let value_end = value_at + entry.value_len as usize;
            let is_line = entry.state == State::Line;
            if is_line && run.end == name_at {
                run.end = value_end + 2;
                continue;
            }
            out.extend_from_slice(self.text.get(run).unwrap_or_default());
            run = if is_line {
                name_at..value_end + 2
            } else {
                out.extend_from_slice(entry.name().of(&self.text));
                out.extend_from_slice(b": ");
                out.extend_from_slice(entry.value().of(&self.text));
                out.extend_from_slice(b"\r\n");
                0..0
            };
        }
        out.extend_from_slice(self.text.get(run).unwrap_or_default());
    }

    /// How many bytes `write_lines` writes, or a little more.
    pub fn size_hint(&self) -> usize {
        self.text.len() + 2 * self.entries.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> + Clone {
        self.entries.iter().filter(|e| e.live()).map(|e| Field {
            known: e.known,
            name: e.name().of(&self.text),
            value: e.value().of(&self.text),
        })
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.entries.iter().filter(|e| e.live()).count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first value of a well-known field.
    pub fn get(&self, known: Known) -> Option<&[u8]> {
        self.entries
            .iter()
            .find(|e| e.known == known && e.live())
            .map(|e| e.value().of(&self.text))
    }

    /// Every value of a well-known field, in order.
    pub fn all(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.entries
            .iter()
            .filter(move |e| e.known == known && e.live())
            .map(|e| e.value().of(&self.text))
    }

    /// Every value of a field given by name, in any letter case, in order.
    pub fn all_named(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        let known = Known::of(name);
        self.iter()
            .filter(move |f| {
                f.known == known && (known.is_name() || f.name.eq_ignore_ascii_case(name))
            })
            .map(|f| f.value)
    }

    pub fn has(&self, known: Known) -> bool {
        self.get(known).is_some()
    }

    /// Removes the fields for which `gone` says so; returns how many.
    pub fn remove_where(&mut self, gone: impl Fn(Field<'_>) -> bool) -> usize {
        let mut removed = 0;
        for entry in self.entries.iter_mut().filter(|e| e.live()) {
            let field = Field {
                known: entry.known,
                name: entry.name().of(&self.text),
                value: entry.value().of(&self.text),
            };
            if gone(field) {
                entry.state = State::Removed;
                removed += 1;
            }
        }
        removed
    }

    /// Removes every field of a well-known name; returns how many.
    pub fn remove(&mut self, known: Known) -> usize {
        let mut removed = 0;
        for entry in &mut self.entries {
            if entry.live() && entry.known == known {
                entry.state = State::Removed;
                removed += 1;
            }
        }
        removed
    }

    /// Removes every field of any of the names, in one pass.
    pub fn remove_all(&mut self, names: KnownSet) {
        for entry in &mut self.entries {
            if names.has(entry.known) {
                entry.state = State::Removed;
            }
        }
    }

    /// Removes every field of a name, in any letter case; returns how many.
    pub fn remove_named(&mut self, name: &[u8]) -> usize {
        match Known::of(name) {
            known if known.is_name() => self.remove(known),
            known => self.remove_where(|f| f.known == known && f.name.eq_ignore_ascii_case(name)),
        }
    }

    /// Replaces every field of a name by one with this value.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove_named(name);
        self.push(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Fields {
        let mut fields = Fields::default();
        fields.push(b"Host", b"a.example");
        fields.push(b"x-One", b"1");
        fields.push(b"X-ONE", b"2");
        fields.push(b"Set-Cookie", b"a=1");
        fields.push(b"set-cookie", b"b=2");
        fields
    }

    fn names(fields: &Fields) -> Vec<String> {
        fields
            .iter()
            .map(|f| String::from_utf8_lossy(f.name).into_owned())
            .collect()
    }

    #[test]
    fn order_case_and_repeats_are_kept() {
        let fields = sample();
        assert_eq!(
            names(&fields),
            ["Host", "x-One", "X-ONE", "Set-Cookie", "set-cookie"]
        );
        assert_eq!(
            fields.all(Known::SetCookie).collect::<Vec<_>>(),
            [b"a=1", b"b=2"]
        );
        assert_eq!(fields.all_named(b"x-one").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(fields.get(Known::Host), Some(&b"a.example"[..]));
    }

    #[test]
    fn removal_and_replacement() {
        let mut fields = sample();
        assert_eq!(fields.remove_named(b"X-one"), 2);
        assert_eq!(fields.remove(Known::SetCookie), 2);
        fields.set(b"host", b"b.example");
        assert_eq!(fields.get(Known::Host), Some(&b"b.example"[..]));
        assert_eq!(fields.len(), 1);
        fields.clear();
        assert!(fields.is_empty());
    }

    #[test]
    fn lines_come_out_whether_or_not_they_lie_in_runs() {
        let mut fields = Fields::default();
        let text = fields.intern(b"GET / HTTP/1.1\r\nA: 1\r\nB:2\r\nC:  3 \r\nD: 4\r\n");
        assert_eq!(text.at, 0);
        fields.declare(Known::Other, Span::new(16, 1), Span::new(19, 1), true);
        fields.declare(Known::Other, Span::new(22, 1), Span::new(24, 1), false);
        fields.declare(Known::Other, Span::new(27, 1), Span::new(31, 1), false);
        fields.declare(Known::Other, Span::new(35, 1), Span::new(38, 1), true);
        fields.push(b"E", b"5");
        fields.push(b"F", b"6");
        let lines = |fields: &Fields| {
            let mut out = Vec::new();
            fields.write_lines(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            lines(&fields),
            "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\n"
        );
        fields.remove_named(b"e");
        fields.remove_named(b"a");
        assert_eq!(lines(&fields), "B: 2\r\nC: 3\r\nD: 4\r\nF: 6\r\n");
        fields.clear();
        assert_eq!(lines(&fields), "");
    }

    #[test]
    fn values_may_be_written_in_place() {
        let mut fields = Fields::default();
        fields.push_with(Known::Via, |text| text.extend_from_slice(b"1.1 forebay"));
        assert_eq!(fields.get(Known::Via), Some(&b"1.1 forebay"[..]));
    }
}
