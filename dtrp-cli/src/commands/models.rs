//! `dtrp models`: the networks that there are, and what their blocks cost.

use crate::config::{expanded, parse_yaml};
use crate::error::Error;
use crate::output::{self, Format};
use clap::{Args, Subcommand};
use dtrp_models::exported::Exported;
use dtrp_models::{BlockInfo, ModelInput, OutputInfo};
use dtrp_text::units::{bytes, thousands};
use dtrp_text::{OptionSpec, OptionValues, Table, schema, to_json};
use serde_json::{Value, json};
use std::path::Path;

/// `dtrp models ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// List the families with their options
    List {
        /// How to print them
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Print the blocks of a network: shapes, parameters, multiply-adds, bytes of activations
    Show(Show),
}

/// `dtrp models show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The family, or a .pt2 file that PyTorch has exported: then channels, size and classes are the file's
    name: String,
    /// An option of it, such as depth=20; can be given several times
    #[arg(short, long = "option", value_name = "NAME=VALUE")]
    options: Vec<String>,
    /// Channels of the images
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    channels: u32,
    /// Their height and width in pixels
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    size: u32,
    /// Number of classes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=16_777_216))]
    classes: u32,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Does what was typed.
pub(super) fn run(command: &ModelsCommand) -> Result<(), Error> {
    match command {
        ModelsCommand::List { format: Format::Table } => output::print(&output::wrapped(&list())),
        ModelsCommand::List { format: Format::Json } => output::print(&to_json(&json_list())),
        ModelsCommand::Show(args) => output::print(&args.show()?),
    }
}

fn list() -> String {
    let mut text = String::new();
    for family in dtrp_models::list() {
        text.push_str(&format!("{}\n  {}\n", family.name, family.summary));
        for option in family.options {
            text.push_str(&format!(
                "    {:<12} {} (default {})\n",
                option.name,
                option.summary,
                default(option)
            ));
        }
    }
    text
}

/// The families, each with its options as a JSON schema.
fn json_list() -> Value {
    let families = dtrp_models::list().into_iter().map(|family| {
        json!({
            "name": family.name,
            "summary": family.summary,
            "options": schema(family.options),
        })
    });
    families.collect()
}

/// As one would write it.
fn default(option: &OptionSpec) -> String {
    match option.kind.default() {
        Value::String(word) => word,
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

impl Show {
    fn show(&self) -> Result<String, Error> {
        let mut input = ModelInput {
            channels: self.channels as usize,
            height: self.size as usize,
            width: self.size as usize,
            classes: self.classes as usize,
        };
        let mut name = self.name.as_str();
        let mut options = OptionValues::new();
        for option in &self.options {
            let wrong = || Error::Fit(format!("--option {option}: write it as NAME=VALUE, such as depth=20"));
            let (name, value) = option.split_once('=').ok_or_else(wrong)?;
            options.insert(name.to_owned(), parse_yaml(value).map_err(|_| wrong())?);
        }
        if name.ends_with(".pt2") {
            let path =
                expanded(Path::new(name)).map_err(|expected| Error::Fit(format!("{name}: it must be {expected}")))?;
            let output = options.get("output").and_then(Value::as_u64);
            input = Exported::open(&path, output.map(|output| output as usize))?.input()?;
            options.insert("file".to_owned(), path.to_string_lossy().into());
            name = "exported";
        }
        let network = dtrp_models::build(name, &options, &input)?;
        let blocks = network.describe(&input)?;
        let places = network.in_pieces().describe(&input)?;
        match self.format {
            Format::Table => Ok(self.table(&blocks) + &cuts(&places)),
            Format::Json => Ok(to_json(&self.json(&blocks, &places))),
        }
    }

    fn table(&self, blocks: &[BlockInfo]) -> String {
        let mut table = Table::new(2);
        table.row(["block", "output", "parameters", "multiply-adds", "activations"]);
        let mut row = |name: &str, shape: String, parameters: usize, multiply_adds: u64, activations: u64| {
            table.row([
                name.to_owned(),
                shape,
                thousands(parameters as u64),
                thousands(multiply_adds),
                bytes(activations),
            ]);
        };
        for block in blocks {
            row(
                &block.name,
                shapes(block),
                block.parameters,
                block.multiply_adds,
                block.activation_bytes,
            );
        }
        let activations = blocks.iter().map(|block| block.activation_bytes).sum();
        row(
            &self.name,
            String::new(),
            parameters(blocks),
            multiply_adds(blocks),
            activations,
        );
        let note = "\nmultiply-adds and activations (f32) are for one image\n";
        output::fitted(&table) + &output::wrapped(note)
    }

    fn json(&self, blocks: &[BlockInfo], places: &[BlockInfo]) -> Value {
        let of_block = |block: &BlockInfo| {
            json!({
                "name": block.name,
                "output_shapes": block.outputs.iter().map(|output| &output.shape).collect::<Vec<_>>(),
                "output_bytes": block.output_bytes(),
                "parameters": block.parameters,
                "multiply_adds": block.multiply_adds,
                "activation_bytes": block.activation_bytes,
            })
        };
        let cut = |(below, above): (&BlockInfo, &BlockInfo)| {
            json!({
                "place": above.name,
                "crossing_shapes": below.outputs.iter().map(|output| &output.shape).collect::<Vec<_>>(),
                "crossing_bytes": below.output_bytes(),
            })
        };
        json!({
            "name": self.name,
            "parameters": parameters(blocks),
            "multiply_adds": multiply_adds(blocks),
            "blocks": blocks.iter().map(of_block).collect::<Vec<_>>(),
            "cuts": crossings(places).map(cut).collect::<Vec<_>>(),
        })
    }
}

/// The places where the network can be cut, with what crosses there.
fn cuts(places: &[BlockInfo]) -> String {
    let mut table = Table::new(1);
    table.row(["cut before", "what crosses", "bytes"]);
    for (below, above) in crossings(places) {
        table.row([above.name.clone(), shapes(below), bytes(below.output_bytes())]);
    }
    let note = "\nnames for `method.cuts`; bytes (f32) are for one image\n";
    format!("\n{}{}", output::fitted(&table), output::wrapped(note))
}

/// What lies below and above each place.
fn crossings(places: &[BlockInfo]) -> impl Iterator<Item = (&BlockInfo, &BlockInfo)> {
    places.iter().zip(places.iter().skip(1))
}

fn shapes(block: &BlockInfo) -> String {
    let shape = |output: &OutputInfo| {
        let sizes: Vec<String> = output.shape.iter().map(ToString::to_string).collect();
        sizes.join(" x ")
    };
    block.outputs.iter().map(shape).collect::<Vec<_>>().join(" + ")
}

fn parameters(blocks: &[BlockInfo]) -> usize {
    blocks.iter().map(|block| block.parameters).sum()
}

fn multiply_adds(blocks: &[BlockInfo]) -> u64 {
    blocks.iter().map(|block| block.multiply_adds).sum()
}
