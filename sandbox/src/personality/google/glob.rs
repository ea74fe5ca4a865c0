//! Names with wildcards: `*` within a folder, `**` across folders, `?` for one character.

/// The part of a name before its first wildcard.
pub(super) fn prefix(pattern: &str) -> &str {
    let end = pattern.find(['*', '?']).unwrap_or(pattern.len());
    &pattern[..end]
}

/// Whether a name is meant by a pattern.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    fits(pattern.as_bytes(), name.as_bytes())
}

fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', b'*', rest @ ..], _) => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        ([b'*', rest @ ..], _) => {
            let folder = name.iter().position(|byte| *byte == b'/').unwrap_or(name.len());
            (0..=folder).any(|skipped| fits(rest, &name[skipped..]))
        }
        ([b'?', rest @ ..], [one, tail @ ..]) => *one != b'/' && fits(rest, tail),
        ([one, rest @ ..], [other, tail @ ..]) => one == other && fits(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_mean_what_the_documentation_says() {
        assert!(matches("gs://b/f/*.ndjson", "gs://b/f/a.ndjson"));
        assert!(!matches("gs://b/f/*.ndjson", "gs://b/f/g/a.ndjson"));
        assert!(matches("gs://b/**.ndjson", "gs://b/f/g/a.ndjson"));
        assert!(matches("gs://b/f/?.ndjson", "gs://b/f/a.ndjson"));
        assert!(!matches("gs://b/f/?.ndjson", "gs://b/f/ab.ndjson"));
        assert!(matches("gs://b/a", "gs://b/a") && !matches("gs://b/a", "gs://b/ab"));
        assert_eq!((prefix("gs://b/f/*.n"), prefix("gs://b/a")), ("gs://b/f/", "gs://b/a"));
    }
}
