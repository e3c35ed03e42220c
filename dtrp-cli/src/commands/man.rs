//! `dtrp man`.

use crate::error::Error;
use crate::output;
use clap::{Args, Command};
use clap_mangen::Man as Page;
use std::io;

/// `dtrp man`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  dtrp man > ~/.local/share/man/man1/dtrp.1
  dtrp man train | man -l -")]
pub(crate) struct Man {
    /// Of which command, such as `train` or `schedule show` [default: of the program]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Prints the page of `program`, or of one of its commands.
pub(super) fn run(args: &Man, program: Command) -> Result<(), Error> {
    let mut place = program;
    place.build();
    for word in &args.command {
        let all: Vec<_> = place.get_subcommands().map(Command::get_name).collect();
        let found = dtrp_text::find("command", word, all, |name| *name);
        let found = found.map_err(|error| Error::Usage(error.to_string()))?.to_owned();
        // It is there: its name was just found.
        let Some(below) = place.find_subcommand(&found).cloned() else {
            break;
        };
        place = below;
    }
    let page = render(place).map_err(|error| Error::Bug(format!("a page for `man` cannot be written: {error}")))?;
    output::print(&page)
}

fn render(command: Command) -> io::Result<String> {
    let mut bytes = Vec::new();
    Page::new(command).render(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
