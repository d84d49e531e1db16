//! What a line of the access log looks like.

mod combined;
mod fault;
mod json;
mod suggest;
mod template;
mod text;
mod time;
mod variable;

pub use fault::FormatFault;
pub use text::push_json;
pub use variable::FORMAT_VARIABLES;

use std::fmt;

use crate::Record;
use suggest::nearest;
use template::Template;

/// How the access log writes a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format(Shape);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Json,
    Combined,
    Template(Template),
}

impl Format {
    /// The format that web servers have in common.
    pub fn combined() -> Self {
        Self(Shape::Combined)
    }

    /// Reads `json`, `combined`, or a template such as
    /// `${client_ip} ${method} ${target} ${status}`; see [`FORMAT_VARIABLES`].
    ///
    /// # Errors
    ///
    /// An unknown variable, a lone dollar sign, a line break inside; also text
    /// without any variable, which is a misspelt format rather than a wish to
    /// log the same line every time.
    pub fn parse(text: &str) -> Result<Self, FormatFault> {
        // A block of YAML ends in a line break that nobody means.
        let text = text.trim_end_matches(['\r', '\n']);
        let shape = match text {
            "json" => Shape::Json,
            "combined" => Shape::Combined,
            text if text.contains('$') => Shape::Template(Template::parse(text)?),
            text => return Err(not_a_format(text)),
        };
        Ok(Self(shape))
    }

    /// Appends one line, with its line break.
    pub fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        match &self.0 {
            Shape::Json => json::write(record, out),
            Shape::Combined => combined::write(record, out),
            Shape::Template(template) => template.write(record, out),
        }
        out.push(b'\n');
    }
}

/// As it would be written in a configuration.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Shape::Json => f.write_str("json"),
            Shape::Combined => f.write_str("combined"),
            Shape::Template(template) => template.fmt(f),
        }
    }
}

fn not_a_format(text: &str) -> FormatFault {
    let message = "a log format is `json`, `combined` or a template with ${variables}";
    let fault = FormatFault::at(0, message);
    match nearest(&text.to_ascii_lowercase(), ["json", "combined"]) {
        Some(close) => fault.suggest(format!("did you mean `{close}`?")),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn the_three_shapes_write_one_line_each() {
        for (format, start) in [
            ("json", "{\"time\":"),
            ("combined", "1.2.3.4 - - ["),
            ("${status} $$\n", "200 $"),
        ] {
            let mut out = b"before\n".to_vec();
            Format::parse(format)
                .unwrap()
                .write(&sample::record(), &mut out);
            let text = String::from_utf8(out).unwrap();
            let lines: Vec<_> = text.lines().collect();
            assert_eq!(lines.len(), 2, "{format}");
            assert!(lines[1].starts_with(start), "{text}");
            assert!(text.ends_with('\n'));
        }
    }

    #[test]
    fn what_is_no_format_is_refused() {
        for (text, suggestion) in [
            ("", None),
            ("JSON", Some("did you mean `json`?")),
            ("combind", Some("did you mean `combined`?")),
            ("always the same", None),
        ] {
            let fault = Format::parse(text).unwrap_err();
            assert_eq!(fault.offset, 0);
            assert_eq!(fault.suggestion.as_deref(), suggestion, "{text}");
        }
    }
}
