//! `dtrp predictors check`, in a process of its own: whatever a plug-in does to the process, the check says so.
//!
//! The verdict comes through a socket, which stands in the place of the process's stdin. Without a verdict nothing has
//! passed, whatever the exit code.

use crate::error::Error;
use crate::output;
use dtrp_predictors::conformance;
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Set in the process that checks.
const MARK: &str = "DTRP_CHECKS_A_PLUGIN";

/// More than the limits of all checks together.
const LIMIT: Duration = Duration::from_secs(300);

/// How often to look whether the process is still there.
const TICK: Duration = Duration::from_millis(100);

/// What was found.
#[derive(Debug, Serialize, Deserialize)]
struct Verdict {
    passed: bool,
    /// For people.
    text: String,
}

/// Checks a library, and prints what was found.
pub(super) fn run(library: &Path) -> Result<(), Error> {
    if std::env::var_os(MARK).is_some() {
        return tell(&checked(library), library);
    }
    let verdict = ask(library)?;
    output::print(&output::wrapped(&verdict.text))?;
    passed(&verdict, library)
}

fn passed(verdict: &Verdict, library: &Path) -> Result<(), Error> {
    if verdict.passed {
        return Ok(());
    }
    Err(Error::Nonconforming(library.to_owned()))
}

fn checked(library: &Path) -> Verdict {
    let report = conformance::check(library);
    Verdict {
        passed: report.passed(),
        text: format!("{report}\n"),
    }
}

/// Hands the verdict to the process that has asked for it.
fn tell(verdict: &Verdict, library: &Path) -> Result<(), Error> {
    let mut text = serde_json::to_vec(verdict).map_err(|error| Error::Bug(error.to_string()))?;
    text.push(b'\n');
    let socket = std::io::stdin();
    let socket = std::os::fd::AsFd::as_fd(&socket).try_clone_to_owned();
    let sent = socket.and_then(|socket| UnixStream::from(socket).write_all(&text));
    sent.map_err(Error::file("say what was found about", library))
}

/// Has another process check the library.
fn ask(library: &Path) -> Result<Verdict, Error> {
    let program = std::env::current_exe().map_err(Error::file("find", Path::new("dtrp")))?;
    let start = || -> std::io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(TICK))?;
        let mut command = Command::new(&program);
        // The same command line, its options too.
        command.args(std::env::args_os().skip(1)).env(MARK, "1");
        let child = command.stdin(OwnedFd::from(theirs)).spawn()?;
        Ok((child, ours))
    };
    let (mut child, socket) = start().map_err(Error::file("run", &program))?;
    let verdict = read(&mut child, socket);
    let ended = by_itself(&mut child);
    if ended.is_none() {
        // It may have ended just now.
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(verdict.unwrap_or_else(|| Verdict {
        passed: false,
        text: format!("{}\n  FAIL  {}\n\nfailed: 1 check\n", library.display(), cause(ended)),
    }))
}

/// The verdict, if one comes before the process has ended.
fn read(child: &mut Child, mut socket: UnixStream) -> Option<Verdict> {
    let start = Instant::now();
    let mut text = Vec::new();
    let mut ended = false;
    while start.elapsed() < LIMIT {
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(&buffer[..n]),
            // What it wrote before it ended has been read by now.
            Err(_) if ended => break,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                ended = !matches!(child.try_wait(), Ok(None));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if text.ends_with(b"\n") {
            break;
        }
    }
    serde_json::from_slice(&text).ok()
}

/// How a process ends that has said all it has to say; `None` if it does not.
fn by_itself(child: &mut Child) -> Option<ExitStatus> {
    const TICKS: u32 = 20;
    for _ in 0..TICKS {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(TICK);
    }
    None
}

/// Why there is no verdict.
fn cause(status: Option<ExitStatus>) -> String {
    let signal = status.and_then(|status| status.signal());
    let how = match (signal, status.and_then(|status| status.code())) {
        (Some(signal), _) => {
            let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
            format!("was ended by {name}: the plug-in writes or reads where it must not, or aborts")
        }
        (None, Some(code)) => {
            format!("ended with exit code {code}: the plug-in calls `exit`, or closes files of the program")
        }
        (None, None) => "went on without saying anything: the plug-in hangs, or closes files of the program".to_owned(),
    };
    format!("the process that checked it {how}")
}
