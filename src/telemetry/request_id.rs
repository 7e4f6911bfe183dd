//! What names a request over HTTP, in its answer and in the log.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header of requests and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes of a name that a client gives.
const BYTES_MAX: usize = 64;

/// The name that a request brings with it, so that a proxy's log speaks of the same one, or a new
/// one where it brings none or a bad one.
#[must_use]
pub fn of(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given.filter(|id| is_fine(id)).map_or_else(make, str::to_owned)
}

/// Puts it where both sides see it.
pub fn name(headers: &mut HeaderMap, id: &str) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
}

fn is_fine(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

fn make() -> String {
    let mut random = [0; 8];
    // Without randomness it names nothing in particular, and the request is answered all the same.
    let _ = getrandom::fill(&mut random);
    format!("{:016x}", u64::from_le_bytes(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_kept_and_any_other_replaced() {
        let named = |id: &[u8]| {
            let value = HeaderValue::from_bytes(id).unwrap();
            of(&HeaderMap::from_iter([(REQUEST_ID, value)]))
        };
        for id in ["a", "4bf92f35-77b3_4da6.a", &"a".repeat(BYTES_MAX)] {
            assert_eq!(named(id.as_bytes()), id);
        }
        let long = "a".repeat(BYTES_MAX + 1);
        for bad in [b"".as_slice(), b"a b", b"a\"b", b"a=b", "ä".as_bytes(), long.as_bytes()] {
            let made = named(bad);
            assert!(is_fine(&made) && made.len() == 16 && made.as_bytes() != bad, "{made}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
