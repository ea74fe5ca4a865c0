//! The servers that can be practised on. Each personality is a file of its own with its routes and its manners.

mod aidbox;
mod bulk_submit;
mod google;
mod hapi;
mod healthlake;
mod ibm;
mod microsoft;
mod octofhir;
mod onfhir;
mod pathling;
mod sazare;
mod smart_manifest;
mod smart_pnp;
mod uds_plus;

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
    /// Aidbox with `/fhir/$import`, as documented.
    Aidbox,
    /// Aidbox with `/v2/fhir/$import`, as documented.
    AidboxV2,
    /// HL7 Bulk Data 4.0.0-ballot, `$bulk-submit`, with the words of Helios FHIR Server.
    BulkSubmit,
    /// The draft before it, as the test servers of SMART and of deqm have it.
    BulkSubmitArgonaut,
    /// Google Cloud Healthcare, `fhirStores.import`, as documented.
    Google,
    /// HAPI FHIR JPA 8.8.0 with its bulk import switched on, as recorded from a running one.
    Hapi,
    /// AWS HealthLake, `StartFHIRImportJob`, as documented.
    Healthlake,
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
    /// The reference server of the SMART "Ping and Pull" draft, with a finished export.
    SmartPnp,
    /// Smile CDR: HAPI under another name, as documented.
    Smile,
    /// The receiver of UDS+ submissions, as its implementation guide describes it.
    UdsPlus,
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
    pub const ALL: [Self; 18] = [
        Self::Aidbox,
        Self::AidboxV2,
        Self::BulkSubmit,
        Self::BulkSubmitArgonaut,
        Self::Google,
        Self::Hapi,
        Self::Healthlake,
        Self::Ibm,
        Self::Microsoft,
        Self::Octofhir,
        Self::Onfhir,
        Self::Pathling,
        Self::Pathling7,
        Self::Sazare,
        Self::SmartManifest,
        Self::SmartPnp,
        Self::Smile,
        Self::UdsPlus,
    ];

    /// A server for each other way to find a job again after a lost answer.
    const FICTIONAL: [Self; 3] = [Self::SameBytes, Self::CallerKey, Self::Listed];

    /// Every personality: the real servers, and the fictional ones.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::FICTIONAL)
    }

    /// The name to type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aidbox => "aidbox",
            Self::AidboxV2 => "aidbox-v2",
            Self::BulkSubmit => "bulk-submit",
            Self::BulkSubmitArgonaut => "bulk-submit-argonaut",
            Self::Google => "google",
            Self::Hapi => "hapi",
            Self::Healthlake => "healthlake",
            Self::Microsoft => "microsoft",
            Self::Ibm => "ibm",
            Self::Octofhir => "octofhir",
            Self::Onfhir => "onfhir",
            Self::Sazare => "sazare",
            Self::Pathling => "pathling",
            Self::Pathling7 => "pathling-7",
            Self::SmartManifest => "smart-manifest",
            Self::SmartPnp => "smart-pnp",
            Self::Smile => "smile",
            Self::UdsPlus => "uds-plus",
            Self::SameBytes => "same-bytes",
            Self::CallerKey => "caller-key",
            Self::Listed => "listed",
        }
    }

    /// The path of the FHIR base behind the host, without a slash at its end.
    pub(crate) fn root(self) -> &'static str {
        match self {
            Self::Google => google::ROOT,
            Self::Healthlake => healthlake::ROOT,
            Self::Ibm => "/fhir-server/api/v4",
            Self::Sazare => "",
            _ => "/fhir",
        }
    }

    /// Everything the server answers.
    pub(crate) fn open(self, server: &Arc<Server>) -> Opened {
        match self {
            Self::Aidbox => aidbox::open(server, aidbox::Edition::V1),
            Self::AidboxV2 => aidbox::open(server, aidbox::Edition::V2),
            Self::BulkSubmit => bulk_submit::open(server, bulk_submit::Flavour::Stu4),
            Self::BulkSubmitArgonaut => bulk_submit::open(server, bulk_submit::Flavour::Argonaut),
            Self::Google => google::open(server),
            Self::Healthlake => healthlake::open(server),
            Self::Hapi => hapi::open(server, hapi::Brand::Hapi),
            Self::Microsoft => microsoft::open(server),
            Self::Ibm => ibm::open(server),
            Self::Octofhir => octofhir::open(server),
            Self::Onfhir => onfhir::open(server),
            Self::Sazare => sazare::open(server),
            Self::Pathling => pathling::open(server, Edition::Newer),
            Self::Pathling7 => pathling::open(server, Edition::Seven),
            Self::SmartManifest => smart_manifest::open(server, Registration::EveryKickOff),
            Self::SmartPnp => smart_pnp::open(server),
            Self::Smile => hapi::open(server, hapi::Brand::SmileCdr),
            Self::UdsPlus => uds_plus::open(server),
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
        let found = Self::every().find(|personality| personality.name() == name);
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
        for personality in Personality::every() {
            assert_eq!(personality.name().parse(), Ok(personality));
        }
        let error = "hapy".parse::<Personality>().unwrap_err();
        let known = Personality::ALL.map(Personality::name).join(", ");
        assert_eq!(error.to_string(), format!(r#"no practice server is called "hapy"; there are {known}"#));
    }

    #[test]
    fn the_real_servers_are_in_the_order_of_their_names_and_none_is_missing() {
        assert!(Personality::ALL.map(Personality::name).is_sorted());
    }
}
