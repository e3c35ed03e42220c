//! JSON schemas of configurations and of the files that a run leaves, from the types that are read and written there.

mod config;

use crate::run::Line;
use clap::ValueEnum;
use dtrp_text::to_json;
use dtrp_train::Summary;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// What there is a schema of. The repository has each as `schemas/NAME.schema.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Schema {
    /// Of a configuration
    Config,
    /// Of a line of metrics.jsonl
    Metrics,
    /// Of summary.json
    Summary,
}

impl Schema {
    /// As JSON.
    pub(crate) fn text(self) -> String {
        match self {
            Schema::Config => config::schema(),
            Schema::Metrics => of::<Line>("a line of metrics.jsonl"),
            Schema::Summary => of::<Summary>("summary.json"),
        }
    }
}

/// Of what is written, so that no field is optional that always stands there.
fn of<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::default()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    // Of Rust.
    to_json(&schema).replace("`None`", "null")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_repository_has_them_as_they_are() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
        for schema in Schema::value_variants() {
            let name = schema.to_possible_value().unwrap();
            let path = folder.join(format!("{}.schema.json", name.get_name()));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                text,
                schema.text(),
                "{}: `cargo xtask schemas` writes it anew",
                path.display()
            );
        }
    }
}
