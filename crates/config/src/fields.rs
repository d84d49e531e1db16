//! The keys of one section, taken out one by one.

use crate::node::{Entry, Kind, Node};
use crate::reader::Reader;
use crate::shape::{Key, Rule};
use crate::span::Span;
use crate::suggest::suggest;
use crate::value::Value;

/// What `settings!` makes of a section, so that its keys can stand in a map of their own or among those of
/// another section.
pub(crate) trait Part: Sized {
    fn names() -> Vec<&'static str>;

    fn take(fields: &mut Fields<'_, '_, '_>) -> Self;

    fn keys() -> Vec<Key>;

    fn write_into(&self, map: &mut serde_json::Map<String, serde_json::Value>);
}

/// The entries of a map that is read as a section.
pub(crate) struct Fields<'n, 'r, 'p> {
    entries: &'n [Entry],
    span: Span,
    title: &'static str,
    /// Keys that unknown ones were probably meant to be.
    misspelt: Vec<String>,
    reader: &'r mut Reader<'p>,
}

impl<'n, 'r, 'p> Fields<'n, 'r, 'p> {
    /// The fields of `node`, after reporting those that are not among `known`; `None` when it is no map.
    pub(crate) fn of(
        node: &'n Node,
        title: &'static str,
        known: &[&'static str],
        reader: &'r mut Reader<'p>,
    ) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            if let Some(problem) = reader.expected(&format!("the keys of {title}"), node) {
                let keys = known.join("`, `");
                problem.help(format!("{title} is a map with the keys `{keys}`"));
            }
            return None;
        };
        let mut misspelt = Vec::new();
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                reader.unknown_key(&entry.key, entry.key_span, title, known);
                misspelt.extend(suggest(&entry.key, known.iter().copied()));
            }
        }
        Some(Self {
            entries,
            span: node.span,
            title,
            misspelt,
            reader,
        })
    }

    /// The value of `key`. Where nothing readable is written, the default or a placeholder stands in; a
    /// key that has neither default nor may be absent is then reported, unless its value already was.
    pub(crate) fn take<T: Value>(&mut self, key: &str, rule: &Rule, default: Option<T>) -> T {
        let required = default.is_none() && !T::OPTIONAL;
        let instead = || default.unwrap_or_else(T::absent);
        let written = self.entries.iter().find(|entry| entry.key == key);
        match written.map(|entry| &entry.value) {
            Some(node) if !node.is_null() => {
                T::read(node, rule, self.reader).unwrap_or_else(instead)
            }
            Some(node) if required => {
                let message = format!("the key `{key}` of {} needs a value", self.title);
                self.reader.error(node.span, message);
                instead()
            }
            // One mistake, one report.
            None if required && self.misspelt.iter().any(|meant| meant == key) => instead(),
            None if required => {
                let message = format!("{} needs the key `{key}`", self.title);
                self.reader
                    .error(self.span, message)
                    .help(format!("add `{key}`"));
                instead()
            }
            _ => instead(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{AccessLogOutput, Reading};

    fn read(text: &str) -> Reading {
        crate::read("f.yaml", text, &|_| Some("off".to_owned()))
    }

    #[test]
    fn one_value_stands_for_a_section_that_allows_it() {
        for backends in [
            "[\"http://a:1\", { url: \"http://b:2\", weight: 3 }]",
            "[{ url: \"http://a:1\" }, { url: \"http://b:2\", weight: 3 }]",
        ] {
            let reading = read(&format!(
                "backend_groups: [{{ id: g, backends: {backends} }}]"
            ));
            assert!(reading.problems.is_empty());
            let found = reading.settings.backend_groups[0].backends.iter();
            let found: Vec<_> = found.map(|b| (b.url.to_string(), *b.weight)).collect();
            let expected = [("http://a:1", 1), ("http://b:2", 3)];
            assert_eq!(
                found,
                expected.map(|(url, weight)| (url.to_owned(), weight))
            );
        }
        let one = read("backend_groups: [{ id: g, backends: \"http://a:1\" }]");
        assert!(one.problems.is_empty());
        assert_eq!(one.settings.backend_groups[0].backends.len(), 1);
    }

    #[test]
    fn the_access_log_is_switched_off_in_a_word() {
        for written in [
            "off",
            "false",
            "\"${env:X}\"",
            "{ output: off }",
            "{ output: false }",
        ] {
            let reading = read(&format!("telemetry: {{ access_log: {written} }}"));
            assert!(reading.problems.is_empty(), "{written}");
            let output = &reading.settings.telemetry.access_log.output;
            let output = output.as_ref().map(|output| &output.value);
            assert_eq!(output, Some(&AccessLogOutput::Off), "{written}");
        }
    }

    #[test]
    fn what_stands_for_a_section_is_checked_where_it_is_written() {
        for (text, place, message) in [
            (
                "backend_groups: [{ id: g, backends: [\"a:1\"] }]",
                "1:38",
                "expected a backend URL",
            ),
            (
                "backend_groups: [{ id: g, backends: [80] }]",
                "1:38",
                "found the integer 80",
            ),
            (
                "backend_groups: [{ id: g, backends: [[]] }]",
                "1:38",
                "expected the keys of a backend",
            ),
            ("telemetry: { access_log: true }", "1:26", "found `true`"),
            ("telemetry: { access_log: none }", "1:26", "expected `off`"),
            (
                "telemetry: { logging: off }",
                "1:23",
                "expected the keys of logging",
            ),
        ] {
            let problems = read(text).problems;
            let problem = problems.iter().next().expect(text);
            assert_eq!(problems.position(problem.span).to_string(), place, "{text}");
            assert!(problem.message.contains(message), "{}", problem.message);
        }
    }
}
