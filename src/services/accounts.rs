//! The rules for names and passwords.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use crate::model::limits::{NAME_BYTES_MAX, PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN};

/// Names of guests begin with this; nobody may choose such a name.
pub const GUEST_PREFIX: &str = "guest-";

/// Why a name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name needs a letter or a digit")]
    Empty,
    #[error("a name has at most {NAME_BYTES_MAX} bytes")]
    TooLong,
    #[error("a name has letters, digits, single spaces, - and _ only")]
    Character,
    #[error("the letters of a name belong to one alphabet")]
    MixedAlphabets,
    #[error("names that begin with {GUEST_PREFIX} are for guests")]
    Reserved,
}

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("a password has at least {PASSWORD_BYTES_MIN} bytes")]
    TooShort,
    #[error("a password has at most {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
    #[error("a password has no control characters")]
    Character,
    #[error("the password is the name")]
    IsName,
}

/// Checks a name of an account or a character, and gives it without the spaces around it.
///
/// Letters are Latin, Greek or Cyrillic, of one alphabet: each fills one cell of a screen, none
/// is invisible, and no name passes for another by borrowing letters.
pub fn check_name(name: &str) -> Result<&str, NameError> {
    let name = name.trim_matches(' ');
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let is_fine = |c: char| alphabet(c).is_some() || c.is_ascii_digit() || " -_".contains(c);
    if !name.chars().all(is_fine) || name.contains("  ") {
        return Err(NameError::Character);
    }
    if !name.chars().any(char::is_alphanumeric) {
        return Err(NameError::Empty);
    }
    let mut alphabets = name.chars().filter_map(alphabet);
    if let Some(first) = alphabets.next()
        && alphabets.any(|other| other != first)
    {
        return Err(NameError::MixedAlphabets);
    }
    let begins = name.get(..GUEST_PREFIX.len()).unwrap_or_default();
    if begins.eq_ignore_ascii_case(GUEST_PREFIX) {
        return Err(NameError::Reserved);
    }
    Ok(name)
}

/// Checks a new password.
pub fn check_password(name: &str, password: &str) -> Result<(), PasswordError> {
    match password.len() {
        0..PASSWORD_BYTES_MIN => Err(PasswordError::TooShort),
        PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX => {
            if password.chars().any(char::is_control) {
                Err(PasswordError::Character)
            } else if password.eq_ignore_ascii_case(name) {
                Err(PasswordError::IsName)
            } else {
                Ok(())
            }
        }
        _ => Err(PasswordError::TooLong),
    }
}

/// The text to keep instead of a password: argon2id, 19 MiB, two passes. It takes some tens of
/// milliseconds. The salt must be random.
#[must_use]
pub fn hash_password(password: &str, salt: &[u8; 16]) -> String {
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), salt)
        .expect("a salt of 16 bytes and the default parameters are valid")
        .to_string()
}

/// Whether a password is the one that was kept. `kept` is none where there is no such account or
/// it has no password: that takes as long, so that time does not tell which names there are.
#[must_use]
pub fn verify_password(kept: Option<&str>, password: &str) -> bool {
    // Longer ones are never kept, and hashing them would cost the server, not the sender.
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    match kept {
        Some(hash) => Argon2::default().verify_password(password.as_bytes(), hash).is_ok(),
        None => {
            let _ = hash_password(password, &[0; 16]);
            false
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Latin,
    Greek,
    Cyrillic,
}

fn alphabet(c: char) -> Option<Alphabet> {
    match c {
        'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{24f}' => Some(Alphabet::Latin),
        '\u{386}'..='\u{3ff}' => Some(Alphabet::Greek),
        '\u{400}'..='\u{481}' | '\u{48a}'..='\u{52f}' => Some(Alphabet::Cyrillic),
        _ => None,
    }
    .filter(|_| c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("Ada", Ok("Ada")),
            ("  Ada of 2-b_ ", Ok("Ada of 2-b_")),
            ("Zoë", Ok("Zoë")),
            ("Жанна", Ok("Жанна")),
            ("Ωμέγα", Ok("Ωμέγα")),
            ("7", Ok("7")),
            ("1234567890123456", Ok("1234567890123456")),
            ("12345678901234567", Err(NameError::TooLong)),
            ("", Err(NameError::Empty)),
            ("   ", Err(NameError::Empty)),
            (" - _ ", Err(NameError::Empty)),
            ("a  b", Err(NameError::Character)),
            ("a\tb", Err(NameError::Character)),
            ("a\u{0}b", Err(NameError::Character)),
            ("a\u{200b}b", Err(NameError::Character)),
            ("a\u{202e}b", Err(NameError::Character)),
            ("\u{3164}", Err(NameError::Character)),
            ("\u{a0}", Err(NameError::Character)),
            ("e\u{301}", Err(NameError::Character)),
            ("a×b", Err(NameError::Character)),
            ("a<b", Err(NameError::Character)),
            ("Аda", Err(NameError::MixedAlphabets)),
            ("Guest-7", Err(NameError::Reserved)),
            ("guest-", Err(NameError::Reserved)),
            ("guest", Ok("guest")),
        ] {
            assert_eq!(check_name(name), expected, "{name:?}");
        }
    }

    #[test]
    fn passwords() {
        for (password, expected) in [
            ("correct horse", Ok(())),
            ("ключик42", Ok(())),
            ("1234567", Err(PasswordError::TooShort)),
            (&"x".repeat(128), Ok(())),
            (&"x".repeat(129), Err(PasswordError::TooLong)),
            ("with\nnewline", Err(PasswordError::Character)),
            ("adalovelace", Err(PasswordError::IsName)),
        ] {
            assert_eq!(check_password("AdaLovelace", password), expected, "{password:?}");
        }
    }

    #[test]
    fn only_the_same_password_verifies() {
        let hash = hash_password("correct horse", &[7; 16]);
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(!hash.contains("horse"));
        assert_ne!(hash, hash_password("correct horse", &[8; 16]));
        assert!(verify_password(Some(&hash), "correct horse"));
        assert!(!verify_password(Some(&hash), "correct hors"));
        assert!(!verify_password(Some("nonsense"), "correct horse"));
        assert!(!verify_password(None, "correct horse"));
        assert!(!verify_password(Some(&hash), &"x".repeat(100_000)));
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_plain(name in "\\PC{0,12}|[a-zA-Z0-9 _-]{0,20}") {
            if let Ok(checked) = check_name(&name) {
                prop_assert!(checked.len() <= NAME_BYTES_MAX && !checked.is_empty());
                prop_assert_eq!(check_name(checked), Ok(checked));
                prop_assert!(checked.chars().all(|c| c == ' ' || !c.is_whitespace()));
                prop_assert!(!checked.chars().any(char::is_control));
            }
        }
    }
}
