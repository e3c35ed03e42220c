//! Texts that somebody typed, in messages.

use std::borrow::Cow;

/// The most characters that a message repeats.
const MOST: usize = 200;
/// Those that are left of a longer text, at its beginning.
const LEFT: usize = 60;

/// The text, or the beginning of one that is too long for a message, with the number of its characters.
///
/// ```
/// assert_eq!(dtrp_text::shortened("abc"), "abc");
/// let short = dtrp_text::shortened(&"x".repeat(10_000)).into_owned();
/// assert_eq!(short, format!("{}… (10000 characters)", "x".repeat(60)));
/// ```
pub fn shortened(text: &str) -> Cow<'_, str> {
    // No text has more characters than bytes.
    if text.len() <= MOST || text.chars().count() <= MOST {
        return text.into();
    }
    let beginning: String = text.chars().take(LEFT).collect();
    format!("{beginning}… ({} characters)", text.chars().count()).into()
}
