//! The reference page: every key with its type, default, meaning and an example.

use serde_json::Value as Json;

use crate::settings::Settings;
use crate::shape::{Choice, Key, Rule, Section, Shape};
use crate::value::Value;

const INTRODUCTION: &str = "\
# Configuration reference

Forebay reads YAML, JSON (`.json`) and TOML (`.toml`); the keys are the same in each. This page is generated from the
definitions that the program itself reads by.

- Durations are whole numbers with units: `500ms`, `30s`, `1m30s`, `2h`, `1d`.
- Sizes are whole numbers with a unit: `512B`; `8k` or `8KiB` (by 1024), `m`, `MiB`, `g`, `GiB`; `1kB`, `1MB`, `1GB` (by 1000).
- `${env:NAME}` in a value is replaced by that environment variable, `${env:NAME:-default}` falls back to a default.
  Other `${...}` are templates.
- A list of single words may be written as just one of them: `methods: GET`.
- A key without a value is as good as none.
";

/// The reference page of all settings, in Markdown.
pub fn reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    if let Shape::Section(section) = Settings::shape(&Rule::Any) {
        write_section(&section, "", &mut page);
    }
    page
}

/// The section found at `path`, then those inside it.
fn write_section(section: &Section, path: &str, page: &mut String) {
    let heading = if path.is_empty() {
        "Top level".to_owned()
    } else {
        format!("`{path}`")
    };
    page.push_str(&format!("\n## {heading}\n\n{}\n\n", section.about));
    page.push_str("| key | type | default | meaning | example |\n|---|---|---|---|---|\n");
    for key in &section.keys {
        page.push_str(&row(key));
    }
    for key in &section.keys {
        if let Some((inside, suffix)) = section_of(&key.shape) {
            let dot = if path.is_empty() { "" } else { "." };
            write_section(inside, &format!("{path}{dot}{}{suffix}", key.name), page);
        }
    }
}

/// The section that a key holds, and `[]` if it holds a list of them.
fn section_of(shape: &Shape) -> Option<(&Section, &'static str)> {
    match shape {
        Shape::Section(section) => Some((section, "")),
        Shape::List { item, .. } => section_of(item).map(|(section, _)| (section, "[]")),
        _ => None,
    }
}

fn row(key: &Key) -> String {
    let default = match &key.default {
        Some(default) => code(default),
        None if key.required => "required".to_owned(),
        None => String::new(),
    };
    let example = key.example.as_ref().map(code).unwrap_or_default();
    let meaning = format!("{}{}", key.about, meanings(&key.shape));
    let cells = [
        format!("`{}`", key.name),
        kind(&key.shape),
        default,
        meaning,
        example,
    ];
    format!(
        "| {} |\n",
        cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
    )
}

/// A value as a person would write it in YAML: words without quotes.
fn code(value: &Json) -> String {
    match value {
        Json::String(text) if text.is_empty() => "`\"\"`".to_owned(),
        Json::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Bool => "`true` or `false`".to_owned(),
        Shape::Integer { min, max } => format!("integer, {min} to {max}"),
        Shape::OneOf(numbers) => {
            let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
            format!("one of {}", numbers.join(", "))
        }
        Shape::Number { min, max } => format!("number, {min} to {max}"),
        // "a duration such as `30s`" is a duration; the example has a column of its own.
        Shape::Text { noun, .. } => {
            let noun = noun.split(" such as").next().unwrap_or(noun);
            let article = ["a ", "an "]
                .into_iter()
                .find_map(|article| noun.strip_prefix(article));
            article.unwrap_or(noun).to_owned()
        }
        Shape::Choice(choices) => {
            let names: Vec<_> = choices
                .iter()
                .map(|choice| format!("`{}`", choice.name))
                .collect();
            names.join(", ")
        }
        Shape::Statuses { from: 400 } => "status from 400 to 599, `4xx` or `5xx`".to_owned(),
        Shape::Statuses { from } => {
            format!("status from {from} to 599, or a class such as `2xx`")
        }
        Shape::Or(word, other) => format!("{}, or `{word}`", kind(other)),
        Shape::OrFalse(other) => kind(other),
        Shape::List { item, .. } => format!("list: {}", kind(item)),
        Shape::Pairs { names } => format!("map of {names} to texts"),
        Shape::Section(section) => match section.short {
            Some(key) => format!("section, below, or just its `{key}`"),
            None => "section, below".to_owned(),
        },
    }
}

/// What each word of an enumeration means.
fn meanings(shape: &Shape) -> String {
    let choices = match shape {
        Shape::Choice(choices) => choices,
        Shape::List { item, .. } => return meanings(item),
        _ => return String::new(),
    };
    let meaning = |choice: &Choice| format!("<br>`{}`: {}", choice.name, choice.about);
    choices.iter().map(meaning).collect()
}
