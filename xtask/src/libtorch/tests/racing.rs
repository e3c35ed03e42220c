//! Two set-ups at once, and one that is killed.

use super::House;
use crate::libtorch::Request;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn two_at_once_fetch_once() {
    let house = House::new().mode("short-wait");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| house.set_up(Request::default())))
            .collect();
        for thread in threads {
            let ready = thread.join().unwrap().unwrap();
            assert_eq!(ready.folder, house.path("cache/libtorch-cpu"));
        }
    });
    assert_eq!(house.pip_calls(), 1);
    assert_eq!(house.cached(), ["libtorch-cpu", "setup.lock"]);
    let left = std::fs::read_dir(&house.context.workspace).unwrap().count();
    assert_eq!(left, 1, "the link, and no temporary one");
}

/// Not a test of its own: the process that `a_killed_set_up_does_no_harm` kills.
#[test]
#[ignore = "started by a_killed_set_up_does_no_harm"]
fn victim() {
    let Some(root) = std::env::var_os("XTASK_TEST_ROOT") else {
        return;
    };
    let house = House::at(Path::new(&root)).mode("slow");
    let _ = house.set_up(Request::default());
}

#[test]
fn a_killed_set_up_does_no_harm() {
    let house = House::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "libtorch::tests::racing::victim", "--ignored"])
        .env("XTASK_TEST_ROOT", &house.root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !house.path("fake/started").exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "the victim does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(
        house.cached().iter().any(|name| name.starts_with("tmp-")),
        "{:?}",
        house.cached()
    );
    house.set_up(Request::default()).unwrap();
    assert_eq!(house.cached(), ["libtorch-cpu", "setup.lock"]);
}
