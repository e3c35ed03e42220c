//! What a terminal sees: lines that fit, also in 40 columns, and nothing but text where it can do no more.

use crate::support::Place;
use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

/// A terminal of so many columns: the side of the person and that of the program.
fn terminal(columns: u16) -> (File, OwnedFd) {
    let (mut person, mut program) = (0, 0);
    let size = libc::winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the pointers are to locals; name and settings may be null.
    let made = unsafe {
        libc::openpty(
            &raw mut person,
            &raw mut program,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(made, 0);
    // SAFETY: both were just opened, and belong to nobody else.
    unsafe { (File::from_raw_fd(person), OwnedFd::from_raw_fd(program)) }
}

/// What a terminal of this kind and so many columns is sent.
fn shown(place: &Place, args: &[&str], columns: u16, term: &str) -> String {
    let mut command = place.command(args);
    command.env("TERM", term).env_remove("NO_COLOR");
    shown_by(command, columns)
}

fn shown_by(mut command: Command, columns: u16) -> String {
    let (mut person, program) = terminal(columns);
    command.env_remove("COLUMNS");
    command
        .stdin(Stdio::null())
        .stdout(program.try_clone().unwrap())
        .stderr(program);
    let mut child = command.spawn().unwrap();
    // The program's side is closed here, so that reading ends with it.
    drop(command);
    let mut bytes = Vec::new();
    // At the end Linux gives an error.
    let _ = person.read_to_end(&mut bytes);
    assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&bytes));
    String::from_utf8(bytes).unwrap()
}

/// Without the terminal's own sequences: colours leave nothing, and where the cursor is moved a line ends.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split('\u{1b}');
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(part.len(), |at| at + 1);
        if !part[..end].ends_with('m') {
            plain.push('\n');
        }
        plain.push_str(&part[end..]);
    }
    plain
}

#[test]
fn nothing_is_torn_on_narrow_terminals() {
    let place = Place::new();
    let train = [
        "train",
        "--name",
        "a",
        "--set",
        "run.max_steps=60",
        "--set",
        "model.depth=8",
    ];
    let compare = [
        "compare",
        "--variant",
        "a: model={name: tiny} run.max_steps=2",
        "--variant",
        "b: model={name: tiny} run.max_steps=3",
        "--seeds",
        "2",
        "--jobs",
        "2",
    ];
    for columns in [80_u16, 40] {
        for args in [
            &train[..],
            &compare,
            &["train", "--dry-run"],
            &["predictors", "list"],
            &["schedule", "list"],
            &["models", "show", "resnet-cifar"],
        ] {
            let text = shown(&place, args, columns, "xterm");
            let all = plain(&text);
            // The name of a folder is one word, which may be longer than a line.
            let lines = all.split(['\n', '\r']).filter(|line| line.trim().contains(' '));
            // The text of a program is what it is, and log lines go on where the terminal breaks them.
            let lines = lines.filter(|line| !line.contains(" | ") && !line.contains("INFO"));
            for line in lines {
                assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}\n{all}");
            }
        }
    }
    // Each of two runs at once has a line that says how far it is.
    let several = plain(&shown(&place, &compare, 80, "xterm"));
    for run in ["a, seed 1  begins", "a, seed 2  begins"] {
        assert!(several.contains(run), "{several}");
    }
    // Where there is room, tables are as they always were.
    let wide = plain(&shown(&place, &train, 200, "xterm"));
    assert!(wide.contains("stored inputs  staleness  prediction gain"), "{wide}");
    assert!(wide.contains("░"), "{wide}");
}

#[test]
fn a_dumb_terminal_gets_text_alone() {
    let place = Place::new();
    let args = [
        "train",
        "--name",
        "a",
        "--set",
        "run.max_steps=40",
        "--set",
        "model.depth=8",
    ];
    let text = shown(&place, &args, 80, "dumb");
    assert!(!text.contains('\u{1b}') && !text.contains(['█', '░']), "{text}");
    assert!(
        text.contains("INFO training into runs/a") && text.contains("epoch  1"),
        "{text}"
    );
    let text = shown(&place, &args, 80, "xterm");
    assert!(text.contains('\u{1b}') && text.contains('░'), "{text}");
}

#[test]
fn a_run_shows_what_each_worker_does() {
    let place = Place::new();
    let sets = [
        "run.epochs=2",
        "model.depth=8",
        "method.modules=3",
        "data.limit=640",
        "run.name=a",
    ];
    let args: Vec<_> = ["train"]
        .into_iter()
        .chain(sets.iter().flat_map(|set| ["--set", set]))
        .collect();
    let wide = ["accuracy ", " images/s", "worker  busy  staleness  stored inputs"];
    let narrow = [" %  ", "/s", "worker  busy  stale   stored"];
    for (columns, parts) in [(80, wide), (40, narrow)] {
        let mut command = place.command(&args);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let text = shown_by(command, columns);
        let all = plain(&text);
        // A fast machine may draw an epoch once, at its end.
        for part in ["epoch 2/2  step ", " left"].iter().chain(&parts) {
            assert!(all.contains(part), "{columns}: {part}\n{all}");
        }
        let has_row = |worker: &str| all.lines().any(|line| line.starts_with(worker) && line.contains("B  "));
        assert!(["1  ", "2  ", "3  "].into_iter().all(has_row), "{all}");
        // Lines are written over; they are taken away for the line of each epoch, and at the end.
        assert_eq!(text.matches("\u{1b}[J").count(), 3, "{text:?}");
        assert!(!text.contains("\u{1b}[2K"), "{text:?}");
        let colours = text.split("\u{1b}[").skip(1).filter(|part| {
            let number = |c: char| c.is_ascii_digit() || c == ';';
            part.trim_start_matches(number).starts_with('m')
        });
        assert_eq!(colours.count(), 0, "{text:?}");
        let end = &text[text.rfind("\u{1b}[J").unwrap()..];
        assert!(end.contains("results in runs/a") && !end.contains(" left"), "{end:?}");
    }
}
