//! The arrows between the rooms (docs/architecture.md): who may depend on whom, and on what from outside.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{House, Verdict};

/// What a package may depend on.
struct Room {
    package: &'static str,
    /// Packages of this workspace.
    inside: &'static [&'static str],
    /// Packages from outside.
    outside: Outside,
}

enum Outside {
    /// These and no others; the second list is for build scripts.
    Closed(&'static [&'static str], &'static [&'static str]),
    /// Whatever the root `Cargo.toml` gives a reason for.
    Open,
}

use Outside::{Closed, Open};

/// `fhir-import` is the package of host/runtime.
const ROOMS: &[Room] = &[
    Room {
        package: "fhir-import-records",
        inside: &[],
        outside: Closed(&["memchr", "serde", "serde_json", "simdutf8"], &[]),
    },
    Room {
        package: "fhir-import-workflow",
        inside: &["fhir-import-records"],
        outside: Closed(&["httpdate", "serde", "serde_json"], &[]),
    },
    Room {
        package: "fhir-import-dialects",
        inside: &["fhir-import-workflow"],
        outside: Closed(&["lz4_flex"], &["lz4_flex", "serde_json", "toml"]),
    },
    Room {
        package: "fhir-import-importer-component",
        inside: &["fhir-import-dialects", "fhir-import-records", "fhir-import-workflow"],
        outside: Closed(&["serde_json", "wasi", "wit-bindgen"], &[]),
    },
    Room {
        package: "fhir-import-records-component",
        inside: &["fhir-import-records"],
        outside: Closed(&["wit-bindgen"], &[]),
    },
    // Only build scripts use it.
    Room {
        package: "fhir-import-guest-build",
        inside: &[],
        outside: Closed(&["anyhow", "indexmap", "serde", "wasmparser", "wit-component"], &[]),
    },
    // Of the guest only the schema of dialects, for an operator's own file, and what hides patients, for transcripts; the
    // guest itself is loaded as bytes.
    Room {
        package: "fhir-import",
        inside: &["fhir-import-guest-build", "fhir-import-records", "fhir-import-workflow"],
        outside: Open,
    },
    // Of the guest only the schema of dialects: what it shows.
    Room { package: "fhir-import-pages", inside: &["fhir-import-workflow"], outside: Closed(&["serde_json"], &[]) },
    // Of the records only the sentences of the findings.
    Room {
        package: "fhir-import-cli",
        inside: &["fhir-import", "fhir-import-pages", "fhir-import-records", "fhir-import-sandbox"],
        outside: Open,
    },
    // An adapter holds no rule of an import: it sees the host's library, as any embedder does.
    Room {
        package: "fhir-import-obelisk",
        inside: &["fhir-import", "fhir-import-guest-build"],
        outside: Closed(&["anyhow"], &[]),
    },
    Room { package: "fhir-import-obelisk-workflow", inside: &[], outside: Closed(&["wit-bindgen"], &[]) },
    Room { package: "fhir-import-python", inside: &["fhir-import"], outside: Open },
    Room { package: "fhir-import-restate", inside: &["fhir-import"], outside: Open },
    Room { package: "fhir-import-temporal", inside: &["fhir-import"], outside: Open },
    // Written from evidence: with the client's tables it would share the client's mistakes.
    Room { package: "fhir-import-sandbox", inside: &[], outside: Open },
    Room { package: "fhir-import-examples", inside: &["fhir-import"], outside: Open },
    Room {
        package: "fhir-import-tests",
        inside: &[
            "fhir-import",
            "fhir-import-dialects",
            "fhir-import-obelisk",
            "fhir-import-records",
            "fhir-import-sandbox",
            "fhir-import-simulation",
            "fhir-import-workflow",
        ],
        outside: Open,
    },
    // Compiles the decisions in, to compare them with the component.
    Room {
        package: "fhir-import-simulation",
        inside: &[
            "fhir-import",
            "fhir-import-dialects",
            "fhir-import-records",
            "fhir-import-sandbox",
            "fhir-import-workflow",
        ],
        outside: Open,
    },
    Room {
        package: "xtask",
        inside: &["fhir-import-dialects", "fhir-import-pages", "fhir-import-records", "fhir-import-workflow"],
        outside: Closed(&["anyhow", "serde_json"], &[]),
    },
];

/// Every arrow is in the table, and every package obeys the workspace's lints.
pub fn layers(house: &House<'_>) -> Result<Verdict> {
    let packages = &house.workspace.packages;
    let mut faults = Vec::new();
    let mut arrows = 0;
    for package in packages {
        let name = text(package, "name")?;
        let Some(room) = ROOMS.iter().find(|room| room.package == name) else {
            faults.push(format!("{name} has no row in the table of rooms ({})", file!()));
            continue;
        };
        let dependencies = package["dependencies"].as_array().context("a package lists its dependencies")?;
        arrows += dependencies.len();
        for dependency in dependencies {
            faults.extend(forbidden(room, dependency)?);
        }
        faults.extend(unlinted(package)?);
    }
    for room in ROOMS.iter().filter(|room| !packages.iter().any(|package| package["name"] == room.package)) {
        faults.push(format!("the table of rooms ({}) names {}, which does not exist", file!(), room.package));
    }
    Ok(Verdict { seen: format!("{arrows} arrows of {} packages", packages.len()), faults })
}

fn forbidden(room: &Room, dependency: &Value) -> Result<Option<String>> {
    let name = text(dependency, "name")?;
    // A workspace member is a dependency with a path.
    let inside = dependency["path"].is_string();
    let allowed = match (inside, &room.outside, dependency["kind"].as_str()) {
        (true, _, _) => room.inside.contains(&name),
        (false, Open, _) | (false, Closed(..), Some("dev")) => true,
        (false, Closed(normal, _), None) => normal.contains(&name),
        (false, Closed(_, build), Some("build")) => build.contains(&name),
        (false, Closed(..), Some(kind)) => bail!("{} depends on {name} in an unknown way: {kind}", room.package),
    };
    let why = if inside { "the arrow is not in the table of rooms" } else { "its list of outside crates is closed" };
    Ok((!allowed).then(|| format!("{} -> {name}: {why} ({})", room.package, file!())))
}

/// `cargo metadata` does not say it, so the manifest is read.
fn unlinted(package: &Value) -> Result<Option<String>> {
    let path = text(package, "manifest_path")?;
    let manifest = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let mut section = manifest.lines().skip_while(|line| line.trim() != "[lints]").skip(1);
    let inherits = section.find(|line| !line.trim().is_empty()).is_some_and(|line| line.trim() == "workspace = true");
    Ok((!inherits).then(|| format!("{}: [lints] workspace = true is missing", package["name"])))
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("cargo metadata has no {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn room(package: &str) -> &'static Room {
        ROOMS.iter().find(|room| room.package == package).unwrap()
    }

    #[test]
    fn a_fault_names_the_arrow() {
        let arrow = json!({ "name": "fhir-import-dialects", "path": "guest/dialects", "kind": "dev" });
        let fault = forbidden(room("fhir-import-sandbox"), &arrow).unwrap().unwrap();
        assert!(fault.starts_with("fhir-import-sandbox -> fhir-import-dialects: "), "{fault}");
    }

    #[test]
    fn the_guest_takes_from_outside_what_is_listed_and_anything_for_its_tests() {
        let regex = |kind: Value| json!({ "name": "regex", "kind": kind });
        let records = room("fhir-import-records");
        assert!(forbidden(records, &regex(Value::Null)).unwrap().is_some());
        assert!(forbidden(records, &regex(json!("build"))).unwrap().is_some());
        assert!(forbidden(records, &regex(json!("dev"))).unwrap().is_none());
        assert!(forbidden(room("fhir-import-cli"), &regex(Value::Null)).unwrap().is_none());
    }
}
