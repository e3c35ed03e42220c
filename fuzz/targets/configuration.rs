//! Configurations: the text of a file, and after each line of `=====` one `--set`. What is read is written as a run's folder
//! has it, and read back to the same text. The same arguments are read as `--set-list` too: each value of a list is a list of its
//! own.

#![no_main]

use dtrp_cli::fuzzing::{combinations, configuration};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut parts = text.split("=====\n");
    let file = parts.next().unwrap_or_default();
    let sets: Vec<_> = parts.map(|set| set.trim_end_matches('\n')).collect();
    for set in sets.iter().filter_map(|list| combinations(&[list]).ok()).flatten() {
        let alone: Vec<_> = set.iter().map(String::as_str).collect();
        assert_eq!(combinations(&alone), Ok(vec![set.clone()]), "{text}");
    }
    let _ = combinations(&sets);
    let Ok(written) = configuration(file, &sets) else {
        return;
    };
    match configuration(&written, &[]) {
        Ok(again) => assert_eq!(again, written, "{text}"),
        Err(error) => panic!("{error}\nof what was written:\n{written}"),
    }
});
