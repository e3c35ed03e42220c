//! `dtrp data list`.

use super::fetchable;
use crate::error::Error;
use crate::output::{self, Format};
use clap::Args;
use dtrp_data::DatasetInfo;
use dtrp_text::to_json;
use dtrp_text::units::thousands;
use serde_json::{Value, json};

/// `dtrp data list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

impl List {
    pub(super) fn run(&self) -> Result<(), Error> {
        match self.format {
            Format::Table => output::print(&output::wrapped(&text())),
            Format::Json => output::print(&to_json(&dtrp_data::list().into_iter().map(json).collect::<Vec<_>>())),
        }
    }
}

fn text() -> String {
    let mut text = String::new();
    for set in dtrp_data::list() {
        text.push_str(&format!("{}\n  {}\n", set.name, set.summary));
        let options = match names(set).as_slice() {
            [] => "none".to_owned(),
            some => some.join(", "),
        };
        for (what, value) in [
            ("images", images(set)),
            ("files", set.files.unwrap_or("none").to_owned()),
            ("options", options),
            ("to get it", how(set)),
            ("licence", set.licence.to_owned()),
            ("page", set.page.unwrap_or("-").to_owned()),
        ] {
            text.push_str(&format!("    {what:<10} {value}\n"));
        }
    }
    text
}

/// Of its options.
fn names(set: &DatasetInfo) -> Vec<&'static str> {
    set.options.iter().map(|option| option.name).collect()
}

/// `3x32x32, 10 classes, 50,000 to train on, 10,000 to test on`.
fn images(set: &DatasetInfo) -> String {
    let (Some(shape), Some(classes), Some([train, test])) = (set.shape, set.classes, set.samples) else {
        return "any shape, number of classes and of images".to_owned();
    };
    let [train, test] = [train, test].map(|samples| thousands(samples as u64));
    format!("{shape}, {classes} classes, {train} to train on, {test} to test on")
}

fn how(set: &DatasetInfo) -> String {
    if fetchable(set.name) {
        format!("dtrp data fetch {}", set.name)
    } else if set.needs_dir() {
        "make the folder yourself, and set data.dir".to_owned()
    } else {
        "nothing to do".to_owned()
    }
}

fn json(set: &DatasetInfo) -> Value {
    json!({
        "name": set.name,
        "description": set.summary,
        "shape": set.shape.map(|shape| [shape.channels, shape.height, shape.width]),
        "classes": set.classes,
        "train_samples": set.samples.map(|[train, _]| train),
        "test_samples": set.samples.map(|[_, test]| test),
        "needs_dir": set.needs_dir(),
        "files": set.files.unwrap_or("none"),
        "options": names(set),
        "fetchable": fetchable(set.name),
        "licence": set.licence,
        "page": set.page,
    })
}
