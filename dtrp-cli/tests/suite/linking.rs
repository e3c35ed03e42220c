//! The program has the libraries that it was built with.

use crate::support::Place;
use std::path::Path;

#[test]
fn the_doctor_finds_nothing_broken() {
    let ran = Place::new().dtrp(&["doctor"]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains("BROKEN"), "{}", ran.stdout);
    let line = |what: &str| {
        let found = ran.stdout.lines().find(|line| line.contains(what));
        found
            .unwrap_or_else(|| panic!("nothing about {what} in {}", ran.stdout))
            .to_owned()
    };
    assert!(line("libtorch  ").contains("2.11.0"));
    assert!(line("computes").starts_with("ok"));
    assert!(line("allocator").contains("jemalloc") && line("allocator").contains("also serves libtorch"));
    assert!(line("memory").contains("kept for reuse"));
}

/// Where there is a CUDA libtorch, a linker that drops what nobody names must not have dropped it.
#[test]
#[cfg(target_os = "linux")]
fn a_cuda_libtorch_is_really_loaded() {
    let Some(root) = option_env!("LIBTORCH") else {
        return;
    };
    let has_cuda = Path::new(root).join("lib/libtorch_cuda.so").exists();
    let ran = Place::new().dtrp(&["doctor"]);
    let line = ran.stdout.lines().find(|line| line.contains("libtorch_cuda")).unwrap();
    assert_eq!(line.contains("libtorch_cuda.so"), has_cuda, "{line}");
}
