//! `dtrp report`, `dtrp plot` and `dtrp watch`: what they write, serve and refuse.

use crate::support::{Place, TINY};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Runs of two seeds, `a1` and `a2`, and one of another learning rate with times, `b`.
pub(crate) fn tiny_runs(place: &Place) {
    for (name, sets) in [
        ("a1", ["run.seed=1", "run.trace=logical"]),
        ("a2", ["run.seed=2", "run.trace=logical"]),
        ("b", ["optimizer.lr=0.03", "run.trace=timed"]),
    ] {
        place.tiny(name, &sets);
    }
}

/// A `dtrp watch` that goes on as long as this lives.
pub(crate) struct Watching {
    child: Child,
    pub(crate) address: String,
}

impl Watching {
    pub(crate) fn start(place: &Place, args: &[&str]) -> Self {
        let mut command = place.command(&[&["watch"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut address = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut address).unwrap();
        Self {
            child,
            address: address.trim_end().to_owned(),
        }
    }

    /// What it answers to a GET of the page, or of what is beside it.
    fn get(&self, name: &str) -> String {
        let rest = self.address.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path}{name} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Until an answer has all of this in it.
    fn wait(&self, name: &str, words: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let answer = self.get(name);
            if words.iter().all(|word| answer.contains(word)) {
                return answer;
            }
            assert!(start.elapsed() < Duration::from_secs(120), "{words:?}: {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ctrl-C; its exit code.
    fn interrupt(mut self) -> Option<i32> {
        // SAFETY: the process is our child, and not yet waited for.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGINT) };
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_page_about_runs() {
    let place = Place::new();
    tiny_runs(&place);
    let ran = place.dtrp(&["report", "runs/a1", "runs/a2", "other=runs/b", "-o", "-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = ran.stdout;
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("a (2 seeds)</button>") && page.contains(">other</button>"));
    // Of the run with times, simulated over unit costs; of both groups the test set.
    assert!(page.contains("first program of other") && page.contains("Simulated over unit costs"));
    assert_eq!(page.matches("64 images: accuracy ").count(), 2, "{}", ran.stderr);
    let accuracy = place.summary("b")["final_test_accuracy"].as_f64().unwrap();
    assert!(page.contains(&format!("64 images: accuracy {:.2} %", 100.0 * accuracy)));
    for word in [
        "finished",
        "gradient and optimizer",
        "optimizer.lr",
        "config.yaml of other",
        "2.11",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("not recorded this"));
    let ran = place.dtrp(&["report", "runs/b", "--no-evaluation"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = std::fs::read_to_string(place.file("report.html")).unwrap();
    assert!(page.contains("--no-evaluation was given") && !page.contains("images: accuracy"));
}

#[test]
fn figures_of_runs() {
    let place = Place::new();
    tiny_runs(&place);
    for what in ["loss", "test-loss", "accuracy", "rate", "lr", "busy", "memory", "gain"] {
        let ran = place.dtrp(&["plot", "runs/a1", "runs/a2", "runs/b", "--what", what, "-o", "-"]);
        assert_eq!(ran.code, 0, "{what}: {}", ran.stderr);
        assert!(
            ran.stdout.starts_with("<svg ") && ran.stdout.trim_end().ends_with("</svg>"),
            "{what}"
        );
        let bands = ran.stdout.matches("<polygon").count();
        let has_bands = matches!(what, "loss" | "test-loss" | "accuracy" | "rate" | "lr" | "gain");
        assert_eq!(bands > 0, has_bands, "{what}");
    }
    let ran = place.dtrp(&["plot", "runs/b", "--what", "gantt", "--width", "900", "-o", "gantt.png"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let picture = image::open(place.file("gantt.png")).unwrap();
    assert_eq!(picture.width(), 1800);
    for (args, code, says) in [
        (
            &["runs/a1", "--what", "gantt", "-o", "x.svg"][..],
            4,
            "run.trace: timed",
        ),
        (
            &["runs/a1", "runs/b", "--what", "gantt", "-o", "x.svg"],
            5,
            "shows one run",
        ),
        (&["runs/a1", "-o", "x.jpg"], 2, ".svg or .png"),
        (&["runs/a1", "--what", "los", "-o", "x.svg"], 2, "loss"),
        (&["runs/a1", "-o", "no/x.svg"], 9, "x.svg"),
    ] {
        let ran = place.dtrp(&[&["plot"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{args:?}: {}", ran.stderr);
        assert!(!place.file("x.svg").exists());
    }
}

#[test]
fn what_is_no_run_is_refused_with_its_place() {
    let place = Place::new();
    place.tiny("a", &[]);
    let metrics = place.file("runs/a/metrics.jsonl");
    let whole = std::fs::read_to_string(&metrics).unwrap();
    let refused = |args: &[&str], code: i32, says: &[&str]| {
        for command in [
            &["report", "--no-evaluation", "-o", "x.html"][..],
            &["plot", "-o", "x.svg"],
            &["watch"],
        ] {
            let ran = place.dtrp(&[command, args].concat());
            assert_eq!(ran.code, code, "{command:?} {args:?}: {}", ran.stderr);
            assert_eq!(
                ran.stderr.lines().filter(|line| line.starts_with("error: ")).count(),
                1,
                "{}",
                ran.stderr
            );
            for says in says {
                assert!(ran.stderr.contains(says), "{command:?} {args:?}: {}", ran.stderr);
            }
            assert!(!place.file("x.html").exists() && !place.file("x.svg").exists());
        }
    };
    refused(&["runs/none"], 4, &["runs/none: cannot be read"]);
    refused(
        &["runs"],
        4,
        &["runs: not the folder of a run", "there are runs in it (1): give those"],
    );
    refused(&["runs/a/config.yaml"], 4, &["not the folder of a run"]);
    let lines: Vec<_> = whole.lines().collect();
    for (line, damage) in [
        (2, "{\"event\":\"step\""),
        (3, "{\"event\":\"stop\"}"),
        (lines.len(), ""),
    ] {
        let mut lines = lines.clone();
        lines[line - 1] = damage;
        std::fs::write(&metrics, lines.join("\n") + "\n").unwrap();
        refused(&["runs/a"], 4, &[&format!("runs/a/metrics.jsonl:{line}: damaged")]);
    }
    std::fs::write(&metrics, &whole).unwrap();
    let config = place.file("runs/a/config.yaml");
    let settings = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, settings.replace("epochs: 2", "epochs: two")).unwrap();
    refused(&["runs/a"], 3, &["runs/a/config.yaml", "run.epochs"]);
    std::fs::write(&config, settings).unwrap();
    std::fs::write(place.file("runs/a/summary.json"), "{}").unwrap();
    refused(&["runs/a"], 4, &["summary.json: damaged, or of another version"]);
}

#[test]
fn runs_that_did_not_finish_are_shown_as_such() {
    let place = Place::new();
    place.tiny("a", &[]);
    // As if it had been killed while it wrote a line.
    std::fs::remove_file(place.file("runs/a/summary.json")).unwrap();
    let metrics = place.file("runs/a/metrics.jsonl");
    let whole = std::fs::read(&metrics).unwrap();
    std::fs::write(&metrics, &whole[..whole.len() - 9]).unwrap();
    // Far too high a rate: it diverges.
    let mut diverges = TINY.to_vec();
    diverges.extend(["run.name=d", "optimizer.lr=1e6"]);
    assert_eq!(place.train(&diverges).code, 7);
    let ran = place.dtrp(&["report", "runs/a", "runs/d", "-o", "-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for word in [
        "state broken-off\">broken off<",
        "state diverged\">diverged<",
        "1 of 2",
        "0 of 2",
        "d: there are no trained weights",
    ] {
        assert!(ran.stdout.contains(word), "{word}");
    }
}

#[test]
fn the_test_set_as_far_as_it_can_be_shown() {
    let place = Place::new();
    place.tiny("many", &["data.name=synthetic", "data.classes=30", "run.max_steps=3"]);
    place.tiny("lost", &[]);
    std::fs::write(place.file("runs/lost/weights.safetensors"), "no weights").unwrap();
    let ran = place.dtrp(&["report", "runs/many", "runs/lost", "-o", "-"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Of many classes the confusion is a picture; every one of the images is in it.
    assert!(ran.stdout.contains("<img class=\"pixels\"") && ran.stdout.contains("many</figcaption>"));
    assert!(
        ran.stdout
            .matches("of the test set\" src=\"data:image/png;base64,")
            .count()
            > 10
    );
    assert!(ran.stdout.contains("lost: the weights cannot be evaluated"));
    assert!(ran.stderr.contains("lost: the weights cannot be evaluated") && ran.stderr.contains("weights.safetensors"));
}

#[test]
fn a_run_is_watched_to_its_end() {
    let place = Place::new();
    let mut sets = TINY.to_vec();
    sets.extend(["run.name=a", "run.epochs=10000"]);
    let args: Vec<_> = ["train"]
        .into_iter()
        .chain(sets.iter().flat_map(|set| ["--set", *set]))
        .collect();
    let mut train = place
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !place.file("runs/a/metrics.jsonl").exists() {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let watching = Watching::start(&place, &["runs/a"]);
    assert!(
        watching.address.starts_with("http://127.0.0.1:"),
        "{}",
        watching.address
    );
    let page = watching.wait("", &["running"]);
    assert!(page.contains("data-live=") && page.contains("evaluated when the runs have ended"));
    let version = |answer: &str| {
        answer
            .split("X-Version: ")
            .nth(1)
            .and_then(|rest| rest.split('\r').next()?.parse::<u64>().ok())
    };
    let first = version(&page).unwrap();
    // It goes on, so there is another body soon; of the newest there is nothing new.
    let next = watching.wait(&format!("body?{first}"), &["HTTP/1.1 200", "X-Ended: no", "<svg"]);
    assert!(version(&next).unwrap() > first);
    // SAFETY: the process is our child, and not yet waited for.
    unsafe { libc::kill(train.id() as i32, libc::SIGINT) };
    assert_eq!(train.wait().unwrap().code(), Some(130));
    let end = watching.wait("body", &["X-Ended: yes", "interrupted", "64 images: accuracy"]);
    assert!(!end.contains(">running<"));
    let last = version(&end).unwrap();
    assert!(watching.get(&format!("body?{last}")).starts_with("HTTP/1.1 204"));
    assert!(watching.get("other").starts_with("HTTP/1.1 404"));
    assert_eq!(watching.interrupt(), Some(0));
}
