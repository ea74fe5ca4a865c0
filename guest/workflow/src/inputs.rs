//! What a dialect asks of inputs: refused with the way out, or adapted where that is safe, before anything is sent.

use std::collections::BTreeSet;

use crate::dialect::{Caution, Delivery, Dialect, Order, Permission, Rule};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::report::Ending;
use crate::request::Input;
use crate::url;

/// Types that others refer to, each after those that it refers to itself.
const FIRST: [&str; 12] = [
    "Organization",
    "Location",
    "Practitioner",
    "PractitionerRole",
    "Patient",
    "RelatedPerson",
    "Device",
    "Substance",
    "Medication",
    "EpisodeOfCare",
    "Encounter",
    "Condition",
];

/// Types that refer to many others, each after those that it refers to itself.
const LAST: [&str; 9] = [
    "DiagnosticReport",
    "CareTeam",
    "CarePlan",
    "Claim",
    "ClaimResponse",
    "ExplanationOfBenefit",
    "DocumentReference",
    "Composition",
    "Provenance",
];

/// The inputs in the order in which the server is told of them.
pub fn in_order<'a>(dialect: &Dialect, inputs: &'a [Input]) -> Vec<&'a Input> {
    match dialect.inputs.order {
        Order::Given => inputs.iter().collect(),
        Order::TargetsFirst => targets_first(inputs),
    }
}

/// Each rank in turn: a sort from the standard library would be 4 kB of the component.
fn targets_first(inputs: &[Input]) -> Vec<&Input> {
    let ranked: Vec<_> = inputs.iter().map(|input| (rank(&input.resource_type), input)).collect();
    let of = |wanted: usize| ranked.iter().filter(move |(rank, _)| *rank == wanted).map(|(_, input)| *input);
    (0..=FIRST.len() + LAST.len()).flat_map(of).collect()
}

fn rank(kind: &str) -> usize {
    let place = |list: &[&str]| list.iter().position(|other| *other == kind);
    let last = || place(&LAST).map(|at| FIRST.len() + 1 + at);
    place(&FIRST).or_else(last).unwrap_or(FIRST.len())
}

/// What this server would not take, or take for something else.
pub fn problem(plan: &Plan, dialect: &Dialect) -> Option<Ending> {
    let rules = &dialect.inputs;
    if rules.most.is_some_and(|most| plan.inputs.len() > most as usize) {
        let what = format!("There are {} files; this server takes {} in one import.", plan.inputs.len(), rules.most?);
        return Some(refusal(what, "Join files of the same type, or import them in parts."));
    }
    let mut seen = BTreeSet::new();
    let schemes = scheme_problem(plan, dialect);
    schemes.or_else(|| {
        plan.inputs.iter().find_map(|input| {
            let again = !seen.insert(input.url.as_str());
            one(dialect, input).or_else(|| {
                let what = format!("The file {} is named twice.", url::redact(&input.url));
                (again && rules.repeated == Permission::Refused).then(|| refusal(what, "Name each file once."))
            })
        })
    })
}

fn one(dialect: &Dialect, input: &Input) -> Option<Ending> {
    let rules = &dialect.inputs;
    let shown = url::redact(&input.url);
    if rules.query == Permission::Refused && input.url.contains('?') {
        let advice =
            "Give the server itself access to the store, and the URL without its query (a signature, for example).";
        return Some(refusal(format!("This server does not fetch URLs with a query: {shown}."), advice));
    }
    if rules.plus == Permission::Refused && input.url.contains('+') {
        let advice = "Rename the file, or write %2B where the name has a plus.";
        return Some(refusal(format!("This server reads a + in a URL as a space: {shown}."), advice));
    }
    let etag_missing = rules.without_etag == Rule::Refused && input.etag.is_none();
    etag_missing.then(|| {
        let advice = "Give it behind the URL: URL#etag=VALUE.";
        refusal(format!("This server wants the entity tag (ETag) of each file, and {shown} has none."), advice)
    })
}

/// All schemes that the server does not fetch, each once.
fn scheme_problem(plan: &Plan, dialect: &Dialect) -> Option<Ending> {
    let rules = &dialect.inputs;
    let mut wrong: Vec<String> = Vec::new();
    for input in plan.inputs.iter().filter(|_| !matches!(rules.delivery, Delivery::Upload(_))) {
        let scheme = url::scheme(&input.url);
        let named = if scheme.is_empty() { "names without a scheme".to_owned() } else { format!("{scheme} URLs") };
        if !rules.schemes.contains(&scheme) && !wrong.contains(&named) {
            wrong.push(named);
        }
    }
    let taken: Vec<&str> = rules.schemes.iter().map(|s| if s.is_empty() { "store:NAME" } else { s }).collect();
    let advice = format!("Put the files where it can fetch them: {}.", taken.join(", "));
    (!wrong.is_empty()).then(|| refusal(format!("This server does not fetch {}.", wrong.join(" and ")), &advice))
}

fn refusal(what: String, advice: &str) -> Ending {
    Ending::new(Outcome::InputInvalid, what, advice)
}

/// What the operator should know of these inputs on this server, a sentence a piece.
pub fn told(plan: &Plan, dialect: &Dialect) -> Vec<String> {
    let rules = &dialect.inputs;
    let mut lines = Vec::new();
    if rules.without_etag == Rule::Told && plan.inputs.iter().any(|input| input.etag.is_none()) {
        lines.push(
            "a file without its entity tag (URL#etag=VALUE) is imported as it is when the server reads it, and after a change \
             of its content this server takes the same URL for the same import"
                .to_owned(),
        );
    }
    if rules.fetches > 1 && plan.inputs.iter().any(|input| input.url.contains('?')) {
        lines.push(format!("the server fetches each file {} times: a signed URL must allow that", rules.fetches));
    }
    if rules.conditional_references == Caution::Told {
        lines.push(
            "the server does not resolve references that are searches (`fhir-import check` finds them)".to_owned(),
        );
    }
    if rules.delivery == Delivery::Folder && plan.inputs.len() > 1 {
        lines.push("the server is told the folder of the files, and imports all that is in it".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_come_before_those_that_refer_to_them() {
        let kinds = ["Provenance", "Observation", "Encounter", "Claim", "Patient", "Organization", "Immunization"];
        let input =
            |kind: &str| Input { url: String::new(), resource_type: kind.to_owned(), resources: None, etag: None };
        let inputs = kinds.map(input);
        let ordered: Vec<_> = targets_first(&inputs).into_iter().map(|input| input.resource_type.as_str()).collect();
        assert_eq!(
            ordered,
            ["Organization", "Patient", "Encounter", "Observation", "Immunization", "Claim", "Provenance"]
        );
    }
}
