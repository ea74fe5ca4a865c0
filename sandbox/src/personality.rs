//! The servers that can be practised on. Each personality is a file of its own with its routes and its manners.

mod hapi;
mod ibm;
mod microsoft;
mod octofhir;
mod onfhir;
mod pathling;
mod sazare;
mod smart_manifest;

use crate::server::Server;
use axum::Router;
use pathling::Edition;
use smart_manifest::Registration;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A server to behave like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Personality {
    /// HAPI FHIR JPA 8.8.0 with its bulk import switched on, as recorded from a running one.
    Hapi,
    /// Microsoft FHIR Server (open source, SQL), from its source.
    Microsoft,
    /// IBM FHIR Server, later LinuxForHealth FHIR Server, from its source.
    Ibm,
    /// `OctoFHIR` at 7eccf11b, as recorded from a running one.
    Octofhir,
    /// onFHIR, from its source.
    Onfhir,
    /// sazare 0.6.6, as recorded from a running one.
    Sazare,
    /// Pathling from 8 on, from its source.
    Pathling,
    /// Pathling 7.2.0, as recorded from a running one.
    Pathling7,
    /// A server that follows the SMART "Bulk Data Import, manifest approach" draft to the letter.
    SmartManifest,
    /// As [`Personality::SmartManifest`], but a kick-off with the bytes of a known one is that job, as with the
    /// servers of Microsoft and CSIRO (Pathling). A test dialect.
    SameBytes,
    /// As [`Personality::SmartManifest`], but the caller names each job, and a name is good for one, as with Aidbox
    /// v2. A test dialect.
    CallerKey,
    /// As [`Personality::SmartManifest`], with a list of jobs, as Google has. A test dialect.
    Listed,
}

/// What a server answers.
pub(crate) struct Opened {
    /// Relative to its FHIR base.
    pub(crate) below_base: Router,
    /// Relative to its host: what it has outside of its FHIR base.
    pub(crate) at_root: Router,
    /// Who does at it what no client can.
    pub(crate) desk: Arc<dyn Desk>,
}

impl Opened {
    /// A server that has nothing outside of its FHIR base.
    pub(crate) fn below_base(routes: Router, desk: Arc<dyn Desk>) -> Self {
        Self { below_base: routes, at_root: Router::new(), desk }
    }
}

/// What a test can do at a server that no client can.
pub(crate) trait Desk: Send + Sync {
    /// Enters a job of somebody else. Its status URL.
    fn foreign_job(&self, source: &str) -> String;

    /// Forgets every job.
    fn lose_jobs(&self);
}

impl Personality {
    /// The real servers, in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::Hapi,
        Self::Ibm,
        Self::Microsoft,
        Self::Octofhir,
        Self::Onfhir,
        Self::Pathling,
        Self::Pathling7,
        Self::Sazare,
        Self::SmartManifest,
    ];

    /// Every personality: the real servers, and one for each other way to find a job again after a lost answer.
    pub const EVERY: [Self; 12] = [
        Self::Hapi,
        Self::Ibm,
        Self::Microsoft,
        Self::Octofhir,
        Self::Onfhir,
        Self::Pathling,
        Self::Pathling7,
        Self::Sazare,
        Self::SmartManifest,
        Self::SameBytes,
        Self::CallerKey,
        Self::Listed,
    ];

    /// The name to type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hapi => "hapi",
            Self::Microsoft => "microsoft",
            Self::Ibm => "ibm",
            Self::Octofhir => "octofhir",
            Self::Onfhir => "onfhir",
            Self::Sazare => "sazare",
            Self::Pathling => "pathling",
            Self::Pathling7 => "pathling-7",
            Self::SmartManifest => "smart-manifest",
            Self::SameBytes => "same-bytes",
            Self::CallerKey => "caller-key",
            Self::Listed => "listed",
        }
    }

    /// The path of the FHIR base behind the host, without a slash at its end.
    pub(crate) fn root(self) -> &'static str {
        match self {
            Self::Ibm => "/fhir-server/api/v4",
            Self::Sazare => "",
            _ => "/fhir",
        }
    }

    /// Everything the server answers.
    pub(crate) fn open(self, server: &Arc<Server>) -> Opened {
        match self {
            Self::Hapi => hapi::open(server),
            Self::Microsoft => microsoft::open(server),
            Self::Ibm => ibm::open(server),
            Self::Octofhir => octofhir::open(server),
            Self::Onfhir => onfhir::open(server),
            Self::Sazare => sazare::open(server),
            Self::Pathling => pathling::open(server, Edition::Newer),
            Self::Pathling7 => pathling::open(server, Edition::Seven),
            Self::SmartManifest => smart_manifest::open(server, Registration::EveryKickOff),
            Self::SameBytes => smart_manifest::open(server, Registration::SameBytes),
            Self::CallerKey => smart_manifest::open(server, Registration::CallerKey),
            Self::Listed => smart_manifest::open(server, Registration::Listed),
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
        let found = Self::EVERY.into_iter().find(|personality| personality.name() == name);
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
        for personality in Personality::EVERY {
            assert_eq!(personality.name().parse(), Ok(personality));
        }
        let error = "hapy".parse::<Personality>().unwrap_err().to_string();
        assert!(error.starts_with("no practice server is called \"hapy\"; there are hapi, "), "{error}");
        assert!(Personality::ALL.map(Personality::name).is_sorted());
    }
}
