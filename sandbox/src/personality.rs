//! The servers that can be practised on. Each personality is a file of its own with its routes and its manners.

mod hapi;
mod smart_manifest;

use crate::server::Server;
use axum::Router;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A server to behave like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Personality {
    /// HAPI FHIR JPA 8.8.0 with its bulk import switched on, as recorded from a running one.
    Hapi,
    /// A server that follows the SMART "Bulk Data Import, manifest approach" draft to the letter.
    SmartManifest,
}

impl Personality {
    /// Every personality, in the order of their names.
    pub const ALL: [Self; 2] = [Self::Hapi, Self::SmartManifest];

    /// The name to type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hapi => "hapi",
            Self::SmartManifest => "smart-manifest",
        }
    }

    /// Everything the server answers, relative to its base.
    pub(crate) fn routes(self, server: &Arc<Server>) -> Router {
        match self {
            Self::Hapi => hapi::routes(server),
            Self::SmartManifest => smart_manifest::routes(server),
        }
    }
}

impl fmt::Display for Personality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Personality {
    type Err = UnknownPersonality;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|personality| personality.name() == name);
        found.ok_or_else(|| UnknownPersonality(name.to_owned()))
    }
}

/// A name that is no personality's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownPersonality(String);

impl fmt::Display for UnknownPersonality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Personality::ALL.map(Personality::name).join(", ");
        write!(f, "no practice server is called {:?}; there are {known}", self.0)
    }
}

impl std::error::Error for UnknownPersonality {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_personality_is_found_by_its_name() {
        for personality in Personality::ALL {
            assert_eq!(personality.name().parse(), Ok(personality));
        }
        let error = "hapy".parse::<Personality>().unwrap_err();
        assert_eq!(error.to_string(), r#"no practice server is called "hapy"; there are hapi, smart-manifest"#);
    }
}
