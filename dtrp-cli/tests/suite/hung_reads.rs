//! Reads that never come back, as from a network drive that is gone, and files that would keep a run waiting.

use crate::build::run;
use crate::sets;
use crate::support::{Place, Ran};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

const WATCHDOG: Duration = Duration::from_secs(3);

/// In the place of the system's `open`: from a certain call on it never comes back for the images to train on.
const DRIVE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int calls;

int open64(const char *path, int flags, ...) {
  int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
  va_list rest;
  va_start(rest, flags);
  int mode = va_arg(rest, int);
  va_end(rest);
  if (strstr(path, "/set/train/class") && ++calls > 60) {
    close(real(getenv("DRIVE_MARK"), O_CREAT | O_WRONLY | O_EXCL, 0600));
    for (;;) pause();
  }
  return real(path, flags, mode);
}
"#;

fn drive(place: &Place) -> std::path::PathBuf {
    let (source, library) = (place.file("drive.c"), place.file("drive.so"));
    fs::write(&source, DRIVE).unwrap();
    let mut cc = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".into()));
    run(cc
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl"));
    library
}

/// A run over 40 small images, of as many epochs as there is time for.
fn train(place: &Place, name: &str, sets: &[&str]) -> Command {
    let own = [
        format!("run.name={name}"),
        format!("run.watchdog_seconds={}", WATCHDOG.as_secs()),
        format!(
            "data={{name: image-folder, dir: {}, shape: [3, 8, 8]}}",
            place.file("set").display()
        ),
    ];
    let rest = [
        "data.batch_size=10",
        "data.augment=none",
        "model={name: tiny}",
        "run.epochs=1000000",
    ];
    let own = own.iter().map(String::as_str);
    let sets = own
        .chain(rest)
        .chain(sets.iter().copied())
        .flat_map(|set| ["--set", set]);
    let mut command = place.command(&["train"].into_iter().chain(sets).collect::<Vec<_>>());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn failed(place: &Place, name: &str, child: Child, says: &[&str]) -> SystemTime {
    let ran = Ran::of(child.wait_with_output().unwrap());
    let ended = SystemTime::now();
    assert_eq!(ran.code, 10, "{name}: {}", ran.stderr);
    assert_eq!(place.summary(name)["end"], "failed", "{name}");
    for part in says {
        assert!(ran.stderr.contains(part), "{name}: {}", ran.stderr);
    }
    ended
}

#[test]
fn a_drive_that_is_gone_ends_the_run_in_time() {
    let place = Place::new();
    sets::images(&place.file("set"));
    let library = drive(&place);
    let ways = [
        ("loader", &["data.threads=2"][..]),
        ("worker", &["data.threads=0"]),
        ("sequential", &["data.threads=0", "run.executor=sequential"]),
        ("alone", &["method={name: bp, modules: 1}"]),
    ];
    thread::scope(|scope| {
        for (name, sets) in ways {
            let (place, library) = (&place, &library);
            scope.spawn(move || {
                let mark = place.file(&format!("{name}.mark"));
                let mut command = train(place, name, sets);
                let child = command
                    .env("LD_PRELOAD", library)
                    .env("DRIVE_MARK", &mark)
                    .spawn()
                    .unwrap();
                let says = [
                    "nothing happened for 3 s",
                    "worker 1 is executing ",
                    "(reading its next batch)",
                ];
                let ended = failed(place, name, child, &says);
                let hung = fs::metadata(mark).and_then(|mark| mark.modified()).unwrap();
                let took = ended.duration_since(hung).unwrap();
                assert!(took < 2 * WATCHDOG, "{name} took {took:?}");
            });
        }
    });
}

fn fifo(path: &Path) {
    run(Command::new("mkfifo").arg(path));
}

#[test]
fn a_file_that_becomes_a_pipe_ends_the_run_in_time() {
    for threads in ["data.threads=0", "data.threads=2"] {
        let place = Place::new();
        sets::images(&place.file("set"));
        let child = train(&place, "a", &[threads]).spawn().unwrap();
        let start = Instant::now();
        let epochs = || fs::read_to_string(place.file("runs/a/metrics.jsonl")).map_or(0, |text| text.lines().count());
        while epochs() < 3 && start.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(5));
        }
        let pipe = place.file("pipe");
        fifo(&pipe);
        fs::rename(&pipe, place.file("set/train/class1/3.png")).unwrap();
        let replaced = SystemTime::now();
        let ended = failed(&place, "a", child, &["class1/3.png", "is a pipe, socket or device now"]);
        let took = ended.duration_since(replaced).unwrap();
        assert!(took < 2 * WATCHDOG, "{threads} took {took:?}");
    }
}

/// What can be seen before training is told before training, and nothing waits for it.
#[test]
fn a_pipe_that_is_there_from_the_start_is_refused() {
    let place = Place::new();
    sets::images(&place.file("set"));
    let image = place.file("set/train/class1/3.png");
    fs::remove_file(&image).unwrap();
    fifo(&image);
    let start = Instant::now();
    let ran = Ran::of(train(&place, "a", &[]).output().unwrap());
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("class1/3.png") && ran.stderr.contains("it is a pipe, socket or device"),
        "{}",
        ran.stderr
    );
    assert!(start.elapsed() < 2 * WATCHDOG && !place.file("runs").exists());
}
