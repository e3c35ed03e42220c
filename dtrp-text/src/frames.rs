//! What libraries in C++ say of an error, without where in them it was noticed.

/// The message up to the C++ stack that libtorch appends to its own; also where it stands in a Rust string's debug form, as in
/// the message of a panic.
///
/// ```
/// let whole = "mat1 and mat2 shapes cannot be multiplied\nException raised from meta at Linear.cpp:201\nframe #0: c10::Error";
/// assert_eq!(dtrp_text::without_frames(whole), "mat1 and mat2 shapes cannot be multiplied");
/// let panic = r#"called `Result::unwrap()` on an `Err` value: Torch("no memory\nframe #0: c10::Throw\n")"#;
/// assert_eq!(
///     dtrp_text::without_frames(panic),
///     r#"called `Result::unwrap()` on an `Err` value: Torch("no memory"#
/// );
/// ```
pub fn without_frames(message: &str) -> &str {
    let marks = ["Exception raised from ", "frame #0: ", "C++ CapturedTraceback"];
    let begins = marks.iter().flat_map(|mark| {
        ["\n", "\\n"]
            .iter()
            .filter_map(move |line| message.find(&format!("{line}{mark}")))
    });
    message[..begins.min().unwrap_or(message.len())].trim_end()
}
