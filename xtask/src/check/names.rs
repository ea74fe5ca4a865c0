//! No server's name in the code that decides, talks or drives: what differs between servers is data (room 4).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{House, Verdict};
use crate::rust_code::RustCode;
use crate::workspace::TextFile;

/// Rooms 2, 3, 5 and 6.
const ROOMS: [&str; 4] = ["guest/records/", "guest/workflow/", "guest/components/", "host/runtime/"];

/// Servers, their vendors, their hosts and reference implementations, in lower case. The names of the dialects are added.
const SERVERS: [&str; 33] = [
    "abyxon",
    "aidbox",
    "amazon",
    "amazonaws",
    "argonaut",
    "aws",
    "azure",
    "blaze",
    "cerner",
    "deqm",
    "epic",
    "firely",
    "gcp",
    "google",
    "hapi",
    "hapifhir",
    "healthlake",
    "helios",
    "hrsa",
    "ibm",
    "linuxforhealth",
    "medplum",
    "microsoft",
    "octofhir",
    "onfhir",
    "oracle",
    "pathling",
    "sazare",
    "smile",
    "smilecdr",
    "smiledigitalhealth",
    "uds",
    "vonk",
];

/// A text in which a name is not that of a server.
struct Allowed {
    text: &'static str,
    /// The only files where it may be, by how their paths begin.
    within: &'static str,
    why: &'static str,
}

const ALLOWED: &[Allowed] = &[
    Allowed { text: "aws_lc_rs", within: "host/runtime/src/", why: "the cryptography of rustls" },
    Allowed { text: "aws-lc-rs", within: "host/runtime/src/", why: "the same in a sentence" },
    Allowed {
        text: "AwsSigV4",
        within: "host/runtime/src/",
        why: "a signature scheme, named like HTTP Basic, that any server can ask for",
    },
    Allowed {
        text: "the AWS access key",
        within: "host/runtime/src/secrets/",
        why: "what that scheme signs with, in words",
    },
    Allowed { text: "an AWS region", within: "host/runtime/src/secrets/", why: "what that scheme signs for, in words" },
    Allowed {
        text: "const CODE_PREFIXES: [&str; 1] = [\"HAPI\"];",
        within: "guest/records/src/normalise.rs",
        why: "what hides patient data must know which words are codes of errors",
    },
];

/// Comments and tests may name servers, code may not.
pub fn names(house: &House<'_>) -> Result<Verdict> {
    let files: Vec<&TextFile> = house.files.iter().filter(|file| is_code(&file.path)).collect();
    let tests = test_files(&files);
    let code = files.into_iter().filter(|file| !tests.iter().any(|test| belongs(Path::new(&file.path), test)));
    let names = all_names();
    let mut faults = Vec::new();
    let (mut seen, mut needed) = (0, BTreeSet::new());
    for file in code {
        seen += 1;
        let code = RustCode::read(&file.text).without_tests().with_text;
        needed.extend(allowed_in(&file.path).filter(|allowed| code.contains(allowed.text)).map(|allowed| allowed.text));
        let code = without_allowed(&file.path, code);
        for (number, line) in code.lines().enumerate() {
            faults.extend(named(line, &names).into_iter().map(|name| fault(file, number, name)));
        }
    }
    faults.extend(ALLOWED.iter().filter(|allowed| !needed.contains(allowed.text)).map(unneeded));
    Ok(Verdict { seen: format!("{seen} files, {} names, {} exceptions", names.len(), ALLOWED.len()), faults })
}

/// Each name as its words: those of the list, and those of all dialects.
fn all_names() -> BTreeMap<Vec<String>, String> {
    let dialects = fhir_import_dialects::all().into_iter().map(|dialect| dialect.name);
    let names = SERVERS.into_iter().map(str::to_owned).chain(dialects);
    names.map(|name| (words(&name), name)).collect()
}

fn allowed_in(path: &str) -> impl Iterator<Item = &'static Allowed> {
    ALLOWED.iter().filter(move |allowed| path.starts_with(allowed.within))
}

fn without_allowed(path: &str, code: String) -> String {
    allowed_in(path).fold(code, |code, allowed| code.replace(allowed.text, ""))
}

fn unneeded(allowed: &Allowed) -> String {
    format!("{:?} ({}) is in no code below {}: take it out of {}", allowed.text, allowed.why, allowed.within, file!())
}

/// The names on a line, however they are spelled: `onFhir`, `on_fhir` and `"onfhir"` are not told apart.
fn named<'a>(line: &str, names: &'a BTreeMap<Vec<String>, String>) -> Vec<&'a str> {
    let words = words(line);
    let joined: Vec<String> = words.windows(2).map(<[String]>::concat).collect();
    let is_in = |name: &[String]| {
        words.windows(name.len()).any(|some| some == name) || matches!(name, [one] if joined.contains(one))
    };
    names.iter().filter(|(name, _)| is_in(name)).map(|(_, name)| name.as_str()).collect()
}

/// The words of a text, in lower case: parted by anything that is no letter or digit, and by a capital after a small one.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (small && c.is_uppercase()) {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("there is a word").extend(c.to_lowercase());
        }
        small = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_code(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "rs") && ROOMS.iter().any(|room| path.starts_with(room))
}

fn fault(file: &TextFile, number: usize, server: &str) -> String {
    format!("{}:{}: names {server:?}; what one server does belongs into guest/dialects", file.path, number + 1)
}

/// The modules, without `.rs`, that their parents declare under `#[cfg(test)]`.
fn test_files(files: &[&TextFile]) -> BTreeSet<PathBuf> {
    let mut tests = BTreeSet::new();
    for file in files {
        let path = Path::new(&file.path);
        let stem = path.file_stem().unwrap_or_default();
        let is_root = stem == "lib" || stem == "main" || stem == "mod";
        let folder = if is_root { path.with_file_name("") } else { path.with_extension("") };
        tests.extend(RustCode::read(&file.text).test_modules().map(|module| folder.join(module)));
    }
    tests
}

fn belongs(path: &Path, module: &Path) -> bool {
    path.with_extension("") == module || path.starts_with(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        named(line, &all_names()).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn a_name_is_found_however_it_is_spelled_and_not_inside_of_another_word() {
        for line in ["if name == \"onfhir\"", "fn on_fhir()", "Server::OnFhir", "let x = ONFHIR;"] {
            assert_eq!(found(line), ["onfhir"], "{line}");
        }
        assert_eq!(found("match server { Server::Aws => azure() }"), ["aws", "azure"]);
        assert_eq!(found("Personality::SmartManifest"), ["smart-manifest"]);
        for line in ["let laws = draws(clouds);", "smart(x, manifest)", "bulk.and_submit()", "epicentre"] {
            assert!(found(line).is_empty(), "{line}: {:?}", found(line));
        }
    }

    #[test]
    fn an_exception_is_for_its_text_and_its_place_only() {
        let code = |path: &str, text: &str| without_allowed(path, text.to_owned());
        assert!(found(&code("host/runtime/src/net/tls.rs", "aws_lc_rs::default_provider()")).is_empty());
        assert!(!found(&code("guest/workflow/src/state.rs", "aws_lc_rs::default_provider()")).is_empty());
        assert!(found(&code("host/runtime/src/secrets/sign.rs", "Scheme::AwsSigV4")).is_empty());
        assert!(!found(&code("host/runtime/src/secrets/sign.rs", "Scheme::AwsOther")).is_empty());
    }

    #[test]
    fn the_dialects_themselves_are_among_the_names() {
        let names = all_names();
        for dialect in fhir_import_dialects::all() {
            assert!(names.contains_key(&words(&dialect.name)), "{}", dialect.name);
        }
    }
}
