//! Random bits from the operating system.

use rustls::crypto::aws_lc_rs;

use super::RunError;

/// 128 random bits.
pub(super) fn bits() -> Result<[u8; 16], RunError> {
    let mut bytes = [0; 16];
    aws_lc_rs::default_provider().secure_random.fill(&mut bytes).map_err(|_| RunError::NoRandomness)?;
    Ok(bytes)
}

/// An import's id: 32 lower-case hex digits.
pub(super) fn id() -> Result<String, RunError> {
    Ok(format!("{:032x}", u128::from_be_bytes(bits()?)))
}
