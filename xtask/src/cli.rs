//! The command line. Hand-written: most of it is handed on to other programs word for word.

use crate::error::{Error, Result};
use crate::libtorch::Flavor;
use std::ffi::OsString;
use std::path::PathBuf;

/// The language of a new plug-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// A crate that depends on `dtrp-predictors` alone.
    Rust,
    /// One C file and a Makefile.
    C,
}

/// Which template a new plug-in starts from, and where its SDK comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    /// What it is written in.
    pub(crate) language: Language,
    /// A custom rule instead of a linear one. In C there is a custom one alone.
    pub(crate) custom: bool,
    /// The repository that the SDK comes from; this working tree if none is named.
    pub(crate) git: Option<String>,
}

impl Template {
    /// The folders of the templates, of which later ones replace files of earlier ones.
    pub(crate) fn folders(&self) -> &'static [&'static str] {
        match (self.language, self.custom) {
            (Language::Rust, false) => &["rust"],
            (Language::Rust, true) => &["rust", "rust-custom"],
            (Language::C, _) => &["c"],
        }
    }
}

/// One sub-command with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the help text.
    Help,
    /// Find or provision libtorch and link it.
    Setup {
        /// The set asked for; none keeps what is linked.
        flavor: Option<Flavor>,
        /// Provision anew even if there is one.
        force: bool,
    },
    /// Build the default members.
    Build {
        /// Set up the CUDA libtorch first.
        cuda: bool,
        /// Optimised.
        release: bool,
    },
    /// Build in release and run `dtrp` with these arguments (`train …` and `bench …` too).
    Dtrp(Vec<OsString>),
    /// Run the tests with these arguments for the test runner.
    Test(Vec<OsString>),
    /// Run the tests that compare dtrp with programs of others.
    Peers,
    /// Write the JSON schemas anew.
    Schemas,
    /// Build the documentation with these arguments for `cargo doc`.
    Doc(Vec<OsString>),
    /// Write a new plug-in from the templates.
    PluginNew {
        /// Its folder; the last part is its name.
        path: PathBuf,
        /// What it starts from.
        template: Template,
    },
    /// Build a plug-in and check it.
    PluginBuild {
        /// Its folder.
        path: PathBuf,
    },
    /// Make the folder that checks and measures dtrp on a GPU elsewhere.
    GpuBundle {
        /// The folder; none is one in the target folder.
        path: Option<PathBuf>,
    },
    /// Check a plug-in that has been built.
    PluginCheck {
        /// The library, or the folder of its project.
        path: PathBuf,
    },
    /// Read arbitrary bytes wherever files are read.
    Fuzz {
        /// The one target; none runs each of them.
        target: Option<String>,
        /// For how long each runs.
        seconds: Option<u32>,
    },
    /// Run every check.
    Ci {
        /// Make and try the bundle for GPUs too.
        gpu_bundle: bool,
    },
}

/// What `cargo xtask --help` prints.
pub(crate) const HELP: &str = "\
Build system of dtrp: sets up libtorch, builds, tests, trains.

Usage: cargo xtask <COMMAND> [ARGS...]

Use it:
  train [ARGS...]   Train: build in release, then `dtrp train ARGS` (no ARGS: the digits that ship with the project)
  bench [ARGS...]   Measure: build in release, then `dtrp bench ARGS`
  dtrp  [ARGS...]   Any other `dtrp` command, built in release

Extend it (docs/plugins.md):
  plugin new PATH   Write a predictor plug-in from a template [--lang rust|c] [--kind linear|custom]
                    [--git URL: the SDK comes from this repository, not from the folder of this one]
  plugin build PATH Build it, and check that it keeps the rules
  plugin check PATH Check a library, or the one that was built in a project's folder

Work on it:
  build             Build everything [--release] [--cuda: with the CUDA libtorch]
  gpu-bundle [PATH] Make a folder that checks and measures dtrp on any machine with a GPU and PyTorch
  test  [ARGS...]   Run all tests; ARGS go to `cargo nextest run` where that is installed, else to `cargo test`
  test --peers      Run the tests that compare dtrp with programs of others, with the Python packages that they need
                    (5 GB, PyTorch among them, installed into the cache once)
  schemas           Write schemas/*.schema.json anew, from the types
  test --browser    Run the tests of pages in Chromium, which must be there (the others run them where it is)
  doc   [ARGS...]   Build the documentation; ARGS go to `cargo doc`, as in `doc --open`
  fuzz [TARGET]     Fuzz what is read from files: one target of `fuzz/`, or each [--seconds N: for so long, 60]
  ci                Every check: formatting, house rules, clippy, documentation, tests, a short training run
                    [--gpu-bundle: make the bundle and run its script too; 2.5 GB, and minutes]

Set it up (every command above does it first; done once, it takes no time):
  setup             Find libtorch 2.11.0, or fetch it with pip, and link it as `.libtorch` [--cpu | --cuda] [--force]
  help              Print this text

Where libtorch comes from, in this order:
  1. the folder named by LIBTORCH
  2. LIBTORCH_USE_PYTORCH=1: the PyTorch of your python3
  3. what `.libtorch` links to already, unless --cpu or --cuda asks for another
  4. the cache: $DTRP_CACHE_DIR, else $XDG_CACHE_HOME/dtrp, else ~/.cache/dtrp
  5. `python3 -m pip download` into that cache (0.5 GB to fetch for the CPU, 2.5 GB with CUDA)
  Set-up with --force fetches into the cache again.

Examples:
  cargo xtask train
  cargo xtask train --config configs/digits.yaml --set run.max_steps=100
  cargo xtask test -p dtrp-core
  cargo xtask setup --cuda
  LIBTORCH=/opt/libtorch cargo xtask build --release

Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 set-up failed, else the code of the program that failed.
";

/// Reads the words after `cargo xtask`.
pub(crate) fn parse(words: &[OsString]) -> Result<Command> {
    let Some((name, rest)) = words.split_first() else {
        return Ok(Command::Help);
    };
    let name = name.to_string_lossy();
    // Commands that hand everything on also hand on `--help`.
    match &*name {
        "train" | "bench" => {
            let mut args = vec![OsString::from(&*name)];
            args.extend_from_slice(rest);
            return Ok(Command::Dtrp(args));
        }
        "dtrp" => return Ok(Command::Dtrp(rest.to_vec())),
        "test" => return test(rest),
        "doc" => return Ok(Command::Doc(rest.to_vec())),
        "help" | "--help" | "-h" => return Ok(Command::Help),
        "plugin" => return plugin(rest),
        "gpu-bundle" => return gpu_bundle(rest),
        "fuzz" => return fuzz(rest),
        _ => {}
    }
    let mut flags = Flags::new(&name, rest);
    let command = match &*name {
        "setup" => {
            let (cpu, cuda) = (flags.take("--cpu"), flags.take("--cuda"));
            let flavor = match (cpu, cuda) {
                (true, true) => {
                    let text = "`setup` takes --cpu or --cuda, not both";
                    return Err(Error::Usage(text.into()));
                }
                (true, false) => Some(Flavor::Cpu),
                (false, true) => Some(Flavor::Cuda),
                (false, false) => None,
            };
            Command::Setup {
                flavor,
                force: flags.take("--force"),
            }
        }
        "build" => Command::Build {
            cuda: flags.take("--cuda"),
            release: flags.take("--release"),
        },
        "schemas" => Command::Schemas,
        "ci" => Command::Ci {
            gpu_bundle: flags.take("--gpu-bundle"),
        },
        _ => return Err(Error::Usage(format!("there is no command `{name}`"))),
    };
    if flags.take("--help") || flags.take("-h") {
        return Ok(Command::Help);
    }
    flags.finish()?;
    Ok(command)
}

/// `test --peers`, or `test` with arguments that are handed on.
fn test(words: &[OsString]) -> Result<Command> {
    match words {
        [only] if only == "--peers" => Ok(Command::Peers),
        [first, ..] if first == "--peers" => Err(Error::Usage("write `test --peers` and no more".into())),
        _ => Ok(Command::Test(words.to_vec())),
    }
}

/// `plugin new PATH [OPTIONS]`, `plugin build PATH`, `plugin check PATH`.
fn plugin(words: &[OsString]) -> Result<Command> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    match words[..] {
        ["--help" | "-h"] => Ok(Command::Help),
        ["new", path, ref options @ ..] => Ok(Command::PluginNew {
            path: path.into(),
            template: template(options)?,
        }),
        ["build", path] => Ok(Command::PluginBuild { path: path.into() }),
        ["check", path] => Ok(Command::PluginCheck { path: path.into() }),
        _ => {
            let text = "write `plugin new PATH [--lang rust|c] [--kind linear|custom] [--git URL]`, `plugin build PATH` or \
                        `plugin check PATH`";
            Err(Error::Usage(text.into()))
        }
    }
}

/// `--lang`, `--kind` and `--git`, each with its value.
fn template(options: &[&str]) -> Result<Template> {
    let wrong = |text: &str| Err(Error::Usage(text.to_owned()));
    let (mut language, mut kind, mut git) = (Language::Rust, None, None);
    for option in options.chunks(2) {
        match *option {
            ["--lang", "rust"] => language = Language::Rust,
            ["--lang", "c"] => language = Language::C,
            ["--kind", given @ ("linear" | "custom")] => kind = Some(given),
            // It stands between quotation marks in a Cargo.toml.
            ["--git", url] if !url.is_empty() && !url.contains(['"', '\\', '\n']) => git = Some(url.to_owned()),
            _ => {
                return wrong("the options of `plugin new` are --lang rust|c, --kind linear|custom and --git URL");
            }
        }
    }
    if language == Language::C && kind == Some("linear") {
        return wrong("the template in C is a custom rule; for a linear one set the coefficients in its `rule`");
    }
    if language == Language::C && git.is_some() {
        return wrong("the template in C needs one header and no repository: set DTRP in its Makefile");
    }
    let custom = language == Language::C || kind == Some("custom");
    Ok(Template { language, custom, git })
}

/// `gpu-bundle [PATH]`.
fn gpu_bundle(words: &[OsString]) -> Result<Command> {
    match words {
        [] => Ok(Command::GpuBundle { path: None }),
        [word] if word == "--help" || word == "-h" => Ok(Command::Help),
        [path] if !path.to_string_lossy().starts_with('-') => Ok(Command::GpuBundle {
            path: Some(path.into()),
        }),
        _ => Err(Error::Usage("write `gpu-bundle [PATH]`".into())),
    }
}

/// `fuzz [TARGET] [--seconds N]`.
fn fuzz(words: &[OsString]) -> Result<Command> {
    let (mut target, mut seconds) = (None, None);
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        match &*word {
            "--help" | "-h" => return Ok(Command::Help),
            "--seconds" if seconds.is_none() => {
                let number = words
                    .next()
                    .and_then(|number| number.parse().ok())
                    .filter(|number| *number > 0);
                seconds = Some(number.ok_or_else(|| Error::Usage("`--seconds` wants a whole number from 1".into()))?);
            }
            name if target.is_none() && !name.starts_with('-') => target = Some(name.to_owned()),
            _ => return Err(Error::Usage("write `fuzz [TARGET] [--seconds N]`".into())),
        }
    }
    Ok(Command::Fuzz { target, seconds })
}

/// The flags of a command, taken out one by one; what is left at the end is unknown.
struct Flags {
    command: String,
    left: Vec<String>,
}

impl Flags {
    fn new(command: &str, words: &[OsString]) -> Self {
        let left = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        Self {
            command: command.into(),
            left,
        }
    }

    fn take(&mut self, flag: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|word| word != flag);
        self.left.len() < before
    }

    fn finish(self) -> Result<()> {
        match self.left.first() {
            None => Ok(()),
            Some(word) => Err(Error::Usage(format!("`{}` does not know `{word}`", self.command))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn plugins() {
        let parsed = |line| parse(&words(line)).unwrap();
        let path = PathBuf::from("my-rule");
        for (options, language, custom, git, folders) in [
            ("", Language::Rust, false, None, &["rust"][..]),
            ("--kind custom", Language::Rust, true, None, &["rust", "rust-custom"]),
            ("--git x --lang rust", Language::Rust, false, Some("x"), &["rust"]),
            ("--lang c", Language::C, true, None, &["c"]),
        ] {
            let git = git.map(str::to_owned);
            let template = Template { language, custom, git };
            assert_eq!(template.folders(), folders);
            let path = path.clone();
            let line = format!("plugin new my-rule {options}");
            assert_eq!(parse(&words(&line)).unwrap(), Command::PluginNew { path, template });
        }
        for wrong in [
            "--kind",
            "--kind odd",
            "--lang c --kind linear",
            "--lang c --git x",
            "--git a\"b",
        ] {
            assert!(
                parse(&words(&format!("plugin new my-rule {wrong}"))).is_err(),
                "{wrong}"
            );
        }
        assert_eq!(
            parsed("plugin build my-rule"),
            Command::PluginBuild { path: path.clone() }
        );
        assert_eq!(parsed("plugin check my-rule"), Command::PluginCheck { path });
        assert!(parse(&words("plugin check")).is_err());
        assert!(parse(&words("plugin new my-rule --lang cobol")).is_err());
    }

    #[test]
    fn commands() {
        let check = |line: &str, command| assert_eq!(parse(&words(line)).unwrap(), command);
        check("", Command::Help);
        check("--help", Command::Help);
        check("setup -h", Command::Help);
        check(
            "setup",
            Command::Setup {
                flavor: None,
                force: false,
            },
        );
        check(
            "setup --force --cuda",
            Command::Setup {
                flavor: Some(Flavor::Cuda),
                force: true,
            },
        );
        check(
            "setup --cpu",
            Command::Setup {
                flavor: Some(Flavor::Cpu),
                force: false,
            },
        );
        check(
            "build --release",
            Command::Build {
                cuda: false,
                release: true,
            },
        );
        check("train", Command::Dtrp(words("train")));
        check("train --help --set a=b", Command::Dtrp(words("train --help --set a=b")));
        check("dtrp doctor", Command::Dtrp(words("doctor")));
        check("bench --quick", Command::Dtrp(words("bench --quick")));
        check("test -p dtrp-core -- x", Command::Test(words("-p dtrp-core -- x")));
        check("test --peers", Command::Peers);
        check("schemas", Command::Schemas);
        check("doc --open", Command::Doc(words("--open")));
        check("ci", Command::Ci { gpu_bundle: false });
        check("ci --gpu-bundle", Command::Ci { gpu_bundle: true });
        check("gpu-bundle", Command::GpuBundle { path: None });
        let path = Some(PathBuf::from("b"));
        check("gpu-bundle b", Command::GpuBundle { path });
        let fuzz = |target: Option<&str>, seconds| Command::Fuzz {
            target: target.map(str::to_owned),
            seconds,
        };
        check("fuzz", fuzz(None, None));
        check("fuzz idx", fuzz(Some("idx"), None));
        check("fuzz --seconds 5 idx", fuzz(Some("idx"), Some(5)));
    }

    #[test]
    fn wrong_words_are_one_clear_error() {
        let check = |line: &str, text: &str| {
            let error = parse(&words(line)).unwrap_err().to_string();
            assert_eq!(error, format!("error: {text}\n  what to do: see `cargo xtask --help`"));
        };
        check("trian", "there is no command `trian`");
        check("setup --gpu", "`setup` does not know `--gpu`");
        check("gpu-bundle --cuda", "write `gpu-bundle [PATH]`");
        check("fuzz idx cifar", "write `fuzz [TARGET] [--seconds N]`");
        check("fuzz --seconds 0", "`--seconds` wants a whole number from 1");
        check("test --peers fast", "write `test --peers` and no more");
        check("ci fast", "`ci` does not know `fast`");
        check("setup --cpu --cuda", "`setup` takes --cpu or --cuda, not both");
    }

    #[test]
    fn help_fits_and_names_every_command() {
        for name in [
            "train", "bench", "dtrp", "build", "test", "schemas", "doc", "fuzz", "ci", "setup", "help",
        ] {
            assert!(HELP.contains(&format!("\n  {name} ")), "{name}");
        }
        assert!(HELP.lines().all(|line| line.len() <= 120));
    }
}
