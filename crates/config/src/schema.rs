//! The JSON Schema of a configuration file, for editors and other tools.

use serde_json::{Map, Value as Json, json};

use crate::settings::Settings;
use crate::shape::{Choice, Key, Rule, Section, Shape};
use crate::value::Value;

/// The JSON Schema (draft 2020-12) of a whole configuration file.
pub fn schema() -> Json {
    let mut definitions = Map::new();
    definitions.insert("environment".to_owned(), environment());
    let mut schema = match Settings::shape(&Rule::Any) {
        Shape::Section(section) => of_section(&section, &mut definitions),
        shape => of_shape(&shape, &mut definitions),
    };
    if let Some(schema) = schema.as_object_mut() {
        let draft = "https://json-schema.org/draft/2020-12/schema";
        schema.insert("$schema".to_owned(), draft.into());
        schema.insert("title".to_owned(), "Forebay configuration".into());
        schema.insert("$defs".to_owned(), definitions.into());
    }
    schema
}

fn environment() -> Json {
    json!({
        "type": "string",
        "pattern": "\\$\\{env:",
        "description": "A value from the environment: `${env:NAME}` or `${env:NAME:-default}`.",
    })
}

fn of_section(section: &Section, definitions: &mut Map<String, Json>) -> Json {
    let properties: Map<_, _> = section
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), of_key(key, definitions)))
        .collect();
    let required: Vec<_> = section.keys.iter().filter(|key| key.required).collect();
    let mut schema = json!({
        "type": "object",
        "description": section.about,
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.iter().map(|key| key.name).collect();
    }
    schema
}

fn of_key(key: &Key, definitions: &mut Map<String, Json>) -> Json {
    let mut schema = of_shape(&key.shape, definitions);
    let alternatives = schema["oneOf"].take();
    schema["description"] = key.about.as_str().into();
    if let Some(default) = &key.default {
        schema["default"] = default.clone();
    }
    if let Some(example) = &key.example {
        schema["examples"] = json!([example]);
    }
    // Behind the prose, where a reader expects the details.
    if let Some(map) = schema.as_object_mut() {
        map.shift_remove("oneOf");
        if !alternatives.is_null() {
            map.insert("oneOf".to_owned(), alternatives);
        }
    }
    schema
}

fn of_shape(shape: &Shape, definitions: &mut Map<String, Json>) -> Json {
    match shape {
        Shape::Bool => or_environment(json!({ "type": "boolean" })),
        Shape::Integer { min, max } => {
            or_environment(json!({ "type": "integer", "minimum": min, "maximum": max }))
        }
        Shape::OneOf(numbers) => or_environment(json!({ "enum": numbers })),
        Shape::Number { min, max } => {
            or_environment(json!({ "type": "number", "minimum": min, "maximum": max }))
        }
        Shape::Text { pattern: "", .. } => json!({ "type": "string" }),
        Shape::Text { pattern, .. } => {
            or_environment(json!({ "type": "string", "pattern": pattern }))
        }
        Shape::Choice(choices) => or_environment(of_choices(choices)),
        Shape::Statuses { from } => {
            let classes: Vec<String> = (from / 100..6).map(|class| format!("{class}xx")).collect();
            or_environment(json!({
                "anyOf": [
                    { "type": "integer", "minimum": from, "maximum": 599 },
                    { "enum": classes }
                ]
            }))
        }
        Shape::Or(word, other) => {
            json!({ "anyOf": [{ "const": word }, of_shape(other, definitions)] })
        }
        Shape::OrFalse(other) => {
            json!({ "anyOf": [{ "const": false }, of_shape(other, definitions)] })
        }
        Shape::List { item, single } => {
            let one = match &**item {
                // A list of sections may be one short form, but not one section.
                Shape::Section(section) => section.short().map(|key| &key.shape),
                item => single.then_some(item),
            };
            let one = one.map(|one| of_shape(one, definitions));
            of_list(of_shape(item, definitions), one)
        }
        Shape::Pairs { .. } => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Shape::Section(section) => {
            let name = section
                .title
                .rsplit_once("a ")
                .map_or(section.title, |(_, name)| name);
            let name = name.replace(' ', "_");
            let definition = of_section(section, definitions);
            definitions.insert(name.clone(), definition);
            // A slash in a pointer is written like this (RFC 6901 section 3).
            let name = name.replace('/', "~1");
            let whole = json!({ "$ref": format!("#/$defs/{name}") });
            match section.short() {
                Some(key) => json!({ "anyOf": [whole, of_shape(&key.shape, definitions)] }),
                None => whole,
            }
        }
    }
}

/// Any value but free text and lists can also come from the environment, which is then text.
fn or_environment(schema: Json) -> Json {
    json!({ "anyOf": [schema, { "$ref": "#/$defs/environment" }] })
}

fn of_choices(choices: &[Choice]) -> Json {
    let each = choices.iter().map(|choice| {
        // The reader takes a version such as 1.3 without quotes, too.
        let number: Option<f64> = choice.name.parse().ok();
        match number.filter(|number| number.is_finite()) {
            Some(number) => json!({ "enum": [choice.name, number], "description": choice.about }),
            None => json!({ "const": choice.name, "description": choice.about }),
        }
    });
    json!({ "oneOf": each.collect::<Vec<_>>() })
}

/// A list, or `one` without a list around it.
fn of_list(item: Json, one: Option<Json>) -> Json {
    let list = json!({ "type": "array", "items": item });
    match one {
        Some(one) => json!({ "anyOf": [list, one] }),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::format::Format;
    use crate::node::{Kind, Node};
    use crate::problems::Problems;

    /// A file as a validator in an editor sees it.
    fn json_of(path: &Path) -> Json {
        let text = std::fs::read_to_string(path).unwrap();
        let name = path.to_str().unwrap();
        let node = Format::of(name).parse(&text, &mut Problems::new(name, &text));
        json_of_node(&node.unwrap())
    }

    fn json_of_node(node: &Node) -> Json {
        match &node.kind {
            Kind::Null | Kind::Broken => Json::Null,
            Kind::Bool(value) => json!(value),
            Kind::Int(value) => json!(value),
            Kind::Float(value) => json!(value),
            Kind::Text(text) | Kind::Loose(text) => json!(text),
            Kind::List(items) => items.iter().map(json_of_node).collect(),
            Kind::Map(entries) => {
                let pairs = entries
                    .iter()
                    .map(|e| (e.key.clone(), json_of_node(&e.value)));
                Json::Object(pairs.collect())
            }
        }
    }

    #[test]
    fn a_validator_accepts_every_example() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut seen = 0;
        for entry in std::fs::read_dir(root.join("examples")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let faults: Vec<String> = schema
                .iter_errors(&json_of(&path))
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
            seen += 1;
        }
        assert!(seen >= 10);
    }

    #[test]
    fn a_validator_accepts_one_value_for_a_section() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        for right in [
            json!({"backend_groups": [{"id": "a", "backends": ["http://a:1", {"url": "http://b:2"}]}]}),
            json!({"backend_groups": [{"id": "a", "backends": "http://a:1"}]}),
            json!({"telemetry": {"access_log": "off"}}),
            json!({"telemetry": {"access_log": false}}),
            json!({"telemetry": {"access_log": {"output": false}}}),
            json!({"server": {"address": "127.0.0.1:1", "tls": {"min_version": 1.3, "max_version": "1.3"}}}),
        ] {
            assert!(schema.is_valid(&right), "{right}");
        }
        for wrong in [json!(["a:1"]), json!({ "url": "http://a:1" })] {
            let wrong = json!({"backend_groups": [{"id": "a", "backends": wrong}]});
            assert!(!schema.is_valid(&wrong), "{wrong}");
        }
    }

    #[test]
    fn a_validator_finds_mistakes_too() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        for wrong in [
            json!({"rotues": []}),
            json!({"server": {"address": 5}}),
            json!({"workers": "many"}),
            json!({"server": {"address": "127.0.0.1:1", "tls": {"min_version": 1.4}}}),
            json!({"backend_groups": [{"id": "a", "strategy": "round-robin"}]}),
        ] {
            assert!(!schema.is_valid(&wrong), "{wrong}");
        }
    }
}
