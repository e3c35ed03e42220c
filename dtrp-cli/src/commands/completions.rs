//! `dtrp completions`.

use crate::cli::Cli;
use crate::error::Error;
use crate::output;
use clap::{Args, CommandFactory, ValueEnum};
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

/// Prints the script.
pub(super) fn run(args: &Completions) -> Result<(), Error> {
    output::print(&script(args.shell))
}

fn script(shell: Kind) -> String {
    let shell = match shell {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
    };
    let mut bytes = Vec::new();
    generate(shell, &mut Cli::command(), "dtrp", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_completed() {
        for shell in Kind::value_variants() {
            let script = script(*shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell:?} {}", command.get_name());
            }
            assert!(script.contains("dry-run") && script.contains("log-format"), "{shell:?}");
        }
    }
}
