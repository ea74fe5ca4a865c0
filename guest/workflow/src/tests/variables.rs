//! The list of variables and what fills them are the same.

use serde_json::json;

use super::{BASE, dialect, named};
use crate::plan::Plan;
use crate::template::{TemplateError, VARIABLES};

#[test]
fn every_variable_of_the_list_can_be_filled_and_no_other() {
    let hapi = dialect("hapi");
    let mut request = named("hapi");
    request.documents_url = Some(BASE.to_owned());
    let plan = Plan::new(request, &[serde_json::to_string(&hapi).unwrap()]).unwrap();
    let mut job = plan.job(&hapi, 0);
    job.handle = Some("1");
    let fill = |name: &str| job.fill(&json!([{ "$each": "input", "is": format!("${{{name}}}") }]));
    for name in VARIABLES.into_iter().chain(["base.up1"]) {
        assert!(fill(name).is_ok(), "{name}: {:?}", fill(name));
    }
    for name in ["inputs.url", "input", "job", "import.name", "base.down"] {
        assert_eq!(fill(name), Err(TemplateError::UnknownVariable(name.to_owned())));
    }
}
