//! Configurations: the text of a file, and after each line of `=====` one `--set`. What is read is written as a run's folder
//! has it, and read back to the same text.

#![no_main]

use dtrp_cli::fuzzing::configuration;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut parts = text.split("=====\n");
    let file = parts.next().unwrap_or_default();
    let sets: Vec<_> = parts.map(|set| set.trim_end_matches('\n')).collect();
    let Ok(written) = configuration(file, &sets) else {
        return;
    };
    match configuration(&written, &[]) {
        Ok(again) => assert_eq!(again, written, "{text}"),
        Err(error) => panic!("{error}\nof what was written:\n{written}"),
    }
});
