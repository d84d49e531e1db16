//! Written values as rooms understand them, or their faults reported where
//! they were written.

use config::{Problems, Span, Spanned};
use filters::Template;

/// A template; its fault is shown at the exact character where the text in the
/// file is the text of the value.
pub(super) fn template(text: &Spanned<String>, problems: &mut Problems) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(fault) => {
            let place = place_within(text, fault.at, problems);
            let problem = problems.error(place, fault.message);
            if let Some(help) = fault.help {
                problem.help(help);
            }
            None
        }
    }
}

/// The rest of a value from a byte on, as a place in the file.
fn place_within(text: &Spanned<String>, at: usize, problems: &Problems) -> Span {
    match problems.written(text.span).find(text.as_str()) {
        Some(skip) => Span::new(
            text.span.start + skip + at,
            text.span.start + skip + text.len(),
        ),
        None => text.span,
    }
}

/// The value, or its fault reported where it was written.
pub(super) fn parsed<T>(
    at: &Spanned<String>,
    result: Result<T, String>,
    problems: &mut Problems,
) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(message) => {
            if at.is_written() {
                problems.error(at.span, message);
            }
            None
        }
    }
}
