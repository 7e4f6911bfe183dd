//! The file of the keys of tokens, which may change while processes use it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;

use super::world::random;
use crate::disk;
use crate::model::AccountId;
use crate::services::{Claims, SessionClaims, TokenError, Tokens};

/// The tokens of a file of keys, as it is now: the first key signs, all verify.
///
/// Looked at before each signature and at each name of a key that is not known, so that no key is
/// signed with that another process could not find; read only where it is another file than
/// before. One that cannot be used is logged, and the keys of before stay.
#[derive(Debug)]
pub struct Keys {
    path: PathBuf,
    read: RwLock<(Option<Stamp>, Arc<Tokens>)>,
}

/// Tells versions of a file apart.
type Stamp = (u64, u64, i64, i64);

impl Keys {
    /// Reads the keys.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let stamp = stamp(path);
        let text = fs::read_to_string(path)
            .with_context(|| format!("reading the key of the tokens from {}", path.display()))?;
        let tokens = Tokens::from_text(&text).with_context(|| {
            format!("in {}: restore it, or delete it and everybody logs in anew", path.display())
        })?;
        let read = RwLock::new((stamp.ok(), Arc::new(tokens)));
        Ok(Self { path: path.to_owned(), read })
    }

    /// Reads the keys, after making one where there is none.
    pub fn load_or_make(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            let line = Tokens::key_line(&random()?);
            disk::write_secret(path, line.as_bytes())
                .with_context(|| format!("writing {}", path.display()))?;
        }
        Self::load(path)
    }

    /// A token with these claims.
    #[must_use]
    pub fn issue(&self, claims: &Claims) -> String {
        self.newest().issue(claims)
    }

    /// As [`Tokens::verify_access`].
    pub fn verify_access(&self, now: u64, token: &str) -> Result<AccountId, TokenError> {
        self.verify(|tokens| tokens.verify_access(now, token))
    }

    /// As [`Tokens::verify_session`].
    pub fn verify_session(&self, now: u64, token: &str) -> Result<SessionClaims, TokenError> {
        self.verify(|tokens| tokens.verify_session(now, token))
    }

    fn verify<T>(
        &self,
        verify: impl Fn(&Tokens) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let (_, known) = self.read.read().unwrap_or_else(PoisonError::into_inner).clone();
        match verify(&known) {
            Err(TokenError::UnknownKey) => verify(&self.newest()),
            verified => verified,
        }
    }

    fn newest(&self) -> Arc<Tokens> {
        let stamp = stamp(&self.path).ok();
        let (before, known) = self.read.read().unwrap_or_else(PoisonError::into_inner).clone();
        if stamp == before {
            return known;
        }
        let tokens = match Self::load(&self.path) {
            Ok(newer) => {
                log::info!("the keys of the tokens were read anew");
                newer.read.into_inner().unwrap_or_else(PoisonError::into_inner).1
            }
            Err(error) => {
                log::error!("{error:#}; the keys of before stay");
                known
            }
        };
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = (stamp, tokens.clone());
        tokens
    }
}

/// Puts a new key in front of those in a file, and keeps so many of the older ones.
pub fn rotate(path: &Path, keep: usize) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Tokens::from_text(&text).with_context(|| format!("in {}", path.display()))?;
    let is_key = |line: &&str| !line.split('#').next().unwrap_or_default().trim().is_empty();
    let mut rotated = Tokens::key_line(&random()?);
    for line in text.lines().filter(is_key).take(keep) {
        rotated = rotated + line + "\n";
    }
    disk::write_secret(path, rotated.as_bytes())
        .with_context(|| format!("writing {}", path.display()))
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let of = |it: Metadata| (it.ino(), it.len(), it.mtime(), it.mtime_nsec());
    fs::metadata(path).map(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::scratch::Scratch;
    use crate::services::Kind;

    const NOW: u64 = 1_700_000_000;

    fn claims() -> Claims {
        Claims { account: AccountId(7), issued: NOW, expires: NOW + 60, kind: Kind::Access }
    }

    #[test]
    fn a_file_that_changes_is_read_and_a_broken_one_is_not() {
        let scratch = Scratch::new("keys");
        fs::create_dir_all(&scratch.0).unwrap();
        let path = scratch.0.join("keys");
        let [one, two] = [[1; 32], [2; 32]].map(|seed| Tokens::key_line(&seed));
        disk::write_secret(&path, one.as_bytes()).unwrap();
        let keys = Keys::load(&path).unwrap();
        let of_first = keys.issue(&claims());
        let of_second = Tokens::new(&[2; 32]).issue(&claims());
        assert_eq!(keys.verify_access(NOW, &of_second), Err(TokenError::UnknownKey));
        disk::write_secret(&path, format!("{two}{one}").as_bytes()).unwrap();
        for known in [&of_first, &of_second] {
            assert_eq!(keys.verify_access(NOW, known), Ok(AccountId(7)));
        }
        assert_eq!(keys.issue(&claims()), of_second);
        for broken in [Some("nonsense"), None] {
            match broken {
                Some(text) => disk::write_secret(&path, text.as_bytes()).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            assert_eq!(keys.issue(&claims()), of_second);
        }
        disk::write_secret(&path, two.as_bytes()).unwrap();
        assert_eq!(keys.issue(&claims()), of_second);
        assert_eq!(keys.verify_access(NOW, &of_first), Err(TokenError::UnknownKey));
    }

    #[test]
    fn a_rotated_file_signs_anew_and_keeps_as_many_as_it_is_told() {
        let scratch = Scratch::new("rotate");
        fs::create_dir_all(&scratch.0).unwrap();
        let path = scratch.0.join("keys");
        let keys = Keys::load_or_make(&path).unwrap();
        let tokens: Vec<String> = (0..4)
            .map(|_| {
                rotate(&path, 2).unwrap();
                keys.issue(&claims())
            })
            .collect();
        let verified: Vec<bool> =
            tokens.iter().map(|token| keys.verify_access(NOW, token).is_ok()).collect();
        assert_eq!(verified, [false, true, true, true]);
        fs::write(&path, "nonsense\n").unwrap();
        assert!(format!("{:#}", rotate(&path, 2).unwrap_err()).contains("line 1"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense\n");
    }
}
