//! Which practice servers are imported to.

use fhir_import_sandbox::Personality;

/// Servers that fetch over plain HTTP and are told nothing but URLs: what can be imported to with nothing but a file.
pub(crate) const PLAIN: [Personality; 5] = [
    Personality::Hapi,
    Personality::SmartManifest,
    Personality::SameBytes,
    Personality::CallerKey,
    Personality::Listed,
];

/// Of these, the two whose dialects are built in.
pub(crate) const FIRST: [Personality; 2] = [Personality::Hapi, Personality::SmartManifest];
