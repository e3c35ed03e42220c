//! `dtrp data fetch`.

use crate::config::path_argument;
use crate::error::Error;
use crate::output;
use crate::progress::{self, Download};
use clap::Args;
use dtrp_data::DataSpec;
use dtrp_data::fetch::{FetchOptions, fetch, sources};
use dtrp_text::units::thousands;
use dtrp_train::TrainError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// `dtrp data fetch`
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// The data set, such as cifar10 (`dtrp data list` tells which can be fetched)
    name: String,
    /// The folder to put it in [default: data/NAME]
    #[arg(long, value_parser = path_argument())]
    dir: Option<PathBuf>,
    /// A mirror: an address that stands for everything before the file's name
    #[arg(long)]
    url: Option<String>,
    /// Tries in a row that may bring nothing
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
}

impl Fetch {
    pub(super) fn run(&self) -> Result<(), Error> {
        exit_at_signals()?;
        let options = FetchOptions {
            from: self.url.clone(),
            tries: self.tries,
            ..FetchOptions::new(self.parent())
        };
        let mut download = Download::new();
        let fetched = fetch(&self.name, &options, &mut |p| {
            download.show(p.file, p.done, p.total);
        });
        download.finish();
        let folder = fetched?;
        // A folder that was there before is left as it is, and may lack something.
        let set = dtrp_data::open(&DataSpec::in_dir(&self.name, &folder)).map_err(|error| {
            let folder = folder.display();
            Error::BadData(format!(
                "{error}\n{folder} was there before: remove it, and fetch again"
            ))
        })?;
        let [train, test] = [&set.train, &set.test].map(|part| thousands(part.len() as u64));
        let (name, shown) = (&self.name, folder.display());
        let mut text = format!("{name} is in {shown}: {train} training and {test} test images\n\n");
        let dir = quoted(&format!("data.dir={shown}"));
        let _ = writeln!(text, "train on it:\n  dtrp train --set data.name={name} --set {dir}");
        if self.dir.is_none() {
            let _ = writeln!(
                text,
                "or with a configuration of configs/{name}-*.yaml, which look for it there"
            );
        }
        output::print(&text)
    }

    /// The folder that the set's own folder will be in.
    fn parent(&self) -> PathBuf {
        if let Some(dir) = &self.dir {
            return dir.clone();
        }
        let own_folder = |name: &str| sources().iter().any(|s| s.dataset == name && s.folder == name);
        if own_folder(&self.name) {
            PathBuf::from("data")
        } else {
            Path::new("data").join(&self.name)
        }
    }
}

/// Ends the program at Ctrl-C and when it is asked to terminate, at any moment: what has its final name is whole, and the
/// rest is continued by the next try.
fn exit_at_signals() -> Result<(), Error> {
    let wrong = Error::file("handle signals", Path::new("the process"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(wrong)?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            let error = Error::Train(TrainError::Stopped(
                "; the same command continues where this one stopped".to_owned(),
            ));
            progress::last_error(&error.to_string(), error.exit_code());
            std::process::exit(error.exit_code().into());
        }
    });
    Ok(())
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,".contains(c);
    if word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_survive_a_shell() {
        for word in ["data.dir=data/cifar10", "data.dir=my data", "a'b $HOME"] {
            let script = format!("printf %s {}", super::quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
        assert_eq!(super::quoted("data.dir=data/cifar10"), "data.dir=data/cifar10");
    }
}
