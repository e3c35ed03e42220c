//! The JSON schema of a configuration: the settings' and this program's keys, from their types, and in the sections `model` and
//! `data` the options that families of models and data sets declare.

use crate::config::ProgramKeys;
use dtrp_core::schedule::Method;
use dtrp_text::{OptionSpec, to_json};
use dtrp_train::Settings;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// As JSON.
pub(super) fn schema() -> String {
    let mut schema = of::<Settings>();
    let own = of::<ProgramKeys>();
    for (name, section) in own["properties"].as_object().into_iter().flatten() {
        let place = &mut schema["properties"][name];
        if place.is_null() {
            *place = section.clone();
        } else if let (Some(keys), Some(all)) = (section["properties"].as_object(), place["properties"].as_object_mut())
        {
            all.extend(keys.clone());
        }
    }
    let sections = &mut schema["properties"];
    let models = dtrp_models::list();
    name_of(&mut sections["model"], "name", models.iter().map(|family| family.name));
    add_options(
        &mut sections["model"],
        models.iter().map(|family| (family.name, family.options)),
    );
    let sets = dtrp_data::list();
    name_of(&mut sections["data"], "name", sets.iter().map(|set| set.name));
    add_options(&mut sections["data"], sets.iter().map(|set| (set.name, set.options)));
    name_of(
        &mut sections["method"],
        "name",
        Method::all().iter().map(|method| method.name),
    );
    let heads = dtrp_models::auxiliary::list();
    name_of(&mut sections["method"], "auxiliary", heads.iter().map(|head| head.name));
    // A section that is null has its defaults, as one that is left out.
    for section in sections.as_object_mut().into_iter().flat_map(Map::values_mut) {
        section["type"] = json!(["object", "null"]);
        if let Some(section) = section.as_object_mut() {
            section.shift_remove("default");
        }
    }
    schema["title"] = "a configuration of dtrp".into();
    schema["description"] = "What `dtrp train --config` reads. configs/digits.yaml says what each key means.".into();
    to_json(&schema).replace("`None`", "null")
}

/// Of what is read, everything in place.
fn of<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::default().for_deserialize();
    settings.inline_subschemas = true;
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The names that a key may have as its value.
fn name_of<'a>(section: &mut Value, key: &str, names: impl Iterator<Item = &'a str>) {
    section["properties"][key]["enum"] = names.collect();
}

/// The options of each of some things, which stand beside the section's keys. Null is an option that is not given.
fn add_options<'a>(section: &mut Value, of: impl Iterator<Item = (&'a str, &'a [OptionSpec])>) {
    let mut all: Map<String, Value> = Map::new();
    for (owner, options) in of {
        let schema = dtrp_text::schema(options);
        for (name, option) in schema["properties"].as_object().into_iter().flatten() {
            let mut option = option.clone();
            let summary = option["description"].as_str().unwrap_or_default();
            option["description"] = format!("of {owner}: {summary}").into();
            let place = all
                .entry(name)
                .or_insert_with(|| json!({ "anyOf": [{ "type": "null" }] }));
            if let Some(choices) = place["anyOf"].as_array_mut() {
                choices.push(option);
            }
        }
    }
    if let Some(keys) = section["properties"].as_object_mut() {
        keys.extend(all);
    }
}

#[cfg(test)]
#[path = "../../tests/suite/faults.rs"]
mod faults;

#[cfg(test)]
mod tests {
    use super::faults::faults;
    use super::*;
    use crate::config::{DIGITS, Layers, parse_yaml};
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_configuration_fits_its_schema() {
        let config: Value = serde_json::from_str(&schema()).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs");
        let mut checked = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            let given: Value = parse_yaml(&fs::read_to_string(&path).unwrap()).unwrap();
            let layers = Layers {
                config: Some(path.clone()),
                sets: vec![],
            };
            let resolved = layers.load(DIGITS).unwrap().to_yaml().unwrap();
            for value in [given, parse_yaml(&resolved).unwrap()] {
                let mut wrong = Vec::new();
                faults(&config, &config, &value, "", &mut wrong);
                assert!(wrong.is_empty(), "{}: {}", path.display(), wrong.join("\n"));
            }
            checked += 1;
        }
        assert!(checked > 5);
        for (wrong, count) in [
            (serde_json::json!({ "optimizer": { "lr": "fast" } }), 1),
            (serde_json::json!({ "optimizer": { "rate": 1 } }), 1),
            (
                serde_json::json!({ "model": { "depth": true, "depht": 8 }, "data": { "name": "nist" } }),
                3,
            ),
            (
                serde_json::json!({ "method": { "predictor": { "name": "momentum", "rho": 1 } } }),
                1,
            ),
            (
                serde_json::json!({ "run": { "dtype": "f16", "progress": "loud" }, "runs": {} }),
                3,
            ),
        ] {
            let mut found = Vec::new();
            faults(&config, &config, &wrong, "", &mut found);
            assert_eq!(found.len(), count, "{wrong}: {}", found.join("\n"));
        }
    }
}
