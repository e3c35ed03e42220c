//! `dtrp data`: what is listed, what is found in folders, and what becomes of downloads.

use crate::sets;
use crate::support::{Place, Ran};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// The run failed with the exit code of bad data and says so once.
fn fails(ran: &Ran, parts: &[&str]) {
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
    says(&ran.stderr, parts);
}

#[test]
fn all_sets_are_listed_with_what_they_need() {
    let place = Place::new();
    let ran = place.dtrp(&["data", "list"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let list: Value = serde_json::from_str(&place.dtrp(&["data", "list", "--format", "json"]).stdout).unwrap();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 7);
    for set in list {
        for key in ["name", "description", "files", "licence"] {
            says(&ran.stdout, &[set[key].as_str().unwrap()]);
        }
    }
    says(
        &ran.stdout,
        &[
            "3x32x32, 100 classes, 50,000 to train on, 10,000 to test on",
            "dtrp data fetch mnist",
        ],
    );
    let fetchable: Vec<_> = list
        .iter()
        .filter(|set| set["fetchable"] == true)
        .map(|set| &set["name"])
        .collect();
    assert_eq!(fetchable, ["cifar10", "cifar100", "fashion-mnist", "mnist"]);
}

#[test]
fn a_good_folder_is_counted() {
    let place = Place::new();
    sets::cifar10(&place.file("data/cifar-10-batches-bin"));
    for dir in ["data", "data/cifar-10-batches-bin"] {
        let ran = place.dtrp(&["data", "check", dir]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.stderr, "");
        // Half of the pixels are black, half white.
        says(
            &ran.stdout,
            &[
                "cifar10 in data",
                "6 files",
                "mean 0.5000",
                "no problems",
                "50,000 training",
            ],
        );
    }
    let ran = place.dtrp(&["data", "check", "data", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let (train, test) = (&report["parts"]["train"], &report["parts"]["test"]);
    assert_eq!((&train["samples"], &test["samples"]), (&40.into(), &8.into()));
    let (train_classes, test_classes) = (&train["classes"], &test["classes"]);
    assert_eq!(
        (&train_classes["dog"], &train_classes["truck"], &test_classes["dog"]),
        (&5.into(), &0.into(), &1.into())
    );
    assert_eq!(train["std"], serde_json::json!([0.5, 0.5, 0.5]));
    assert_eq!(report["problems"], serde_json::json!([]));
}

#[test]
fn what_is_wrong_is_told_with_file_and_offset() {
    let place = Place::new();
    sets::cifar10(&place.file("set"));
    let path = place.file("set/data_batch_2.bin");
    let mut bytes = fs::read(&path).unwrap();
    bytes[3073] = 10;
    bytes.truncate(6000);
    fs::write(&path, bytes).unwrap();
    fs::remove_file(place.file("set/test_batch.bin")).unwrap();
    let ran = place.dtrp(&["data", "check", "set"]);
    fails(&ran, &["set: 2 problems"]);
    let file = "set/data_batch_2.bin";
    says(
        &ran.stdout,
        &[
            "2 problems",
            &format!("{file}: byte 3073: the last record is cut short"),
            "set/test_batch.bin: is not there",
            "dtrp data fetch cifar10",
        ],
    );

    let ran = place.dtrp(&["data", "check", "set", "--format", "json"]);
    fails(&ran, &["2 problems"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["problems"][0]["path"], file);
    assert_eq!(report["problems"][0]["offset"], 3073);

    // Not a folder of a set, not a set, not there.
    fs::create_dir(place.file("other")).unwrap();
    fails(&place.dtrp(&["data", "check", "other"]), &["other", "known set"]);
    fails(
        &place.dtrp(&["data", "check", "set", "--name", "cifar11"]),
        &["did you mean `cifar10`?"],
    );
    fails(
        &place.dtrp(&["data", "check", "set", "--name", "digits"]),
        &["digits", "`dir` is not for this set"],
    );
    fails(&place.dtrp(&["data", "check", "nowhere"]), &["nowhere"]);
}

#[test]
fn training_without_the_files_says_how_to_get_them() {
    let place = Place::new();
    for name in ["cifar10", "cifar100", "fashion-mnist", "mnist"] {
        let name = format!("data.name={name}");
        let fetch = name.replace("data.name=", "dtrp data fetch ");
        fails(
            &place.train(&[&name, "data.dir=nowhere"]),
            &["nowhere is not there", &fetch],
        );
        fails(&place.train(&[&name]), &["`dir` is missing", &fetch]);
    }
}

/// A server for one request after the other: what it sends, and what it was asked for.
fn serve(answers: Vec<Answer>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, asked) = channel();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let lines: Vec<_> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let range = lines.iter().find(|line| line.to_lowercase().starts_with("range:"));
            let path = lines[0].split(' ').nth(1).unwrap();
            let _ = tell.send(format!("{path} {}", range.map_or("", |range| &range[6..]).trim()));
            let Answer {
                status,
                headers,
                body,
                stall,
            } = answer;
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}\r\n");
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            if stall {
                open.push(stream);
            }
        }
        // Stalled connections stay open as long as the test.
        std::thread::park();
    });
    (address, asked)
}

struct Answer {
    status: u16,
    headers: &'static str,
    body: Vec<u8>,
    stall: bool,
}

const NOT_FOUND: Answer = Answer {
    status: 404,
    headers: "Content-Length: 0\r\n",
    body: Vec::new(),
    stall: false,
};

/// The first so many bytes of a file of 10,000.
fn start(bytes: usize, stall: bool) -> Answer {
    Answer {
        status: 200,
        headers: "Content-Length: 10000\r\n",
        body: vec![7; bytes],
        stall,
    }
}

/// The rest of it.
fn rest() -> Answer {
    Answer {
        status: 206,
        headers: "Content-Range: bytes 4000-9999/10000\r\nContent-Length: 6000\r\n",
        body: vec![7; 6000],
        stall: false,
    }
}

const FETCH: [&str; 6] = ["data", "fetch", "cifar10", "--tries", "1", "--url"];
const ARCHIVE: &str = "data/cifar10/cifar-10-binary.tar.gz";

#[test]
fn each_failure_of_a_download_is_one_clear_error() {
    let place = Place::new();
    let fetch = |address: &str| place.dtrp(&[&FETCH[..], &[address]].concat());
    let (address, asked) = serve(vec![NOT_FOUND, start(4000, false), rest()]);
    fails(
        &fetch(&address),
        &[
            "cannot fetch",
            "/cifar-10-binary.tar.gz",
            "answered 404",
            "another address",
        ],
    );
    // A connection that breaks off leaves a part, which the next try continues: here to a file that is not the published one.
    fails(&fetch(&address), &["after 4000 bytes", "4000 bytes are kept"]);
    assert_eq!(
        fs::metadata(place.file(&format!("{ARCHIVE}.part"))).unwrap().len(),
        4000
    );
    fails(&fetch(&address), &["MD5", "c32a1d4ab5d03f1284b67883e8d87530"]);
    let asked: Vec<_> = asked.try_iter().collect();
    let file = "/cifar-10-binary.tar.gz";
    assert_eq!(
        asked,
        [format!("{file} "), format!("{file} "), format!("{file} bytes=4000-")]
    );
    assert!(!place.file(ARCHIVE).exists() && !place.file(&format!("{ARCHIVE}.part")).exists());

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fails(&fetch(&format!("http://{nobody}")), &["cannot fetch", "try again"]);
    fails(&fetch("no address"), &["no address", "check the address"]);
    fails(
        &place.dtrp(&["data", "fetch", "cifar-10"]),
        &["cannot be fetched", "did you mean `cifar10`?"],
    );
    fails(
        &place.dtrp(&["data", "fetch", "digits"]),
        &["`digits` cannot be fetched"],
    );
    fs::write(place.file("taken"), "").unwrap();
    fails(
        &place.dtrp(&["data", "fetch", "mnist", "--dir", "taken"]),
        &["taken: cannot make the folder"],
    );
}

#[test]
#[cfg(unix)]
fn an_interrupted_download_is_continued() {
    let place = Place::new();
    let (address, asked) = serve(vec![start(4000, true), rest()]);
    let mut command = place.command(&[&FETCH[..], &[&address]].concat());
    command.stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let part = place.file(&format!("{ARCHIVE}.part"));
    while fs::metadata(&part).map_or(0, |file| file.len()) < 4000 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // SAFETY: sends a signal to the child, which is alive: the server keeps it waiting, and it has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    says(&ran.stderr, &["error: interrupted; the same command continues"]);
    assert_eq!(fs::metadata(&part).unwrap().len(), 4000);
    place.dtrp(&[&FETCH[..], &[&address]].concat());
    assert_eq!(asked.try_iter().last().unwrap(), "/cifar-10-binary.tar.gz bytes=4000-");
}

#[test]
fn a_fetched_set_comes_with_the_command_to_train_on_it() {
    let place = Place::new();
    sets::cifar10(&place.file("data/cifar10/cifar-10-batches-bin"));
    let ran = place.dtrp(&["data", "fetch", "cifar10"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let command = ran
        .stdout
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("dtrp train"));
    let mut words: Vec<_> = command.unwrap().split(' ').skip(1).collect();
    words.extend([
        "--set",
        "model.depth=8",
        "--set",
        "model.width=4",
        "--set",
        "run.epochs=1",
        "-q",
    ]);
    let ran = place.dtrp(&words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    fs::remove_file(place.file("data/cifar10/cifar-10-batches-bin/data_batch_1.bin")).unwrap();
    fails(
        &place.dtrp(&["data", "fetch", "cifar10"]),
        &["data_batch_1.bin is not there", "remove it, and fetch again"],
    );
}
