//! Obelisk's real server, which is worker and engine at once: whoever starts a worker starts it. `cargo xtask obelisk`
//! installs it.

use std::path::Path;

use serde_json::json;

use crate::harness::cli::{program, target};
use crate::harness::engine::EngineServer;
use crate::harness::restate::free_port;

const SERVER: &str = "engines/obelisk/bin/obelisk";

/// What the adapter's command is to know: nothing runs yet.
pub(crate) fn place(home: &Path) -> EngineServer {
    let server = target().join(SERVER);
    assert!(server.is_file(), "{} is not installed; run: cargo xtask obelisk", server.display());
    let address = json!({
        "obelisk": server,
        "deployment": program("fhir-import-obelisk"),
        "api": format!("127.0.0.1:{}", free_port()),
        "folder": home,
    });
    let again = |_| unreachable!("whoever starts a worker starts it");
    EngineServer { processes: Vec::new(), address: address.to_string(), again: Box::new(again) }
}
