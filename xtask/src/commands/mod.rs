//! The sub-commands, one file each.

mod build;
mod ci;
mod dependencies;
mod doc;
mod dtrp;
mod fuzz;
mod gpu_bundle;
mod peers;
mod plugin;
mod schemas;
mod setup;
mod test;

use crate::cli::{Command, HELP};
use crate::context::Context;
use crate::error::Result;
use crate::libtorch::{Flavor, Request};
use crate::tally::Tally;

/// Runs one command to its end.
pub(crate) fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Help => {
            print!("{HELP}");
            Ok(())
        }
        Command::Setup { flavor, force } => setup::run(context, Request { flavor, force }),
        Command::Build { cuda, release } => {
            let flavor = cuda.then_some(Flavor::Cuda);
            build::run(&setup::ensure(context, Request { flavor, force: false })?, release)
        }
        Command::Dtrp(args) => dtrp::run(&setup::ensure(context, Request::default())?, &args),
        Command::Doc(args) => doc::run(&setup::ensure(context, Request::default())?, &args),
        Command::Test(args) => {
            let mut tally = Tally::default();
            let result = test::run(&setup::ensure(context, Request::default())?, &args, &mut tally);
            // Last, so that it is where one looks.
            println!("{tally}");
            result
        }
        Command::Peers => {
            let mut tally = Tally::default();
            let result = peers::run(&setup::ensure(context, Request::default())?, &mut tally);
            println!("{tally}");
            result
        }
        Command::Schemas => schemas::run(&setup::ensure(context, Request::default())?),
        Command::PluginNew { path, template } => plugin::new(context, &path, &template),
        Command::PluginBuild { path } => plugin::build(&setup::ensure(context, Request::default())?, &path),
        Command::GpuBundle { path } => gpu_bundle::run(context, path.as_deref()),
        Command::PluginCheck { path } => plugin::check(&setup::ensure(context, Request::default())?, &path),
        Command::Fuzz { target, seconds } => fuzz::run(context, target.as_deref(), seconds),
        Command::Ci { gpu_bundle } => ci::run(context, gpu_bundle),
    }
}
