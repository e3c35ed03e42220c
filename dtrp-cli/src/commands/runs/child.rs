//! One process of dtrp that another waits for.

use crate::error::Error;
use crate::progress;
use dtrp_train::Stop;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{self, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often it is looked whether the process has ended.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where what it writes to stderr goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stderr {
    /// To this program's stderr.
    Shared,
    /// There too, but not into the lines that this program writes anew.
    Passed,
    /// It is kept for [`Ended::said`].
    Kept,
}

/// A process that was started. It ends when this one does.
pub(super) struct Child {
    process: process::Child,
    /// Whether it has been asked to end.
    asked: bool,
    said: Option<JoinHandle<String>>,
}

/// A process that has ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// What it wrote to stderr, where that was kept.
    pub(super) said: String,
}

impl Child {
    /// Starts it, without stdin and stdout.
    pub(super) fn start(command: &mut Command, stderr: Stderr) -> Result<Self, Error> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if stderr != Stderr::Shared {
            command.stderr(Stdio::piped());
        }
        // Ctrl-C reaches this program alone, which passes it on once.
        command.process_group(0);
        end_with_this_one(command);
        let program = Path::new(command.get_program()).to_owned();
        let mut process = command.spawn().map_err(Error::file("run", &program))?;
        let said = process.stderr.take().map(|mut from| {
            thread::spawn(move || {
                if stderr == Stderr::Passed {
                    pass_on(from);
                    return String::new();
                }
                let mut bytes = Vec::new();
                let _ = from.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Ok(Self {
            process,
            asked: false,
            said,
        })
    }

    /// How it has ended, if it has. When `stop` is requested, it is asked once to end in good order.
    pub(super) fn ended(&mut self, stop: &Stop) -> Result<Option<ExitStatus>, Error> {
        let status = self.process.try_wait();
        let status = status.map_err(Error::file("wait for", Path::new("the run")))?;
        if status.is_none() && stop.requested() && !self.asked {
            self.asked = true;
            self.terminate();
        }
        Ok(status)
    }

    /// Waits until it ends.
    pub(super) fn wait(mut self, stop: &Stop) -> Result<Ended, Error> {
        let status = loop {
            match self.ended(stop)? {
                Some(status) => break status,
                None => thread::sleep(LOOK_EVERY),
            }
        };
        let said = self.said.map(|said| said.join().unwrap_or_default());
        Ok(Ended {
            status,
            said: said.unwrap_or_default(),
        })
    }

    fn terminate(&self) {
        // SAFETY: sends a signal to a child that has not been waited for, so the number is still its own.
        unsafe { libc::kill(self.process.id().cast_signed(), libc::SIGTERM) };
    }
}

/// Writes its lines above what this program shows.
fn pass_on(from: ChildStderr) {
    for line in BufReader::new(from).split(b'\n') {
        let Ok(mut line) = line else {
            return;
        };
        line.push(b'\n');
        progress::write(&line);
    }
}

/// Has the system kill the process when this one ends, in whatever way.
#[cfg(target_os = "linux")]
fn end_with_this_one(command: &mut Command) {
    let parent = process::id().cast_signed();
    let in_child = move || {
        // SAFETY: both are plain system calls without pointers, which may be made between fork and exec.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != parent {
                // It has ended meanwhile, and its signal will not come.
                return Err(std::io::Error::from_raw_os_error(libc::ECHILD));
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls, and allocates nothing.
    unsafe { command.pre_exec(in_child) };
}

#[cfg(not(target_os = "linux"))]
fn end_with_this_one(_: &mut Command) {}
