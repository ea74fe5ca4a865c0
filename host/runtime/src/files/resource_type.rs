//! The resource type that a file's name tells.

/// What `Type=` may stand for: the shape of a resource type name, so that types of later releases work too.
pub(super) fn is_type_name(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphabetic())
}

/// The type by the first part of a file name: `Patient.ndjson`, `Patient.000.ndjson`. None when it says nothing.
pub(super) fn from_file_name(name: &str) -> Option<String> {
    let first = name.split('.').next()?;
    is_type_name(first).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_the_name_tells_the_type() {
        let cases = [
            ("Patient.ndjson", Some("Patient")),
            ("Patient.000.ndjson", Some("Patient")),
            ("Practitioner.1735689600000.ndjson", Some("Practitioner")),
            ("patient.ndjson", None),
            ("P.ndjson", None),
            ("Patient-1.ndjson", None),
            ("export.ndjson", None),
            (".ndjson", None),
            ("Ärzte.ndjson", None),
        ];
        for (name, wanted) in cases {
            assert_eq!(from_file_name(name).as_deref(), wanted, "{name}");
        }
    }
}
