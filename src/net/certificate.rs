//! The self-signed certificate of development and small servers.
//!
//! Browsers accept a certificate by its SHA-256 hash only when it is ECDSA and valid for at most
//! two weeks, so a new one is made every ten days, and for the last days of the old one both
//! hashes are published.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

use super::tls::{Identity, TlsError, certificate_hash, read};

/// How long a certificate is valid.
pub const LIFETIME: Duration = Duration::from_secs(13 * 24 * 60 * 60);
/// What must be left of it, or a new one is made.
pub const LEFT_MIN: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// How far the clock of a peer may be behind.
const BACKDATED: Duration = Duration::from_secs(60 * 60);
/// Names every certificate has.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Precedes the end of validity, in seconds since 1970, in a file of ours.
const EXPIRY: &str = "expires: ";
const FILE: &str = "development.pem";
const FILE_OLD: &str = "development.old.pem";

/// A self-signed certificate with what its publication needs.
#[derive(Clone, Debug)]
pub struct Development {
    pub identity: Identity,
    /// Hashes to publish: of the certificate in use, then of the one before while it is valid.
    pub hashes: Vec<[u8; 32]>,
    /// When [`load_or_make`] makes the next one.
    pub renew_at: SystemTime,
}

/// Loads the certificate of a folder, or makes one when there is none or less than [`LEFT_MIN`] is
/// left of it. Certificate and key share one file of mode 0600, so they change together.
pub fn load_or_make(
    folder: &Path,
    names: &[String],
    now: SystemTime,
) -> Result<Development, TlsError> {
    let (path, old) = (folder.join(FILE), folder.join(FILE_OLD));
    let stored = if path.exists() { Some(load(&path)?) } else { None };
    let (identity, expiry) = match stored {
        Some((identity, expiry)) if expiry >= now + LEFT_MIN && identity_is_current(&identity) => {
            (identity, expiry)
        }
        stored => {
            fs::create_dir_all(folder).map_err(|source| write_error(folder, source))?;
            if stored.is_some() {
                fs::rename(&path, &old).map_err(|source| write_error(&old, source))?;
            }
            make(&path, names, now)?
        }
    };
    let mut hashes = vec![certificate_hash(&identity.chain[0])];
    if old.exists() {
        match load(&old) {
            Ok((before, end)) if end > now => hashes.push(certificate_hash(&before.chain[0])),
            // Over, or unreadable: of no use to anyone, and a leftover is harmless.
            Ok(_) | Err(_) => drop(fs::remove_file(&old)),
        }
    }
    Ok(Development { identity, hashes, renew_at: expiry - LEFT_MIN })
}

/// A key of another kind than rustls can use would only fail later.
fn identity_is_current(identity: &Identity) -> bool {
    identity.server_config(&[]).is_ok()
}

fn load(path: &Path) -> Result<(Identity, SystemTime), TlsError> {
    let text = read(path)?;
    let identity = Identity::from_pem(&text, path, &text, path)?;
    let seconds = text
        .split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(EXPIRY.as_bytes()))
        .and_then(|digits| std::str::from_utf8(digits).ok()?.trim().parse().ok())
        .ok_or_else(|| TlsError::NoExpiry { path: path.into() })?;
    Ok((identity, UNIX_EPOCH + Duration::from_secs(seconds)))
}

fn make(
    path: &Path,
    names: &[String],
    now: SystemTime,
) -> Result<(Identity, SystemTime), TlsError> {
    let mut params = CertificateParams::default();
    let given = names.iter().map(String::as_str).filter(|name| !NAMES.contains(name));
    for name in NAMES.into_iter().chain(given) {
        let one = CertificateParams::new([name.to_owned()])
            .map_err(|source| TlsError::Name { name: name.to_owned(), source })?;
        params.subject_alt_names.extend(one.subject_alt_names);
    }
    params.distinguished_name.push(DnType::CommonName, "Undercroft development");
    let start = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(BACKDATED);
    let start = Duration::from_secs(start.as_secs());
    let end = start + LIFETIME;
    params.not_before = date_time_ymd(1970, 1, 1) + start;
    params.not_after = date_time_ymd(1970, 1, 1) + end;
    // rcgen's own choice is a P-256 key, which is what browsers ask for.
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let text = format!("{EXPIRY}{}\n{}{}", end.as_secs(), certificate.pem(), key.serialize_pem());
    write(path, text.as_bytes()).map_err(|source| write_error(path, source))?;
    let identity = Identity::from_pem(text.as_bytes(), path, text.as_bytes(), path)?;
    Ok((identity, UNIX_EPOCH + end))
}

/// Writes a file that only its owner reads and that is never seen half.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished: PathBuf = path.with_extension("pem.new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

fn write_error(path: &Path, source: io::Error) -> TlsError {
    TlsError::Write { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// A folder of its own for one test, removed afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("undercroft-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_certificate_is_renewed_in_time_and_the_old_hash_stays_until_it_ends() {
        let folder = Folder::new("renewal");
        let start = UNIX_EPOCH + 20_000 * DAY;
        let at = |days: u32| load_or_make(&folder.0, &["game.example".into()], start + days * DAY);
        let first = at(0).unwrap();
        assert_eq!(first.hashes.len(), 1);
        let mode = fs::metadata(folder.0.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(at(9).unwrap().hashes, first.hashes, "more than three days are left");
        assert!(first.renew_at > start + 9 * DAY && first.renew_at < start + 10 * DAY);
        let second = at(10).unwrap();
        assert_ne!(second.hashes[0], first.hashes[0]);
        assert_eq!(second.hashes[1..], first.hashes[..]);
        assert_eq!(at(12).unwrap().hashes, second.hashes);
        assert_eq!(at(13).unwrap().hashes, second.hashes[..1], "the old one has ended");
    }

    #[test]
    fn errors_name_file_and_remedy() {
        let folder = Folder::new("errors");
        fs::create_dir_all(&folder.0).unwrap();
        let file = folder.0.join(FILE);
        let now = UNIX_EPOCH + 20_000 * DAY;
        let text = |error: TlsError| error.to_string();
        fs::write(&file, "nonsense").unwrap();
        let error = text(load_or_make(&folder.0, &[], now).unwrap_err());
        assert!(error.contains(FILE) && error.contains("no certificate"), "{error}");
        let error = text(Identity::load(&folder.0.join("none.pem"), &file).unwrap_err());
        assert!(error.contains("none.pem") && error.contains("give the path"), "{error}");
        fs::remove_file(&file).unwrap();
        let error = text(load_or_make(&folder.0, &["\u{e9}".into()], now).unwrap_err());
        assert!(error.contains("host name"), "{error}");
        load_or_make(&folder.0, &[], now).unwrap();
        assert!(Identity::load(&file, &file).is_ok());
    }
}
