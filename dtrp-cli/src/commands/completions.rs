//! `dtrp completions`.

use crate::error::Error;
use crate::output;
use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;
use clap_complete::aot::generate;

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

/// `dtrp completions`
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  dtrp completions bash > ~/.local/share/bash-completion/completions/dtrp
  dtrp completions zsh > ~/.zfunc/_dtrp        with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc
  dtrp completions fish > ~/.config/fish/completions/dtrp.fish")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Kind,
}

/// Prints the script that completes the words of `program`.
pub(super) fn run(args: &Completions, mut program: Command) -> Result<(), Error> {
    let shell = match args.shell {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
    };
    let mut bytes = Vec::new();
    generate(shell, &mut program, "dtrp", &mut bytes);
    output::print(&String::from_utf8_lossy(&bytes))
}
