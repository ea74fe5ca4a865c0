//! From the contract's types to the decisions' types.

use fhir_import_workflow::request::{DialectChoice, Expected, Input, Policy, Purpose, Request, Sample};
use fhir_import_workflow::transition::Decision;

use crate::bindings::exports::fhir_import::workflow::importer as wit;
use crate::bindings::exports::fhir_import::workflow::types;

/// A request.
pub fn request(request: wit::Request) -> Request {
    Request {
        id: request.id,
        time_ms: request.time_ms,
        purpose: purpose(request.purpose),
        base_url: request.base_url,
        dialect: choice(request.dialect),
        inputs: request.inputs.into_iter().map(input).collect(),
        samples: request.samples.into_iter().map(sample).collect(),
        expected: request.expected.into_iter().map(expected).collect(),
        settings: request.settings,
        documents_url: request.documents_url,
        policy: policy(&request.policy),
    }
}

/// A decision.
pub fn decision(decision: wit::Decision) -> Decision {
    match decision {
        wit::Decision::Adopt(url) => Decision::Adopt(url),
        wit::Decision::Resubmit => Decision::Resubmit,
        wit::Decision::Extend(ms) => Decision::Extend(ms),
        wit::Decision::Cancel => Decision::Cancel,
        wit::Decision::ForceCancel => Decision::ForceCancel,
        wit::Decision::GiveUp => Decision::GiveUp,
        wit::Decision::Continue => Decision::Continue,
    }
}

fn purpose(purpose: types::Purpose) -> Purpose {
    match purpose {
        types::Purpose::Import => Purpose::Import,
        types::Purpose::Detect => Purpose::Detect,
        types::Purpose::Verify => Purpose::Verify,
    }
}

fn choice(choice: types::DialectChoice) -> DialectChoice {
    match choice {
        types::DialectChoice::Detect => DialectChoice::Detect,
        types::DialectChoice::Named(name) => DialectChoice::Named(name),
        types::DialectChoice::Defined(json) => DialectChoice::Defined(json),
    }
}

fn input(input: types::Input) -> Input {
    Input { url: input.url, resource_type: input.resource_type, resources: input.resources, etag: input.etag }
}

fn sample(sample: types::Sample) -> Sample {
    Sample { reference: sample.reference, fingerprint: sample.fingerprint }
}

fn expected(expected: types::ExpectedCount) -> Expected {
    Expected {
        resource_type: expected.resource_type,
        resources: expected.resources,
        distinct_ids: expected.distinct_ids,
    }
}

fn policy(policy: &types::Policy) -> Policy {
    Policy { poll_max_ms: policy.poll_max_ms, deadline_ms: policy.deadline_ms, max_errors: policy.max_errors }
}
