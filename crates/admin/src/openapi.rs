//! The API described to programs: OpenAPI 3.1, made from the table of endpoints
//! and the types of what they take and give.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::problem::{MEDIA_TYPE, Problem};
use crate::table::{Content, Endpoint, endpoints};

/// The whole document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for endpoint in endpoints() {
        let methods = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(methods) = methods.as_object_mut() {
            methods.insert(endpoint.method.into(), operation(&endpoint, &mut generator));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Forebay admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What runs and why, and changing it. Errors are RFC 9457.",
        },
        "servers": [{"url": "http://127.0.0.1:8081"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut operation = Map::new();
    operation.insert("summary".into(), endpoint.about.into());
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    if let Some(content) = &endpoint.takes {
        let body = json!({"required": true, "content": content_of(content, generator)});
        operation.insert("requestBody".into(), body);
    }
    let mut answers = Map::new();
    for (status, content) in &endpoint.gives {
        let mut answer = json!({"description": title(*status)});
        if let (Some(content), Some(answer)) = (content, answer.as_object_mut()) {
            answer.insert("content".into(), content_of(content, generator));
        }
        answers.insert(status.to_string(), answer);
    }
    let guards: &[u16] = if endpoint.is_open { &[] } else { &[401, 403] };
    for status in endpoint.refuses.iter().chain(guards) {
        let shape = generator.subschema_for::<Problem>();
        let answer = json!({
            "description": title(*status),
            "content": {MEDIA_TYPE: {"schema": shape}},
        });
        answers.insert(status.to_string(), answer);
    }
    operation.insert("responses".into(), answers.into());
    if endpoint.is_open {
        operation.insert("security".into(), json!([]));
    }
    operation.into()
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let parts = endpoint.path.split('/');
    let names = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path = names.map(
        |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}),
    );
    let of_query = endpoint.query.iter().map(|(name, about)| {
        json!({"name": name, "in": "query", "description": about, "schema": {"type": "string"}})
    });
    of_path.chain(of_query).collect()
}

fn content_of(content: &Content, generator: &mut SchemaGenerator) -> Value {
    let shape = match content.shape {
        Some(shape) => shape(generator).to_value(),
        None => json!({"type": "string"}),
    };
    json!({content.media_type: {"schema": shape}})
}

fn title(status: u16) -> String {
    let status = axum::http::StatusCode::from_u16(status).ok();
    let title = status.and_then(|status| status.canonical_reason());
    title.unwrap_or("Answer").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        assert!(text.matches("\"$ref\"").count() > 20);
    }

    #[test]
    fn the_committed_document_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let expected = format!("{:#}\n", document());
        if std::fs::read_to_string(path).ok().as_ref() != Some(&expected) {
            let written = std::env::temp_dir().join("forebay-openapi.json");
            std::fs::write(&written, expected).unwrap();
            panic!(
                "docs/openapi.json is stale; the new one is {}",
                written.display()
            );
        }
    }
}
