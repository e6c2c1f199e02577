//! Texts that people type: trimmed, bounded, without control characters.

use cleave_kernel::Violation;

/// Longest name of anything.
pub const NAME_MAX: usize = 200;
/// Longest reference, domain, category or tag: short enough to be part of a unique key on every engine.
pub const SHORT_MAX: usize = 190;
/// Longest URL.
pub const URL_MAX: usize = 1000;
/// Longest note.
pub const NOTE_MAX: usize = 1000;

/// A text that must be there.
///
/// # Errors
/// When it is empty, too long or holds control characters.
pub fn required(field: &str, text: &str, max: usize) -> Result<String, Violation> {
    optional(field, text, max)?.ok_or_else(|| Violation::required(field))
}

/// A text that may be empty.
///
/// # Errors
/// When it is too long or holds control characters.
pub fn optional(field: &str, text: &str, max: usize) -> Result<Option<String>, Violation> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Violation::new(
            field,
            "CONTROL_CHARACTER",
            "the text may not hold control characters",
        ));
    }
    if text.chars().count() > max {
        return Err(Violation::new(
            field,
            "TOO_LONG",
            format!("the text may not be longer than {max} characters"),
        ));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_trimmed_and_bounded_in_characters() {
        assert_eq!(required("f", " 漢字 ", 2), Ok("漢字".to_owned()));
        assert_eq!(optional("f", "  ", 2), Ok(None));
        let reason = |text: &str| required("f", text, 2).unwrap_err().reason;
        assert_eq!(reason(""), "REQUIRED");
        assert_eq!(reason("abc"), "TOO_LONG");
        assert_eq!(reason("a\0"), "CONTROL_CHARACTER");
    }
}
