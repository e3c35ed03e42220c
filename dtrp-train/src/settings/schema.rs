//! JSON schemas of the settings whose values have more than one form, and of words. The other types derive theirs.

use super::{Bytes, Cuts, Devices, OptimizerName, PredictorSpec, RateRule, Recomputing, ScheduleName};
use dtrp_core::schedule::Order;
use dtrp_core::schedule::Recompute;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The orders, and null for the usual one.
pub(super) fn orders() -> Vec<Value> {
    let words = Order::ALL.map(|order| order.name().into());
    words.into_iter().chain([Value::Null]).collect()
}

/// The schema of a type, in place wherever it is used.
macro_rules! is {
    ($($type:ident => $schema:expr;)*) => {
        $(impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })*
    };
}

is! {
    RateRule => json_schema!({ "type": "string", "enum": RateRule::ALL.map(RateRule::name) });
    OptimizerName => json_schema!({ "type": "string", "enum": OptimizerName::ALL.map(OptimizerName::name) });
    ScheduleName => json_schema!({ "type": "string", "enum": ScheduleName::ALL.map(ScheduleName::name) });
    Bytes => json_schema!({ "anyOf": [
        { "type": "integer", "minimum": 1 },
        { "type": "string", "pattern": "^\\s*[0-9.]+([eE][0-9]+)?\\s*([kMGT]|[KMGT]i)?B$" },
    ]});
    Cuts => json_schema!({ "anyOf": [
        { "type": "string", "enum": ["even", "auto"] },
        { "type": "array", "items": { "type": "integer", "minimum": 0 } },
        { "type": "array", "items": { "type": "string" } },
    ]});
    Recomputing => json_schema!({ "anyOf": [
        { "type": "null" },
        { "type": "string", "enum": ["full", "none", "auto"] },
        { "type": "array", "items": { "type": "string", "enum": Recompute::ALL.map(Recompute::name) } },
    ]});
    Devices => json_schema!({ "anyOf": [
        { "type": "string", "pattern": "^(cpu|cuda:[0-9]+)$" },
        { "type": "array", "items": { "type": "string", "pattern": "^(cpu|cuda:[0-9]+)$" }, "minItems": 1 },
    ]});
    PredictorSpec => predictors();
}

/// A name; a name with the predictor's options; or a plug-in, whose options only it knows.
fn predictors() -> Schema {
    let all = dtrp_predictors::list();
    let names: Vec<_> = all.iter().map(|predictor| predictor.name).collect();
    let mut choices = vec![json!({ "type": "string", "enum": names })];
    choices.extend(all.iter().map(|predictor| {
        json!({
            "type": "object",
            "description": predictor.summary,
            "additionalProperties": false,
            "required": ["name"],
            "properties": { "name": { "const": predictor.name }, "options": dtrp_text::schema(predictor.options) },
        })
    }));
    choices.push(json!({
        "type": "object",
        "description": "a plug-in",
        "additionalProperties": false,
        "required": ["plugin"],
        "properties": {
            "plugin": { "type": "string", "description": "its library" },
            "id": { "type": "string", "description": "which of its predictors" },
            "options": { "type": "object" },
        },
    }));
    json_schema!({ "anyOf": choices })
}
