//! What is wrong with a value, by its JSON schema.

use serde_json::Value;

/// The schema that a reference leads to, or itself.
pub(crate) fn follow<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(path) => root.pointer(path.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// What is wrong with a value. Of JSON Schema this knows what ours use; `peers.rs` asks a whole implementation.
pub(crate) fn faults(root: &Value, schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    for word in ["oneOf", "anyOf"] {
        let Some(choices) = schema[word].as_array() else {
            continue;
        };
        let fits = |choice: &&Value| {
            let mut wrong = Vec::new();
            self::faults(root, choice, value, path, &mut wrong);
            wrong.is_empty()
        };
        let fitting = choices.iter().filter(fits).count();
        if fitting == 0 || (word == "oneOf" && fitting > 1) {
            faults.push(format!("{path}: fits {fitting} of {word}"));
        }
    }
    if schema["$ref"].is_string() {
        self::faults(root, follow(root, schema), value, path, faults);
    }
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    };
    let kinds = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap()).collect(),
        _ => vec![],
    };
    let smallest = schema["minimum"].as_f64();
    let too_small = value.as_f64().zip(smallest).is_some_and(|(value, least)| value < least);
    let is_other = schema.get("const").is_some_and(|only| only != value);
    let is_none = schema["enum"].as_array().is_some_and(|all| !all.contains(value));
    if (!kinds.is_empty() && !kinds.iter().any(|kind| is(kind))) || too_small || is_other || is_none {
        faults.push(format!("{path}: {value} is not {schema}"));
    }
    if let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, value) in fields {
            if let Some(property) = properties.get(name) {
                self::faults(root, property, value, &format!("{path}.{name}"), faults);
            } else if schema["additionalProperties"] == false {
                faults.push(format!("{path}.{name} is no key"));
            }
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if !fields.contains_key(name.as_str().unwrap()) {
                faults.push(format!("{path}.{name} is missing"));
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        self::faults(root, &schema["items"], item, &format!("{path}[{index}]"), faults);
    }
}
