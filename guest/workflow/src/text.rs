//! Text that came from outside, cut to what a checkpoint may hold.

/// The first bytes of a text, in one line: control characters become spaces, and a cut is shown by `…`.
#[must_use]
pub fn clip(text: &str, most: usize) -> String {
    let mut clipped = String::new();
    for c in text.chars() {
        if clipped.len() + c.len_utf8() > most {
            clipped.push('…');
            break;
        }
        clipped.push(if c.is_control() { ' ' } else { c });
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_stays_in_one_line() {
        for (text, clipped) in [
            ("", ""),
            ("abc", "abc"),
            ("abcd", "abc…"),
            ("aé", "aé"),
            ("abé", "ab…"),
            ("a\nb", "a b"),
            ("\u{1b}[m", " [m"),
        ] {
            assert_eq!(clip(text, 3), clipped, "{text:?}");
        }
    }
}
