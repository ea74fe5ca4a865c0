//! What the checker can say about a line.

use std::fmt;

/// One remark about one line. It never holds content of a resource; it may name a resource type or a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, counted from 0 in the order in which files were fed.
    pub file: u32,
    /// The line, counted from 1, blank lines included.
    pub line: u64,
    /// Where the line starts, in bytes from the start of the file.
    pub offset: u64,
    /// What was found.
    pub kind: FindingKind,
    /// More about this case; may be empty.
    pub detail: String,
}

impl Finding {
    /// How much the finding weighs; decided by its kind alone.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

/// How much a finding weighs, the lightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Information,
    /// Some servers refuse it, or treat it in a way that surprises.
    Warning,
    /// Not a line that a server can be expected to store.
    Error,
}

impl Severity {
    /// The name in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Information => "information",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! finding_kinds {
    ($($(#[doc = $meaning:literal])+ $kind:ident $name:literal $severity:ident)+) => {
        /// The kinds of findings. Their names are stable: reports and other programs use them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[doc = $meaning])+ $kind,)+
        }

        impl FindingKind {
            /// Every kind, by name.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The name in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// How much it weighs.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$kind => Severity::$severity,)+ }
            }

            /// What it means, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$kind => concat!($($meaning),+).trim_ascii(),)+ }
            }
        }
    };
}

// One row a kind: what it means (doc comment and `meaning()`), the variant, its name, its weight.
finding_kinds! {
    /// A blank line: servers differ in whether they count it, so their line numbers may differ from ours.
    BlankLine "blank-line" Warning
    /// The file starts with a byte order mark: some servers refuse the first line because of it.
    ByteOrderMark "byte-order-mark" Warning
    /// A reference is a search (`Patient?identifier=…`): some servers resolve it, others refuse the line or store it as it is.
    ConditionalReference "conditional-reference" Warning
    /// The same type and id came before: servers differ in which one wins.
    DuplicateId "duplicate-id" Warning
    /// The file holds no record at all: some servers report success for it.
    EmptyFile "empty-file" Warning
    /// The id is not 1 to 64 characters of A-Z, a-z, 0-9, '-' and '.'.
    InvalidId "invalid-id" Error
    /// The line is not one complete JSON value.
    InvalidJson "invalid-json" Error
    /// The resourceType is not a string in the shape of a type's name.
    InvalidResourceType "invalid-resource-type" Error
    /// The line is longer than the limit and was not read.
    LineTooLong "line-too-long" Error
    /// The file holds more than one resource type, and servers that take one type a file refuse the others.
    MixedTypes "mixed-types" Warning
    /// The JSON is nested deeper than parsers in common use accept.
    NestedTooDeep "nested-too-deep" Error
    /// The resource has no id: it cannot be read back, and sending it twice stores it twice.
    NoId "no-id" Warning
    /// The object has no resourceType, so no server can know what it is.
    NoResourceType "no-resource-type" Error
    /// The line is JSON but not an object.
    NotAnObject "not-an-object" Error
    /// The line is not UTF-8.
    NotUtf8 "not-utf8" Error
    /// The resource is of another type than the file was announced with.
    TypeMismatch "type-mismatch" Error
    /// An escape names half of a surrogate pair: no Unicode text, and most databases refuse it.
    UnpairedSurrogate "unpaired-surrogate" Error
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_unique_kebab_case() {
        let names: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.name()).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert!(
            names.iter().all(|name| name.bytes().all(|b| b == b'-' || b.is_ascii_lowercase() || b.is_ascii_digit()))
        );
    }

    #[test]
    fn names_are_the_variants_in_kebab_case() {
        for kind in FindingKind::ALL {
            assert_eq!(kind.name().replace('-', ""), format!("{kind:?}").to_lowercase());
        }
    }

    #[test]
    fn a_meaning_is_one_sentence() {
        for kind in FindingKind::ALL {
            assert!(kind.meaning().ends_with('.') && !kind.meaning().starts_with(' '), "{kind}");
        }
    }
}
