//! The corpus of bad inputs in `tests/corpus`: each gets its exit code and its cause, and harms nothing.
//!
//! `DTRP_CORPUS=programs/ cargo test -p dtrp-cli --test suite corpus` tries those whose name has this text, and prints what is
//! said.

mod case;
mod recipe;

use crate::support::{Place, Ran};
use case::Case;
use recipe::Whole;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Nothing takes longer.
const LONGEST: Duration = Duration::from_secs(20);
/// Nothing holds more, in bytes.
const MOST_MEMORY: u64 = 2_000_000_000;
/// What a process may map; a program that goes beyond all measure ends here, and not with the machine. (Libraries alone take
/// some gigabytes of addresses where libtorch is one for GPUs.)
const MOST_ADDRESSES: u64 = 16_000_000_000;
/// Of which none may be seen: panics, and what C++ says of itself.
const UNSEEMLY: [&str; 8] = [
    "panicked",
    "RUST_BACKTRACE",
    "bug in dtrp",
    "frame #",
    "Exception raised from",
    ".cpp:",
    "terminate called",
    "\u{1b}",
];
/// So many cases there are at least; fewer mean that they are not found.
const LEAST_CASES: usize = 150;

/// How a case ended.
struct End {
    ran: Ran,
    time: Duration,
    /// Bytes at most.
    memory: u64,
}

fn command(case: &Case, work: &Path, out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dtrp"));
    command.args(&case.args).current_dir(work);
    command.env_remove("RUST_LOG").env("HOME", work);
    let stdin = case.stdin.as_ref().map(|file| File::open(work.join(file)).unwrap());
    command.stdin(stdin.map_or_else(Stdio::null, Into::into));
    command.stdout(File::create(out.join("stdout")).unwrap());
    command.stderr(File::create(out.join("stderr")).unwrap());
    let limit = libc::rlimit {
        rlim_cur: MOST_ADDRESSES,
        rlim_max: MOST_ADDRESSES,
    };
    // SAFETY: between fork and exec only setrlimit is called, which may be.
    unsafe {
        command.pre_exec(move || {
            if libc::setrlimit(libc::RLIMIT_AS, &limit) == 0 {
                Ok(())
            } else {
                Err(std::io::Error::last_os_error())
            }
        });
    }
    command
}

/// Runs it until it ends, or for as long as anything may take.
#[expect(clippy::zombie_processes, reason = "`wait4` waits, and says how much memory it took")]
fn run(case: &Case, work: &Path, out: &Path) -> End {
    let start = Instant::now();
    let child = command(case, work, out).spawn().unwrap();
    let pid = child.id() as i32;
    let mut status = 0;
    // SAFETY: a struct of numbers, of which all zeros is one.
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    loop {
        // SAFETY: both point to what lives here. Nobody else waits for the child.
        let ended = unsafe { libc::wait4(pid, &mut status, libc::WNOHANG, &mut usage) };
        if ended == pid {
            break;
        }
        if start.elapsed() > LONGEST {
            // SAFETY: the child has not been waited for, so its number is its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(5));
    }
    let read = |name: &str| String::from_utf8_lossy(&fs::read(out.join(name)).unwrap()).into_owned();
    let code = if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -libc::WTERMSIG(status)
    };
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    End {
        ran: Ran {
            code,
            stdout: read("stdout"),
            stderr: read("stderr"),
        },
        time: start.elapsed(),
        memory: usage.ru_maxrss as u64 * unit,
    }
}

/// What is not as it should be.
fn complaints(case: &Case, end: &End, work: &Path) -> Vec<String> {
    let End { ran, time, memory } = end;
    let mut all = Vec::new();
    if *time > LONGEST {
        return vec![format!("took more than {LONGEST:?}, and was ended")];
    }
    if Some(ran.code) != case.exit {
        let wanted = case.exit.unwrap_or_default();
        all.push(format!("exit code {} instead of {wanted}", ran.code));
    }
    for piece in &case.says {
        if !ran.stderr.contains(piece) && !ran.stdout.contains(piece) {
            all.push(format!("does not say `{piece}`"));
        }
    }
    for word in UNSEEMLY {
        if ran.stderr.contains(word) || ran.stdout.contains(word) {
            all.push(format!("says {word:?}"));
        }
    }
    let errors = ran.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    // A plug-in is checked in a process of its own, which may have something to say too.
    let two = case.args.starts_with(&["predictors".to_owned(), "check".to_owned()]);
    if !(1..=1 + usize::from(two)).contains(&errors) && ran.code != 0 || errors > 0 && ran.code == 0 {
        all.push(format!("{errors} lines begin with `error: `"));
    }
    if work.join("runs").exists() && !case.leaves_a_run {
        all.push("leaves a run's folder".to_owned());
    }
    if *memory > MOST_MEMORY {
        all.push(format!("takes {memory} bytes"));
    }
    all
}

fn try_case(case: &Case, whole: &Whole) -> (Duration, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    for file in &case.files {
        fs::copy(file, work.join(file.file_name().unwrap())).unwrap();
    }
    for step in &case.steps {
        step.execute(&work, whole);
    }
    let end = run(case, &work, folder.path());
    let mut wrong = complaints(case, &end, &work);
    if !wrong.is_empty() || std::env::var_os("DTRP_CORPUS").is_some() {
        wrong.push(format!("\n{}{}", end.ran.stdout, end.ran.stderr));
    }
    (end.time, wrong)
}

#[test]
fn every_input_gets_its_answer() {
    let place = Place::new();
    place.tiny("good", &["run.max_steps=1"]);
    let whole = Whole {
        weights: place.weights("good"),
    };
    let mut cases = case::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"));
    let found = cases.len();
    let wanted = std::env::var("DTRP_CORPUS").ok();
    cases.retain(|case| wanted.as_ref().is_none_or(|part| case.name.contains(part)));
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (time, wrong) = try_case(case, &whole);
                    results.lock().unwrap().push((&case.name, time, wrong));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    let mut counts = BTreeMap::new();
    for case in &cases {
        *counts
            .entry(case.name.split('/').next().unwrap_or_default())
            .or_insert(0) += 1;
    }
    eprintln!("{} cases: {counts:?}", cases.len());
    results.sort();
    let told = results.iter().filter(|(.., wrong)| !wrong.is_empty());
    let told: Vec<_> = told
        .map(|(name, _, wrong)| format!("== {name}: {}", wrong.join("; ")))
        .collect();
    assert!(told.is_empty(), "{} cases:\n{}", told.len(), told.join("\n"));
    assert!(found >= LEAST_CASES, "only {found} cases");
}
