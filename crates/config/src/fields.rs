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
