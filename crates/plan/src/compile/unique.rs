//! Names that must not be given twice.

use std::collections::HashMap;

use config::{Problems, Span, Spanned};

/// The names seen so far, each with its first place.
#[derive(Default)]
pub(super) struct Unique<'a>(HashMap<&'a str, Span>);

impl<'a> Unique<'a> {
    /// Reports a name that has been given before to the same kind of thing.
    pub(super) fn check(&mut self, what: &str, name: &'a Spanned<String>, problems: &mut Problems) {
        if !name.is_written() {
            return;
        }
        match self.0.get(name.as_str()) {
            Some(&first) => {
                problems
                    .error(
                        name.span,
                        format!("the {what} `{}` is defined twice", name.value),
                    )
                    .help(format!("give each {what} a name of its own"))
                    .also(first, "first defined here");
            }
            None => {
                self.0.insert(name, name.span);
            }
        }
    }
}
