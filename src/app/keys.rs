//! The file of the keys of tokens.

use std::path::Path;

use anyhow::Context;

use super::world::random;
use crate::disk;
use crate::services::Tokens;

/// Reads the keys.
pub fn load(path: &Path) -> anyhow::Result<Tokens> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading the key of the tokens from {}", path.display()))?;
    Tokens::from_text(&text).with_context(|| {
        format!("in {}: restore it, or delete it and everybody logs in anew", path.display())
    })
}

/// Reads the keys, after making one where there is none.
pub fn load_or_make(path: &Path) -> anyhow::Result<Tokens> {
    if !path.exists() {
        let line = Tokens::key_line(&random()?);
        disk::write_secret(path, line.as_bytes())
            .with_context(|| format!("writing {}", path.display()))?;
    }
    load(path)
}
