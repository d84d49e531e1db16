//! A log line as the operator wrote it: text with `${variables}` in it.

use std::fmt;

use super::fault::FormatFault;
use super::suggest::nearest;
use super::variable::{FORMAT_VARIABLES, Variable};
use crate::Record;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(Box<[u8]>),
    Variable(Variable),
}

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    /// Reads a template. `$$` is a dollar sign; anything else after a dollar
    /// sign must be a `{variable}`.
    pub(super) fn parse(text: &str) -> Result<Self, FormatFault> {
        if let Some(at) = text.find(char::is_control) {
            return Err(FormatFault::at(
                at,
                "a log line cannot hold control characters",
            ));
        }
        let mut pieces = Pieces::default();
        let mut at = 0;
        while let Some((plain, rest)) = text.get(at..).and_then(|rest| rest.split_once('$')) {
            pieces.text(plain);
            let dollar = at + plain.len();
            at = dollar + 1 + variable(&mut pieces, rest, dollar)?;
        }
        pieces.text(text.get(at..).unwrap_or_default());
        Ok(Self {
            pieces: pieces.finish(),
        })
    }

    pub(super) fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::Variable(variable) => variable.write(record, out),
            }
        }
    }
}

/// A text that reads as this template.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(&String::from_utf8_lossy(text).replace('$', "$$")),
            Piece::Variable(variable) => write!(f, "${{{}}}", variable.name()),
        })
    }
}

/// Reads what follows the dollar sign at `dollar`; gives how many bytes it is.
fn variable(pieces: &mut Pieces, rest: &str, dollar: usize) -> Result<usize, FormatFault> {
    if rest.starts_with('$') {
        pieces.text("$");
        return Ok(1);
    }
    let Some(rest) = rest.strip_prefix('{') else {
        return Err(FormatFault::at(dollar, "a variable is written ${name}")
            .suggest("write $$ for a dollar sign"));
    };
    let Some((name, _)) = rest.split_once('}') else {
        return Err(FormatFault::at(dollar, "the variable has no closing brace"));
    };
    let Some(variable) = Variable::of(name) else {
        return Err(unknown(name, dollar + 2));
    };
    pieces.variable(variable);
    Ok(name.len() + 2)
}

fn unknown(name: &str, at: usize) -> FormatFault {
    let fault = FormatFault::at(at, format!("there is no variable `{name}`"));
    match nearest(name, FORMAT_VARIABLES.iter().map(|(n, _)| *n)) {
        Some(close) => fault.suggest(format!("did you mean `{close}`?")),
        None => fault,
    }
}

/// Pieces under construction; neighbouring text becomes one piece.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    pending: Vec<u8>,
}

impl Pieces {
    fn text(&mut self, text: &str) {
        self.pending.extend_from_slice(text.as_bytes());
    }

    fn variable(&mut self, variable: Variable) {
        self.settle_text();
        self.done.push(Piece::Variable(variable));
    }

    fn settle_text(&mut self) {
        if !self.pending.is_empty() {
            let text = std::mem::take(&mut self.pending);
            self.done.push(Piece::Text(text.into()));
        }
    }

    fn finish(mut self) -> Vec<Piece> {
        self.settle_text();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use proptest::prelude::*;

    fn line(template: &str) -> String {
        let mut out = Vec::new();
        Template::parse(template)
            .unwrap()
            .write(&sample::record(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn variables_are_replaced() {
        for (template, expected) in [
            (
                "${client_ip} ${method} ${status} ${duration_ms}",
                "1.2.3.4 GET 200 1.234",
            ),
            ("${status}${status}", "200200"),
            ("$$${status}$$ {x}", "$200$ {x}"),
            ("[${failure}]", "[-]"),
            ("\u{2192} ${route}", "\u{2192} api"),
        ] {
            assert_eq!(line(template), expected);
        }
    }

    #[test]
    fn faults_point_at_the_place() {
        for (template, offset, suggestion) in [
            ("${client_ip} ${stauts}", 15, Some("did you mean `status`?")),
            ("${qqqqqqqq}", 2, None),
            ("${}", 2, None),
            ("ab $status", 3, Some("write $$ for a dollar sign")),
            ("ab $", 3, Some("write $$ for a dollar sign")),
            ("ab ${status", 3, None),
            ("ab\n${status}", 2, None),
        ] {
            let fault = Template::parse(template).unwrap_err();
            assert_eq!(fault.offset, offset, "{template:?}");
            assert_eq!(fault.suggestion.as_deref(), suggestion, "{template:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_within_its_bounds(text in "[a-z${} \u{fc}]{0,40}") {
            match Template::parse(&text) {
                Ok(_) => (),
                Err(fault) => prop_assert!(fault.offset <= text.len()),
            }
        }

        #[test]
        fn text_without_dollars_stays_as_it_is(text in "[^$\\p{Cc}]{0,40}") {
            prop_assert_eq!(line(&text), text);
        }

        #[test]
        fn what_it_prints_reads_as_itself(text in r"([a-z\u{fc} ]|\$\$|\$\{status\}|\$\{host\}){0,9}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(Template::parse(&template.to_string()).unwrap(), template);
        }
    }
}
