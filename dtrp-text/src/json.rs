//! What programs read.

use serde::Serialize;

/// `value` as indented JSON that ends in a newline. Numbers that are not finite become null.
///
/// # Panics
///
/// If `value` has no form in JSON, such as a map whose keys are no texts, which is a bug in its type.
pub fn to_json(value: &(impl Serialize + ?Sized)) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => text + "\n",
        Err(error) => panic!("{} has no form in JSON: {error}", std::any::type_name_of_val(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pretty_with_a_newline_and_null_for_what_is_not_finite() {
        assert_eq!(to_json(&[1.0, f64::NAN]), "[\n  1.0,\n  null\n]\n");
    }
}
