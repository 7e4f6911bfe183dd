//! The real server, for the tests of every room that speaks to it.

mod queue;
pub(crate) mod server;
mod streams;
mod table;
mod trail;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::kv::UpdateError;

use super::is_refusal;

#[test]
fn both_codes_of_a_refusal_are_known_wherever_they_come_from() {
    for (code, expected) in [(10_071, true), (10_164, true), (10_077, false)] {
        let said = format!(r#"{{"code":400,"err_code":{code},"description":"said"}}"#);
        let cause: async_nats::jetstream::Error = serde_json::from_str(&said).unwrap();
        let error = PublishError::with_source(PublishErrorKind::Other, cause);
        assert_eq!(is_refusal(&error), expected, "{code}");
        assert_eq!(is_refusal(&UpdateError::from(error)), expected, "{code}");
    }
    assert!(!is_refusal(&PublishError::new(PublishErrorKind::TimedOut)));
}
