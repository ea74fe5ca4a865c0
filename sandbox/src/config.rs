//! What a server is told when it starts.

use crate::personality::Personality;
use crate::script::Script;

/// Which server to be, where, and how badly to behave.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server to behave like.
    pub personality: Personality,
    /// The port on 127.0.0.1; 0 takes a free one. Without a socket it only stands in the base URL.
    pub port: u16,
    /// Deviations from an honest, healthy server.
    pub script: Script,
}
