use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::model::limits::TOKEN_BYTES_MAX;
use crate::model::{AccountId, CharacterId, SessionId};

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("this is not a token")]
    Malformed,
    #[error("the token is not from this server")]
    Forged,
    #[error("the token is not from this server, or too old")]
    UnknownKey,
    #[error("the token has expired")]
    Expired,
    #[error("the token is for something else")]
    WrongKind,
}

/// Why a file of keys is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("there is no key")]
    None,
    #[error("line {line} is not a key: 32 bytes in base64url without padding")]
    Line { line: usize },
}

/// What a token gives a right to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To act as the account.
    Access,
    /// To go on with a session where another connection left it.
    Session { session: SessionId, character: CharacterId },
}

/// What a token says; times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    pub account: AccountId,
    pub issued: u64,
    pub expires: u64,
    pub kind: Kind,
}

/// What a token of a session says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionClaims {
    pub account: AccountId,
    pub session: SessionId,
    pub character: CharacterId,
}

/// Issues and verifies tokens: JSON Web Signatures with Ed25519 (RFC 7515, RFC 8037), compact.
///
/// The first key signs; all verify, each under the name it has from its public half. To change
/// keys, put a new one in front, and take the old one away when its last token has expired.
#[derive(Debug)]
pub struct Tokens {
    signing: SigningKey,
    /// The header of every token issued, encoded.
    header: String,
    verifying: BTreeMap<String, VerifyingKey>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Payload {
    sub: String,
    iat: u64,
    exp: u64,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    character: Option<String>,
}

impl Tokens {
    /// Tokens under one key, made from 32 random bytes.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let (kid, public) = named(&signing);
        let header = Header { alg: "EdDSA".into(), kid: kid.clone() };
        Self { signing, header: encode(&header), verifying: BTreeMap::from([(kid, public)]) }
    }

    /// Accepts tokens of an older key as well.
    #[must_use]
    pub fn with_older(mut self, seed: &[u8; 32]) -> Self {
        let (kid, public) = named(&SigningKey::from_bytes(seed));
        self.verifying.insert(kid, public);
        self
    }

    /// Reads the text of a key file: a key a line, the one that signs first; `#` begins a remark.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let mut tokens: Option<Self> = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let bytes = BASE64.decode(line).ok();
            let seed: [u8; 32] = bytes
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or(KeyError::Line { line: index + 1 })?;
            tokens = Some(match tokens {
                None => Self::new(&seed),
                Some(tokens) => tokens.with_older(&seed),
            });
        }
        tokens.ok_or(KeyError::None)
    }

    /// The line of a key file for 32 random bytes.
    #[must_use]
    pub fn key_line(seed: &[u8; 32]) -> String {
        format!("{}\n", BASE64.encode(seed))
    }

    /// A token with these claims.
    #[must_use]
    pub fn issue(&self, claims: &Claims) -> String {
        let (kind, sid, character) = match claims.kind {
            Kind::Access => ("access", None, None),
            Kind::Session { session, character } => {
                ("session", Some(session.to_string()), Some(character.to_string()))
            }
        };
        let payload = Payload {
            sub: claims.account.to_string(),
            iat: claims.issued,
            exp: claims.expires,
            kind: kind.into(),
            sid,
            character,
        };
        let mut token = format!("{}.{}", self.header, encode(&payload));
        let signature = self.signing.sign(token.as_bytes());
        token.push('.');
        token.push_str(&BASE64.encode(signature.to_bytes()));
        token
    }

    /// What a token says, if one of our keys signed it and it has not expired. `now` is in seconds
    /// since 1970.
    pub fn verify(&self, now: u64, token: &str) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        if header.alg != "EdDSA" {
            return Err(TokenError::Forged);
        }
        let key = self.verifying.get(&header.kid).ok_or(TokenError::UnknownKey)?;
        let signature = BASE64.decode(signature).map_err(|_| TokenError::Malformed)?;
        let signature = Signature::from_slice(&signature).map_err(|_| TokenError::Malformed)?;
        key.verify_strict(signed.as_bytes(), &signature).map_err(|_| TokenError::Forged)?;
        let claims = claims(decode(payload)?).ok_or(TokenError::Malformed)?;
        if now >= claims.expires {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// The account that a token of access speaks for.
    pub fn verify_access(&self, now: u64, token: &str) -> Result<AccountId, TokenError> {
        let claims = self.verify(now, token)?;
        match claims.kind {
            Kind::Access => Ok(claims.account),
            Kind::Session { .. } => Err(TokenError::WrongKind),
        }
    }

    /// The session that a token of one speaks for.
    pub fn verify_session(&self, now: u64, token: &str) -> Result<SessionClaims, TokenError> {
        let Claims { account, kind, .. } = self.verify(now, token)?;
        match kind {
            Kind::Access => Err(TokenError::WrongKind),
            Kind::Session { session, character } => {
                Ok(SessionClaims { account, session, character })
            }
        }
    }
}

fn claims(payload: Payload) -> Option<Claims> {
    let number = |text: &Option<String>| text.as_ref()?.parse::<u64>().ok();
    let kind = match payload.kind.as_str() {
        "access" => Kind::Access,
        "session" => Kind::Session {
            session: SessionId(number(&payload.sid)?),
            character: CharacterId(number(&payload.character)?),
        },
        _ => return None,
    };
    let account = AccountId(payload.sub.parse().ok()?);
    Some(Claims { account, issued: payload.iat, expires: payload.exp, kind })
}

fn named(key: &SigningKey) -> (String, VerifyingKey) {
    let public = key.verifying_key();
    (BASE64.encode(&public.as_bytes()[..9]), public)
}

fn encode(value: &impl Serialize) -> String {
    BASE64.encode(serde_json::to_vec(value).expect("texts and numbers always encode"))
}

fn decode<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, TokenError> {
    let bytes = BASE64.decode(text).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn access(account: u64) -> Claims {
        let kind = Kind::Access;
        Claims { account: AccountId(account), issued: NOW, expires: NOW + 60, kind }
    }

    fn session() -> Claims {
        let (session, character) = (SessionId(u64::MAX), CharacterId(5));
        Claims { kind: Kind::Session { session, character }, ..access(7) }
    }

    #[test]
    fn what_was_issued_verifies_until_it_expires() {
        let tokens = Tokens::new(&[1; 32]);
        for claims in [access(u64::MAX), session()] {
            let token = tokens.issue(&claims);
            assert!(token.len() < TOKEN_BYTES_MAX / 2, "{} bytes", token.len());
            assert_eq!(tokens.verify(NOW, &token), Ok(claims));
            assert_eq!(tokens.verify(NOW + 59, &token), Ok(claims));
            assert_eq!(tokens.verify(NOW + 60, &token), Err(TokenError::Expired));
        }
    }

    #[test]
    fn a_kind_is_not_taken_for_another() {
        let tokens = Tokens::new(&[1; 32]);
        let (access, session) = (tokens.issue(&access(7)), tokens.issue(&session()));
        assert_eq!(tokens.verify_access(NOW, &access), Ok(AccountId(7)));
        assert_eq!(tokens.verify_access(NOW, &session), Err(TokenError::WrongKind));
        assert_eq!(tokens.verify_session(NOW, &access), Err(TokenError::WrongKind));
        let claims = tokens.verify_session(NOW, &session).unwrap();
        assert_eq!((claims.session, claims.character), (SessionId(u64::MAX), CharacterId(5)));
    }

    #[test]
    fn keys_rotate() {
        let (old, new) = (Tokens::new(&[1; 32]), Tokens::new(&[2; 32]));
        let token = old.issue(&access(7));
        assert_eq!(new.verify(NOW, &token), Err(TokenError::UnknownKey));
        let both = new.with_older(&[1; 32]);
        assert!(both.verify(NOW, &token).is_ok());
        assert_eq!(old.verify(NOW, &both.issue(&access(7))), Err(TokenError::UnknownKey));
    }

    #[test]
    fn key_files_are_read() {
        let text = format!(
            "# keys\n{} # new\n\n{}",
            Tokens::key_line(&[2; 32]).trim_end(),
            Tokens::key_line(&[1; 32])
        );
        let tokens = Tokens::from_text(&text).unwrap();
        assert!(tokens.verify(NOW, &Tokens::new(&[1; 32]).issue(&access(7))).is_ok());
        assert!(Tokens::new(&[2; 32]).verify(NOW, &tokens.issue(&access(7))).is_ok());
        assert_eq!(Tokens::from_text("# none\n").unwrap_err(), KeyError::None);
        assert_eq!(Tokens::from_text("\nabc").unwrap_err(), KeyError::Line { line: 2 });
    }

    #[test]
    fn forgeries_are_refused() {
        let tokens = Tokens::new(&[1; 32]);
        let token = tokens.issue(&access(7));
        let parts: Vec<&str> = token.split('.').collect();
        let kid = named(&SigningKey::from_bytes(&[1; 32])).0;
        let header = |alg: &str| encode(&Header { alg: alg.into(), kid: kid.clone() });
        for forged in [
            format!("{}.{}.{}", header("none"), parts[1], parts[2]),
            format!("{}.{}.", header("none"), parts[1]),
            format!("{}.{}.{}", header("HS256"), parts[1], parts[2]),
            format!("{}.{}.{}", parts[0], parts[1], BASE64.encode([0; 64])),
            String::new(),
            "a.b.c".into(),
            "..".into(),
            format!("{token}."),
            format!("{token}="),
            "x".repeat(TOKEN_BYTES_MAX + 1),
        ] {
            assert!(tokens.verify(NOW, &forged).is_err(), "{forged}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_token_never_verifies(position in 0usize..400, flip in 1u8..128) {
            let tokens = Tokens::new(&[1; 32]);
            let mut bytes = tokens.issue(&session()).into_bytes();
            let position = position % bytes.len();
            bytes[position] ^= flip;
            if let Ok(text) = String::from_utf8(bytes) {
                prop_assert!(tokens.verify(NOW, &text).is_err());
            }
        }

        #[test]
        fn arbitrary_text_never_verifies(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,300}") {
            prop_assert!(Tokens::new(&[1; 32]).verify(NOW, &text).is_err());
        }
    }
}
