//! What can be wrong in a dialect file, and what is said then.

use std::collections::BTreeMap;

use super::*;

const HAPI: &str = include_str!("../../../../guest/dialects/dialects/hapi.toml");

fn builtin() -> Vec<contract::Dialect> {
    let hapi: Dialect = toml::from_str(HAPI).unwrap();
    let definition = serde_json::to_string(&hapi).unwrap();
    vec![contract::Dialect { name: hapi.name, title: hapi.title, proven: hapi.proven, definition }]
}

/// Files of a folder that is not on any disk.
fn read(name: &str, files: &[(&str, &str)]) -> Result<DialectFile, DialectFileError> {
    let files: BTreeMap<&Path, &str> = files.iter().map(|(name, text)| (Path::new(*name), *text)).collect();
    let beside = |path: &Path| files.get(path).map(|text| (*text).to_owned()).ok_or(io::ErrorKind::NotFound.into());
    read_dialect(name, files[Path::new(name)], &builtin(), &beside)
}

fn dialect(name: &str, files: &[(&str, &str)]) -> Dialect {
    serde_json::from_str(&read(name, files).unwrap().definition).unwrap()
}

#[test]
fn an_own_file_changes_only_what_it_names() {
    let text = "extends = \"hapi\"\nname = \"ours\"\n[kick-off]\nurl = \"$bulk-import\"\naccepted = [200]\n";
    let own = dialect("ours.toml", &[("ours.toml", text)]);
    assert_eq!((own.name.as_str(), own.kick_off.url.as_str()), ("ours", "$bulk-import"));
    assert_eq!((own.kick_off.accepted, own.kick_off.prefer.as_deref()), (vec![200], Some("respond-async")));
}

#[test]
fn false_takes_away_what_the_other_one_has() {
    let own = dialect("ours.toml", &[("ours.toml", "extends = \"hapi\"\n[kick-off]\nprefer = false\n")]);
    assert_eq!(own.kick_off.prefer, None);
}

#[test]
fn a_changed_dialect_does_not_inherit_the_proof() {
    let hapi = dialect("same.toml", &[("same.toml", "extends = \"hapi\"\n")]);
    let own = dialect("sites/ours.toml", &[("sites/ours.toml", "extends = \"hapi\"\n[kick-off]\nurl = \"x\"\n")]);
    assert_eq!(own.proven, "changed from hapi by ours.toml; not proven");
    assert_eq!((own.name.as_str(), own.title), ("hapi-changed", format!("{}, changed by ours.toml", hapi.title)));
    assert_eq!(own.kick_off.source, format!("{}; changed by ours.toml", hapi.kick_off.source));
    assert_eq!((own.poll.source, hapi.name.as_str()), (hapi.poll.source, "hapi"));
}

#[test]
fn a_changed_dialect_that_says_its_proof_and_sources_keeps_them() {
    let text =
        "extends = \"hapi\"\nname = \"a\"\ntitle = \"b\"\nproven = \"c\"\n[kick-off]\nsource = \"d\"\nurl = \"x\"\n";
    let own = dialect("ours.toml", &[("ours.toml", text)]);
    assert_eq!(
        (own.name, own.title, own.proven, own.kick_off.source),
        ("a".into(), "b".into(), "c".into(), "d".into())
    );
}

#[test]
fn a_name_is_one_that_can_be_typed_and_shown() {
    for name in ["x y", "a/b", "ü", ""] {
        let text = format!("extends = \"hapi\"\nname = {name:?}\n");
        let error = read("ours.toml", &[("ours.toml", &text)]).unwrap_err();
        assert!(error.line == 2 && error.message.contains("`name` cannot be"), "{error}");
    }
}

#[test]
fn a_file_extends_one_beside_it_which_extends_a_built_in_one() {
    let files = [
        ("sites/north/ours.toml", "extends = \"../gateway.toml\"\nname = \"ours\"\n"),
        ("sites/gateway.toml", "extends = \"hapi\"\nname = \"gateway\"\n[kick-off]\nurl = \"bulk/$import\"\n"),
    ];
    let own = dialect("sites/north/ours.toml", &files);
    assert_eq!((own.name.as_str(), own.kick_off.url.as_str()), ("ours", "bulk/$import"));
}

#[test]
fn a_file_that_extends_nothing_is_complete() {
    assert_eq!(dialect("hapi.toml", &[("hapi.toml", HAPI)]).title, "HAPI FHIR JPA, and servers built on it");
}

/// What is wrong, what is written, the line, and words of what is said.
type Case = (&'static str, &'static str, usize, &'static [&'static str]);

const OF_SHAPE: &[Case] = &[
    (
        "an unknown key",
        "[kick-off]\n\nprefre = \"x\"",
        5,
        &["`prefre` is no key of [kick-off]", "did you mean `prefer`?"],
    ),
    ("an unknown key of a dialect", "kick_off = 1", 3, &["no key of a dialect", "did you mean `kick-off`?", "`poll`"]),
    (
        "an unknown key that is taken away",
        "[kick-off]\nprefre = false",
        4,
        &["`prefre` is no key of [kick-off]", "did you mean `prefer`?"],
    ),
    ("an unknown table that is taken away", "kickoff = false", 3, &["did you mean `kick-off`?"]),
    ("no rules", "[poll]\nrules = []", 4, &["`poll.rules` is empty"]),
    ("an unknown table", "[kickoff]\nurl = \"x\"", 3, &["did you mean `kick-off`?"]),
    (
        "an unknown key of an item",
        "[poll]\nrules = [\n  { status = 202, means = \"running\" },\n  { statsu = 200, means = \"ended\" },\n]",
        6,
        &["`statsu` is no key of an item of `poll.rules`", "did you mean `status`?", "`confirm`"],
    ),
    ("a key unlike any", "[cancel]\nzzz = 1", 4, &["`zzz` is no key of [cancel]; there are", "`advice`"]),
    (
        "an unknown word",
        "[cancel]\nshape = \"delet\"",
        4,
        &["cannot be \"delet\"", "did you mean `delete`?", "`post`, `none`"],
    ),
    (
        "an unknown word of an item",
        "[poll]\nrules = [\n{ status = 1, means = \"done\" },\n]",
        5,
        &["`poll.rules.means`"],
    ),
    ("a word that needs more", "[kick-off]\nhandle = \"member\"", 4, &["`{ member = … }`"]),
    (
        "an unknown word with more",
        "[kick-off]\nhandle = { memer = \"id\" }",
        4,
        &["\"memer\"", "did you mean `member`?"],
    ),
    ("a list as a word", "[kick-off]\nhandle = [1]", 4, &["is a list", "one of `content-location`, `member`"]),
    ("a number as a text", "[poll]\naccept = 1", 4, &["`poll.accept` is the number 1", "a text, in quotes"]),
    ("a text as a list", "[inputs]\nschemes = \"https\"", 4, &["the text \"https\"", "a list, in brackets"]),
    ("a text as a number", "[inputs]\nper-job = \"many\"", 4, &["a whole number"]),
    ("a number that is too large", "[kick-off]\naccepted = [\n  202,\n  70000,\n]", 6, &["70000", "65535"]),
    ("a text as a table", "recovery = \"list\"", 3, &["a table with", "`class`"]),
    ("a list as a table", "[[poll]]\naccept = \"x\"", 3, &["a table with"]),
    ("a negative number", "[verify]\nattempts = -1", 4, &["-1", "not negative"]),
    ("no TOML", "name = ", 3, &[]),
    ("a key twice", "[poll]\naccept = \"a\"\naccept = \"b\"", 5, &["duplicate"]),
    ("a date", "[poll]\naccept = 2026-11-23", 4, &["a date", "in quotes"]),
    ("a number that is none", "[kick-off.body]\nx = nan", 4, &["as a text"]),
];

const OF_MEANING: &[Case] = &[
    (
        "a key that is taken away",
        "[poll]\naccept = false",
        4,
        &["`accept` of [poll] is taken away", "cannot be left out"],
    ),
    ("a key of an item that is missing", "[poll]\nrules = [\n\n{ status = 1 },\n]", 6, &["needs a key `means`"]),
    (
        "an unknown variable",
        "[kick-off]\nbody = { u = \"${inputs.url}\" }",
        4,
        &["`inputs.url`", "did you mean `input.url`?"],
    ),
    ("an unknown variable in a URL", "[kick-off]\n\n\nurl = \"${bse.origin}/x\"", 6, &["did you mean `base.origin`?"]),
    (
        "an unknown condition",
        "[kick-off.body]\na = { \"$if\" = \"input.etga\", \"$value\" = 1 }",
        4,
        &["did you mean `input.etag`?"],
    ),
    ("a variable of one input outside", "[kick-off]\nbody = { u = \"${input.url}\" }", 4, &["\"$each\" = \"input\""]),
    ("a handle before there is one", "[kick-off]\nbody = [\n\"${job.handle}\"]", 5, &["${job.id} is the caller's"]),
    ("a setting that is not described", "[kick-off]\nurl = \"${set.tenant}/x\"", 4, &["[settings.tenant]", "`about`"]),
    (
        "a setting of another name",
        "[settings.tenant]\nabout = \"x\"\n[kick-off]\nurl = \"${set.tennant}/x\"",
        6,
        &["did you mean `tenant`?"],
    ),
    ("a brace that is not closed", "[kick-off]\nurl = \"${base.origin/x\"", 4, &["not closed"]),
    ("a misspelt word of templates", "[kick-off.body]\nx = { \"$fi\" = \"set.x\" }", 4, &["did you mean `$if`?"]),
    ("a repetition of something else", "[kick-off]\nbody = [{ \"$each\" = \"file\" }]", 4, &["\"input\""]),
    ("no status that means accepted", "[kick-off]\n\naccepted = []", 5, &["names no status"]),
    ("a list that is not described", "[recovery]\n\nclass = \"list\"", 5, &["[recovery.list]"]),
    ("a cancel without its URL", "[cancel]\nshape = \"post\"", 4, &["`cancel.url`"]),
    ("a document that is not described", "[kick-off.body]\nu = \"${document.url}\"", 4, &["[document]"]),
];

const OF_EXTENDS: &[Case] = &[
    ("an unknown name", "extends = \"hapy\"", 1, &["not built in", "did you mean `hapi`?", ".toml"]),
    ("no name", "\nextends = 1", 2, &["is a text"]),
    (
        "a file that is not there",
        "name = \"x\"\nextends = \"other.toml\"",
        2,
        &["etc/other.toml", "the folder of the file"],
    ),
    ("itself", "extends = \"./ours.toml\"", 1, &["comes back", "etc/ours.toml extends etc/ours.toml"]),
    ("nothing", "name = \"ours\"", 1, &["a dialect needs a key `title`", "extends = \"NAME\""]),
    ("nothing, and half a table", "\n[kick-off]\nurl = \"x\"", 2, &["[kick-off] needs a key `content-type`"]),
];

fn check(what: &str, text: &str, line: usize, words: &[&str]) {
    let error = read("etc/ours.toml", &[("etc/ours.toml", text)]).expect_err(what);
    let said = error.to_string();
    assert!(said.starts_with(&format!("etc/ours.toml:{line}: ")), "{what}: {said}");
    for word in words {
        assert!(said.contains(word), "{what}: {word:?} is not said: {said}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line_what_was_expected_and_what_to_try() {
    for (what, text, line, words) in OF_SHAPE.iter().chain(OF_MEANING) {
        check(what, &format!("extends = \"hapi\"\n\n{text}\n"), *line, words);
    }
    for (what, text, line, words) in OF_EXTENDS {
        check(what, text, *line, words);
    }
}

#[test]
fn files_that_extend_each_other_are_named_one_by_one() {
    let files = [
        ("a.toml", "extends = \"x/b.toml\""),
        ("x/b.toml", "\nextends = \"c.toml\""),
        ("x/c.toml", "\n\nextends = \"../x/b.toml\""),
    ];
    let said = read("a.toml", &files).unwrap_err().to_string();
    assert!(said.starts_with("x/c.toml:3: "), "{said}");
    assert!(said.contains("x/b.toml extends x/c.toml extends x/b.toml"), "{said}");
}

#[test]
fn a_mistake_is_where_it_was_made_also_in_a_file_that_is_extended() {
    let base = "extends = \"hapi\"\n\n[poll]\nacept = \"x\"\naccept = \"y\"\n";
    let files = [("ours.toml", "extends = \"base.toml\"\n[poll]\nsource = \"z\"\n"), ("base.toml", base)];
    assert!(read("ours.toml", &files).unwrap_err().to_string().starts_with("base.toml:4: "));
    let files =
        [("ours.toml", "extends = \"base.toml\"\n[poll]\naccept = 1\n"), ("base.toml", &base.replace("acept", "url"))];
    assert!(read("ours.toml", &files).unwrap_err().to_string().starts_with("ours.toml:3: "));
}

#[test]
fn a_chain_without_an_end_is_noticed() {
    let beside = |_: &Path| Ok("extends = \"x/ours.toml\"".to_owned());
    let error = read_dialect("ours.toml", "extends = \"x/ours.toml\"", &builtin(), &beside).unwrap_err();
    assert!(error.message.contains("more than 16 files"), "{error}");
}
