//! From what a person, or a program, asks for to an import that can be driven, and back to it after a crash.
//!
//! [`prepare`] finds, opens and checks the files, serves them, and stores the plan; [`resume`] goes on from what is
//! stored; [`detect`] and [`verify`] make imports that only read. Each gives a [`Run`], which is driven until it is
//! over, paused, or asked to stop:
//!
//! ```no_run
//! use fhir_import::run::{self, Prepared, RunOptions, Server, Setup};
//! use fhir_import::{Engine, Stop};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let setup = Setup::in_folder(Engine::new()?, "state".as_ref())?;
//! let options = RunOptions::new(Server::parse("http://127.0.0.1:8080/fhir")?, ["data".to_owned()]);
//! let run = match run::prepare(&setup, &options, &mut |_| {}).await? {
//!     Prepared::New(run) => *run,
//!     Prepared::Known(known) | Prepared::Unfinished(known) => {
//!         run::resume(&setup, known.import.id, &options.access, known.secrets).await?
//!     }
//! };
//! let end = run.drive(&Stop::default(), &mut |event: &fhir_import::contract::Event| println!("{}", event.text)).await?;
//! # Ok(())
//! # }
//! ```

mod access;
mod beforehand;
mod check;
mod error;
mod host;
mod inputs;
mod notes;
mod options;
mod prepare;
mod publish;
mod random;
mod read_only;
mod resume;
mod server;
mod session;

pub use access::Access;
pub use check::{CheckedFiles, check_files};
pub use error::RunError;
pub use fhir_import_workflow::{Outcome, Retry};
pub use host::needs_files;
pub use inputs::InputSecrets;
pub use notes::{DialectNote, DocumentNote, FileNote, HostNotes, InputNote, ServeNote};
pub use options::{CheckMode, DialectWanted, RunOptions, ServeOptions, Unfinished};
pub use prepare::{Known, Prepared, Progress, prepare};
pub use read_only::{detect, verify};
pub use resume::{Files, resume, resume_with};
pub use server::Server;
pub use session::{Run, Setup};
