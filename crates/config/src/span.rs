//! Where in the text something was written.

use std::ops::Deref;

/// A range of byte offsets into the configuration text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The place of what stands in no text: a default, or a placeholder for what could not be read.
    pub const NOWHERE: Self = Self {
        start: usize::MAX,
        end: usize::MAX,
    };

    /// The bytes from `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The same in a text that has `base` bytes before this one.
    pub(crate) fn shifted(self, base: usize) -> Self {
        match self {
            Self::NOWHERE => self,
            Self { start, end } => Self::new(start + base, end + base),
        }
    }

    /// This span made to fit `text`: in bounds, on character boundaries, on one line.
    ///
    /// A problem is shown on the line where it begins; a whole section underlined helps nobody, and neither
    /// does the empty line after the last one.
    pub(crate) fn within(self, text: &str) -> Self {
        if self == Self::NOWHERE {
            return Self::default();
        }
        let start = text.floor_char_boundary(self.start.min(text.trim_end().len()));
        let end = text.floor_char_boundary(self.end.clamp(start, text.len()));
        let covered = text.get(start..end).unwrap_or_default();
        let line = covered.lines().next().unwrap_or_default();
        Self::new(start, start + line.trim_end().len())
    }

    /// Whether this span of `text` reaches over the end of a line.
    pub(crate) fn is_multiline(self, text: &str) -> bool {
        text.get(self.start..self.end)
            .is_some_and(|covered| covered.trim_end().contains('\n'))
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self::new(range.start, range.end)
    }
}

/// A value with its place in the text. Two of them are equal when their values are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where; [`Span::NOWHERE`] when it was not.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value`, as written at `span`.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// `value` as a default or placeholder, which is in no text.
    pub const fn unwritten(value: T) -> Self {
        Self::new(value, Span::NOWHERE)
    }

    /// False for a default and for the placeholder of something missing or unreadable. The latter has been
    /// reported already, so a check that finds fault with an unwritten value should keep quiet about it.
    pub fn is_written(&self) -> bool {
        self.span != Span::NOWHERE
    }

    /// The value, if it was written.
    pub fn written(&self) -> Option<&T> {
        self.is_written().then_some(&self.value)
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for Spanned<T> {
    /// For settings made by a program instead of a text: they count as written, at its beginning.
    fn from(value: T) -> Self {
        Self::new(value, Span::default())
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_made_to_fit() {
        let text = "añb\nsecond  \n";
        for (span, fitting) in [
            ((0, 1), (0, 1)),
            ((2, 4), (1, 4)),
            ((0, 9), (0, 4)),
            ((5, 14), (5, 11)),
            ((99, 100), (11, 11)),
            ((3, 1), (3, 3)),
            ((usize::MAX, usize::MAX), (0, 0)),
        ] {
            let (span, fitting) = (Span::new(span.0, span.1), Span::new(fitting.0, fitting.1));
            assert_eq!(span.within(text), fitting, "{span:?}");
        }
    }

    #[test]
    fn only_what_has_a_place_is_written() {
        assert_eq!(Spanned::from(5).written(), Some(&5));
        assert_eq!(Spanned::unwritten(5).written(), None);
        assert_eq!(Spanned::from(5), Spanned::unwritten(5));
    }
}
