//! Text with variables: `${client_ip} via ${listener}`.

use std::fmt;

use message::Known;

use crate::Exchange;
use crate::field_rules::breaks_a_field;
use crate::variable::{Family, Variable, known_elsewhere};

/// A parsed text with variables. `$$` is a literal `$`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: Box<str>,
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Literal(Box<str>),
    Variable(Variable),
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFault {
    /// Where, in bytes from the start of the text.
    pub at: usize,
    pub message: String,
    pub help: Option<String>,
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TemplateFault {}

impl Template {
    pub fn parse(source: &str) -> Result<Template, TemplateFault> {
        if let Some(at) = source.bytes().position(breaks_a_field) {
            let message = "a header value cannot hold a line break or another control character";
            return Err(fault(at, message, None));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once('$') {
            literal.push_str(before);
            let at = source.len() - after.len() - 1;
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let (variable, after) = variable(after, at)?;
            end_literal(&mut literal, &mut parts);
            parts.push(Part::Variable(variable));
            rest = after;
        }
        literal.push_str(rest);
        end_literal(&mut literal, &mut parts);
        Ok(Template {
            source: source.into(),
            parts: parts.into(),
        })
    }

    /// Appends the text with every variable replaced. Whatever a request may
    /// hold, no control character but the tab is written: they are left out.
    pub fn render(&self, exchange: &Exchange<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Part::Variable(variable) => write_clean(variable, exchange, out),
            }
        }
    }

    /// The rendered text, where it is the same for every request.
    pub fn literal(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The groups of the route's path expression that it quotes.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(Variable::Named(Family::Capture, name)) => Some(&**name),
            _ => None,
        })
    }

    /// Whether it quotes the certificate that a client has shown.
    pub fn quotes_certificate(&self) -> bool {
        let is_of_it = |variable: &Variable| {
            matches!(
                variable,
                Variable::CertificateSubject
                    | Variable::CertificateNames
                    | Variable::CertificateFingerprint
                    | Variable::CertificateSerial
            )
        };
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part, Part::Variable(variable) if is_of_it(variable)))
    }

    /// The request fields that it quotes.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(Variable::Named(Family::Header, name)) => Some(&**name),
            Part::Variable(Variable::Named(Family::Cookie, _)) => Some(Known::Cookie.as_str()),
            _ => None,
        })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// The text as written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

fn write_clean(variable: &Variable, exchange: &Exchange<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    variable.write(exchange, out);
    let value = out.get(start..).unwrap_or_default();
    if !value.iter().any(|&byte| breaks_a_field(byte)) {
        return;
    }
    let clean: Vec<u8> = value
        .iter()
        .copied()
        .filter(|&b| !breaks_a_field(b))
        .collect();
    out.truncate(start);
    out.extend_from_slice(&clean);
}

/// Reads the variable behind a `$` that stands at `at`.
fn variable(after: &str, at: usize) -> Result<(Variable, &str), TemplateFault> {
    let Some(name) = after.strip_prefix('{') else {
        let help = "write `${name}` for a variable, `$$` for a dollar sign";
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let word: String = after
            .chars()
            .take_while(|&letter| is_word(letter))
            .collect();
        let help = match known_elsewhere(&word) {
            Some(meant) => format!("did you mean `${{{meant}}}`? `$$` is a dollar sign"),
            None => help.to_owned(),
        };
        return Err(fault(at, "a `$` stands alone", Some(help)));
    };
    let Some((name, after)) = name.split_once('}') else {
        return Err(fault(at, "`${` is never closed by `}`", None));
    };
    match Variable::of(name) {
        Ok(variable) => Ok((variable, after)),
        Err((message, help)) => Err(fault(at, message, help)),
    }
}

fn end_literal(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into()));
    }
}

fn fault(at: usize, message: impl Into<String>, help: Option<String>) -> TemplateFault {
    TemplateFault {
        at,
        message: message.into(),
        help,
    }
}

#[cfg(test)]
mod tests;
