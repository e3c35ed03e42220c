//! Starting programs, cargo first of all, and reading what they say.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::tally::Tally;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// Runs a command to its end; what it prints goes where this program's output goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let what = describe(command);
    let status = command.status().map_err(Error::io(format!("start `{what}`")))?;
    check(what, status)
}

/// Runs a command and returns what it prints on stdout.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let what = describe(command);
    let start = Error::io(format!("start `{what}`"));
    let output = command.stderr(Stdio::inherit()).output().map_err(start)?;
    check(what, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a test command, passing on what it prints, and adds up the tests it reports.
pub(crate) fn count_tests(command: &mut Command, tally: &mut Tally) -> Result<()> {
    let what = describe(command);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io(format!("start `{what}`")))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let seen = std::thread::scope(|scope| {
        let err = scope.spawn(|| pass_on(err, &mut std::io::stderr()));
        let mut seen = pass_on(out, &mut std::io::stdout());
        seen.add(err.join().unwrap_or_default());
        seen
    });
    tally.add(seen);
    let status = child.wait().map_err(Error::io(format!("wait for `{what}`")))?;
    check(what, status)
}

fn pass_on(from: Option<impl Read>, to: &mut impl Write) -> Tally {
    let mut tally = Tally::default();
    let Some(from) = from else { return tally };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        tally.read_line(&String::from_utf8_lossy(&line));
        // Reading goes on when nobody listens any more, or the tests would wait for ever.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        line.clear();
    }
    tally
}

/// Builds `dtrp` in release and returns the path of the program. Cargo shows its progress on stderr.
pub(crate) fn build_dtrp(context: &Context) -> Result<PathBuf> {
    let mut cargo = context.cargo();
    cargo.args(["build", "--release", "--package", "dtrp-cli", "--bin", "dtrp"]);
    cargo.arg("--message-format=json-render-diagnostics");
    let messages = read(&mut cargo)?;
    messages
        .lines()
        .rev()
        .find_map(executable)
        .ok_or_else(|| Error::Check(format!("`{}` did not say where the program is", describe(&cargo))))
}

/// The program in one of cargo's messages, if it is about one.
fn executable(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_dtrp = message["target"]["name"] == "dtrp";
    message["executable"].as_str().filter(|_| is_dtrp).map(PathBuf::from)
}

/// Becomes the program: it takes over terminal, signals and exit code.
pub(crate) fn become_program(mut command: Command) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let what = format!("start `{}`", describe(&command));
        Err(Error::io(what)(command.exec()))
    }
    #[cfg(not(unix))]
    run(&mut command)
}

/// The command as one would type it.
pub(crate) fn describe(command: &Command) -> String {
    let program = PathBuf::from(command.get_program());
    let name = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    std::iter::once(name).chain(args).collect::<Vec<_>>().join(" ")
}

fn check(what: String, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None::<i32>;
    let code = status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0));
    Err(Error::Child {
        what,
        code: u8::try_from(code).unwrap_or(1).max(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_handed_through() {
        let code = |script: &str| match run(Command::new("sh").args(["-c", script])) {
            Err(Error::Child { code, .. }) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code("exit 7"), 7);
        assert_eq!(code("kill -9 $$"), 137);
        assert!(run(Command::new("sh").args(["-c", "exit 0"])).is_ok());
    }

    #[test]
    fn tests_are_counted_on_the_way() {
        let text = b"test result: ok. 2 passed; 0 failed\nSummary [ 1s] 3 tests run: 3 passed";
        let mut copy = Vec::new();
        let tally = pass_on(Some(text.as_slice()), &mut copy);
        assert_eq!((tally, copy), (Tally { passed: 5, failed: 0 }, text.to_vec()));
    }

    #[test]
    fn the_program_is_the_one_cargo_names() {
        let message = r#"{"reason":"compiler-artifact","target":{"name":"dtrp"},"executable":"/a b/dtrp"}"#;
        assert_eq!(executable(message), Some(PathBuf::from("/a b/dtrp")));
        assert_eq!(executable(r#"{"target":{"name":"dtrp"},"executable":null}"#), None);
        assert_eq!(executable("Compiling"), None);
    }
}
