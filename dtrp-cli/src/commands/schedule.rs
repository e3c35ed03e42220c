//! `dtrp schedule`: programs to look at, to save, to check.

use crate::config::path_argument;
use crate::error::Error;
use crate::output;
use clap::{Args, Subcommand, ValueEnum};
use dtrp_core::analysis::{self, ProgramReport};
use dtrp_core::schedule::{Method, Order, Plan, Program, Recompute, Slots};
use dtrp_core::trace::Timeline;
use dtrp_text::units::thousands;
use dtrp_text::{Table, to_json};
use dtrp_train::{parse_program, read_program};
use serde_json::{Value, json};
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// `dtrp schedule ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Print the program of a method, or of a file
    Show(Show),
    /// Say what is wrong with a program written by hand, or what it costs
    Check(Check),
    /// List the methods
    List {
        /// How to print them
        #[arg(long, value_enum, default_value_t = output::Format::Table)]
        format: output::Format,
    },
}

/// `dtrp schedule show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    plan: PlanArgs,
    /// Show the program in this file (text or JSON; `-` is stdin) instead of a method's
    #[arg(
        conflicts_with_all = ["method", "modules", "batches", "order", "micro_batches", "accumulate", "recompute"],
        value_parser = path_argument()
    )]
    file: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Which program.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The method; `dtrp schedule list` names all
    #[arg(long, default_value = "dtrp")]
    pub(crate) method: String,
    /// K, the number of modules
    #[arg(long, default_value_t = 3)]
    pub(crate) modules: usize,
    /// N, the number of batches
    #[arg(long, default_value_t = 6)]
    pub(crate) batches: u32,
    /// lockstep, eager, ...; the method's own if not given
    #[arg(long)]
    pub(crate) order: Option<Order>,
    /// Split every batch into so many micro-batches
    #[arg(long, default_value_t = 1)]
    pub(crate) micro_batches: u16,
    /// One update for so many batches
    #[arg(long, default_value_t = 1)]
    pub(crate) accumulate: u32,
    /// What each module recomputes, full or none, such as full,none,none; as the method does if not given
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    pub(crate) recompute: Vec<Recompute>,
}

/// `dtrp schedule check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The file (text or JSON; `-` is stdin)
    #[arg(value_parser = path_argument())]
    file: PathBuf,
    /// Messages that a link holds in each direction before its sender waits
    #[arg(long, default_value_t = NonZeroUsize::MIN)]
    capacity: NonZeroUsize,
}

/// How a program is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Slots down, workers across
    Table,
    /// The form that can be edited and run
    Text,
    /// For other programs
    Json,
    /// For Perfetto and chrome://tracing
    Chrome,
    /// A Gantt chart
    Svg,
}

/// Does what was typed.
pub(super) fn run(command: ScheduleCommand) -> Result<(), Error> {
    match command {
        ScheduleCommand::Show(args) => {
            let program = match &args.file {
                Some(file) => read(file)?,
                None => args.plan.program()?,
            };
            output::print(&print(&program, args.format)?)
        }
        ScheduleCommand::Check(args) => {
            let program = read(&args.file)?;
            let costs = analysis::analyse(&program, args.capacity).map_err(|fault| wrong(&args.file, &fault))?;
            output::print(&checked(&program, &costs))
        }
        ScheduleCommand::List { format } => match format {
            output::Format::Table => output::print(&list()),
            output::Format::Json => output::print(&to_json(&json_list())),
        },
    }
}

impl PlanArgs {
    /// The plan of it.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            modules: self.modules,
            batches: self.batches,
            order: self.order,
            micro_batches: self.micro_batches,
            accumulate: self.accumulate,
            recompute: self.recompute.clone(),
        }
    }

    fn program(&self) -> Result<Program, Error> {
        Ok(Method::named(&self.method)?.program(&self.plan())?)
    }
}

/// Reads a program in either form; `-` is stdin.
fn read(path: &Path) -> Result<Program, Error> {
    if path != Path::new("-") {
        return Ok(read_program(path)?);
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| wrong(path, &error))?;
    parse_program(&text).map_err(|message| wrong(path, &message))
}

/// What is wrong with the program in a file.
fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Fit(format!("{}: {error}", path.display()))
}

/// Cells of a table that somebody may look at.
const MOST_CELLS: usize = 1 << 22;

fn print(program: &Program, format: Format) -> Result<String, Error> {
    if format == Format::Table {
        let modules = program.modules();
        let too_large = Error::Fit(format!(
            "a table of {modules} workers and {} batches is too large: take fewer --modules or --batches, or --format text",
            program.batches
        ));
        // A batch takes a slot for each worker that it passes through; laying out slots only to refuse them takes long.
        let all = || Slots::of(program).count() as usize;
        if modules.saturating_mul(modules) > MOST_CELLS || all().saturating_mul(modules) > MOST_CELLS {
            return Err(too_large);
        }
    }
    Ok(match format {
        Format::Table => program.table(),
        Format::Text => program.to_string(),
        Format::Json => program.to_json(),
        Format::Chrome => Timeline::planned(program).to_chrome(),
        Format::Svg => Timeline::planned(program).to_svg(),
    })
}

fn checked(program: &Program, costs: &ProgramReport) -> String {
    let mut table = Table::new(0);
    table.row([
        "worker",
        "actions",
        "updates",
        "staleness",
        "stored inputs",
        "graphs",
        "versions",
        "messages",
    ]);
    for (k, worker) in (1usize..).zip(&costs.workers) {
        table.row([
            k.to_string(),
            thousands(program.workers[k - 1].len() as u64),
            worker.updates.to_string(),
            format!("{} ({:.2})", worker.max_staleness(), worker.mean_staleness()),
            worker.stored_inputs.to_string(),
            worker.live_graphs.to_string(),
            worker.weight_versions.to_string(),
            worker.messages.to_string(),
        ]);
    }
    format!(
        "{} ({}): {} modules, {} batches: the program is right\n\n{}\nstaleness: the most (and the mean), in updates\n",
        program.method,
        program.order,
        program.modules(),
        program.batches,
        output::fitted(&table),
    )
}

fn list() -> String {
    let mut table = Table::new(5);
    table.row(["method", "orders", "options", "", "source"]);
    for method in Method::all() {
        let orders: Vec<_> = method.orders.iter().map(|order| order.name()).collect();
        let options = [
            (method.micro_batches, "micro_batches"),
            (method.accumulate, "accumulate"),
        ];
        let options: Vec<_> = options.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
        table.row([
            method.name.to_owned(),
            orders.join(", "),
            options.join(", "),
            method.summary.to_owned(),
            method.source.to_owned(),
        ]);
    }
    output::fitted(&table)
}

/// The methods with their orders, the default first.
fn json_list() -> Value {
    let methods = Method::all().into_iter().map(|method| {
        json!({
            "name": method.name,
            "summary": method.summary,
            "source": method.source,
            "orders": method.orders.iter().map(|order| order.name()).collect::<Vec<_>>(),
            "micro_batches": method.micro_batches,
            "accumulate": method.accumulate,
        })
    });
    methods.collect()
}
