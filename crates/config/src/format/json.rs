//! JSON (RFC 8259) with places. Strict: what is not JSON is refused, and the message says what is.

use super::{Entries, MAX_DEPTH};
use crate::node::{Entry, Kind, Node};
use crate::problems::Problems;
use crate::span::Span;

pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut scanner = Scanner {
        text,
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        depth: 0,
        problems,
    };
    match scanner.document() {
        Ok(node) => Some(node),
        Err(fault) => {
            let message = format!("not valid JSON: {}", fault.message);
            let problem = scanner.problems.error(fault.span, message);
            if let Some(help) = fault.help {
                problem.help(help);
            }
            None
        }
    }
}

/// Where the text stops being JSON.
struct Fault {
    span: Span,
    message: String,
    help: Option<&'static str>,
}

type Scanned<T> = Result<T, Fault>;

struct Scanner<'t, 'p> {
    text: &'t str,
    at: usize,
    depth: usize,
    problems: &'p mut Problems,
}

impl Scanner<'_, '_> {
    fn document(&mut self) -> Scanned<Node> {
        self.skip_space();
        if self.rest().is_empty() {
            return Ok(Node::new(Kind::Null, Span::new(0, self.text.len())));
        }
        let root = self.value()?;
        self.skip_space();
        if !self.rest().is_empty() {
            return self.expected("the end of the file");
        }
        Ok(root)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        let space = |letter: char| matches!(letter, ' ' | '\t' | '\n' | '\r');
        self.at += self.rest().len() - self.rest().trim_start_matches(space).len();
    }

    /// Steps over `wanted` if it is next.
    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn fault<T>(&self, message: impl Into<String>, help: Option<&'static str>) -> Scanned<T> {
        let width = self.peek().map_or(0, char::len_utf8);
        Err(Fault {
            span: Span::new(self.at, self.at + width),
            message: message.into(),
            help,
        })
    }

    fn expected<T>(&self, what: &str) -> Scanned<T> {
        let found = match self.peek() {
            Some(letter) if letter.is_control() => format!("`{}`", letter.escape_debug()),
            Some(letter) => format!("`{letter}`"),
            None => "the end of the file".to_owned(),
        };
        let help = match self.peek() {
            Some('/' | '#') => Some("JSON has no comments; YAML and TOML do"),
            Some('\'') => Some("JSON puts text in double quotes"),
            _ => None,
        };
        self.fault(format!("expected {what}, found {found}"), help)
    }

    fn value(&mut self) -> Scanned<Node> {
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => self.nested(Self::map)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => Kind::Text(self.string()?),
            Some('-' | '0'..='9') => self.number()?,
            _ => self.word()?,
        };
        Ok(Node::new(kind, Span::new(start, self.at)))
    }

    fn nested(&mut self, scan: fn(&mut Self) -> Scanned<Kind>) -> Scanned<Kind> {
        if self.depth >= MAX_DEPTH {
            return self.fault(format!("nested more than {MAX_DEPTH} levels deep"), None);
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let kind = scan(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn list(&mut self) -> Scanned<Kind> {
        let mut items = Vec::new();
        if self.eat(']') {
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.ends_with(']', "`,` or `]` after an item")? {
                return Ok(Kind::List(items));
            }
        }
    }

    fn map(&mut self) -> Scanned<Kind> {
        let mut entries = Entries::default();
        if self.eat('}') {
            return Ok(Kind::Map(entries.list));
        }
        loop {
            let start = self.at;
            if self.peek() != Some('"') {
                return self.expected("a key in double quotes");
            }
            let key = self.string()?;
            let key_span = Span::new(start, self.at);
            self.skip_space();
            if !self.eat(':') {
                return self.expected("`:` after the key");
            }
            self.skip_space();
            let value = self.value()?;
            entries.add(Entry::new(key, key_span, value, self.text), self.problems);
            if self.ends_with('}', "`,` or `}` after a value")? {
                return Ok(Kind::Map(entries.list));
            }
        }
    }

    /// After an item: true at the closing bracket, false when a comma says that another item follows.
    fn ends_with(&mut self, closing: char, expected: &str) -> Scanned<bool> {
        self.skip_space();
        if self.eat(closing) {
            return Ok(true);
        }
        if !self.eat(',') {
            return self.expected(expected);
        }
        self.skip_space();
        if self.peek() == Some(closing) {
            let message = format!("expected another item after `,`, found `{closing}`");
            return self.fault(message, Some("JSON has no comma after the last item"));
        }
        Ok(false)
    }

    fn word(&mut self) -> Scanned<Kind> {
        for (word, kind) in [
            ("true", Kind::Bool(true)),
            ("false", Kind::Bool(false)),
            ("null", Kind::Null),
        ] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(kind);
            }
        }
        self.expected("a value")
    }

    fn digits(&mut self) -> Scanned<()> {
        let rest = self.rest();
        let count = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if count == 0 {
            return self.expected("a digit");
        }
        self.at += count;
        Ok(())
    }

    fn number(&mut self) -> Scanned<Kind> {
        let start = self.at;
        self.eat('-');
        if !self.eat('0') {
            self.digits()?;
        }
        let mut whole = true;
        if self.eat('.') {
            whole = false;
            self.digits()?;
        }
        if self.eat('e') || self.eat('E') {
            whole = false;
            let _sign = self.eat('+') || self.eat('-');
            self.digits()?;
        }
        let written = self.text.get(start..self.at).unwrap_or_default();
        let integer = written.parse().ok().filter(|_| whole).map(Kind::Int);
        let float = || written.parse().ok().filter(|f: &f64| f.is_finite());
        match integer.or_else(|| float().map(Kind::Float)) {
            Some(kind) => Ok(kind),
            None => self.fault(format!("the number {written} is too large"), None),
        }
    }

    fn string(&mut self) -> Scanned<String> {
        let start = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            match self.peek() {
                Some('"') => {
                    self.at += 1;
                    return Ok(value);
                }
                Some('\\') => value.push(self.escape()?),
                Some(letter) if letter >= ' ' => {
                    self.at += letter.len_utf8();
                    value.push(letter);
                }
                found => {
                    // Either way the mistake is most likely the missing quote, which began here.
                    let help = Some("close the text with `\"`, or write a line break as `\\n`");
                    self.at = if found.is_none() { start } else { self.at };
                    return self.fault("this text does not end on its line", help);
                }
            }
        }
    }

    fn escape(&mut self) -> Scanned<char> {
        let mut letters = self.rest().chars().skip(1);
        let plain = match letters.next() {
            Some(letter @ ('"' | '\\' | '/')) => letter,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => return self.unicode_escape(),
            _ => {
                return self.fault(
                    "unknown escape in a text",
                    Some("write `\\\\` for a backslash"),
                );
            }
        };
        self.at += 2;
        Ok(plain)
    }

    /// `\uXXXX`, or two of them for what UTF-16 writes as a surrogate pair.
    fn unicode_escape(&mut self) -> Scanned<char> {
        let start = self.at;
        let first = self.code_unit()?;
        let units = if (0xd800..0xdc00).contains(&first) && self.rest().starts_with("\\u") {
            vec![first, self.code_unit()?]
        } else {
            vec![first]
        };
        let mut decoded = char::decode_utf16(units);
        match (decoded.next(), decoded.next()) {
            (Some(Ok(letter)), None) => Ok(letter),
            _ => {
                self.at = start;
                self.fault("half of a surrogate pair", None)
            }
        }
    }

    fn code_unit(&mut self) -> Scanned<u16> {
        let digits = self.rest().get(2..6).unwrap_or_default();
        // The standard parser takes a sign as well.
        if digits.len() != 4 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            return self.fault("expected four hexadecimal digits after `\\u`", None);
        }
        let unit = u16::from_str_radix(digits, 16).unwrap_or_default();
        self.at += 6;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::tests::{problems_in, shown};
    use proptest::prelude::*;
    use serde_json::Value as Json;

    #[test]
    fn values_keep_their_places() {
        let text = "\u{feff}{\n\t\"a\": [1, -2.5e1, true],\n\t\"b\": {\n\t\t\"c\": \"x\\u00e9\\ud83d\\ude00\\/\"\n\t}\n}\n";
        assert_eq!(
            shown(parse, text),
            [
                "a=[..] @2:7",
                "a[0]=1 @2:8",
                "a[1]=-25.0 @2:11",
                "a[2]=true @2:19",
                "b={..} @3:2",
                "b.c=\"xé😀/\" @4:8",
            ]
        );
    }

    #[test]
    fn what_is_refused_is_refused_at_its_place() {
        let deep = "[".repeat(MAX_DEPTH + 1);
        for (text, place, message) in [
            ("{", "1:2", "expected a key in double quotes, found the end"),
            (
                "{\n  a: 1}",
                "2:3",
                "expected a key in double quotes, found `a`",
            ),
            ("{\"a\" 1}", "1:6", "expected `:` after the key"),
            (
                "{\"a\": 1,\n}",
                "2:1",
                "expected another item after `,`, found `}`",
            ),
            ("[1 2]", "1:4", "expected `,` or `]`"),
            ("[1,]", "1:4", "expected another item"),
            ("['x']", "1:2", "expected a value, found `'`"),
            ("[1] // x", "1:5", "expected the end of the file, found `/`"),
            ("[01]", "1:3", "expected `,` or `]`"),
            ("[1.]", "1:4", "expected a digit"),
            ("[1e999]", "1:7", "too large"),
            ("[\"a\nb\"]", "1:4", "does not end on its line"),
            ("[\"a", "1:2", "does not end on its line"),
            ("[\"\\x\"]", "1:3", "unknown escape"),
            ("[\"\\u12g4\"]", "1:3", "four hexadecimal digits"),
            ("[\"\\ud800\"]", "1:3", "half of a surrogate pair"),
            ("{\"a\": 1, \"a\": 2}", "1:10", "the key `a` is here twice"),
            (&deep, "1:65", "nested more than 64"),
        ] {
            let found = problems_in(parse, text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(message), "{text}: {found:?}");
            assert!(
                found[0].starts_with(&format!("{place} ")),
                "{text}: {found:?}"
            );
        }
    }

    fn accepted(text: &str) -> bool {
        parse(text, &mut Problems::new("f", text)).is_some()
    }

    fn same(node: &Node, json: &Json) -> bool {
        match (&node.kind, json) {
            (Kind::Null, Json::Null) => true,
            (Kind::Bool(a), Json::Bool(b)) => a == b,
            (Kind::Int(a), Json::Number(b)) => b.as_i64() == Some(*a),
            (Kind::Float(a), Json::Number(b)) => b.as_f64() == Some(*a),
            (Kind::Text(a), Json::String(b)) => a == b,
            (Kind::List(a), Json::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Kind::Map(a), Json::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|e| b.get(&e.key).is_some_and(|v| same(&e.value, v)))
            }
            _ => false,
        }
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(|n| Json::from(n as f64)),
            ".*".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inside| {
            prop_oneof![
                prop::collection::vec(inside.clone(), 0..6).prop_map(Json::from),
                prop::collection::vec((".{0,4}", inside), 0..6)
                    .prop_map(|entries| Json::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_json_value_is_read_as_it_is(json in any_json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{json:#}") } else { json.to_string() };
            let node = parse(&text, &mut Problems::new("f", text.as_str()));
            prop_assert!(node.is_some_and(|node| same(&node, &json)), "{text}");
        }

        #[test]
        fn what_another_parser_refuses_is_refused(text in r#"[\[\]{},:"\\u0-9a-f.eE+\- \ntrls]{1,12}"#) {
            // The only text that is accepted here and not there is an empty one.
            let other = serde_json::from_str::<Json>(&text);
            prop_assert_eq!(accepted(&text), other.is_ok() || text.trim().is_empty(), "{:?}", other);
        }
    }
}
