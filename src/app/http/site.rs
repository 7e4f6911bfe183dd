//! The page: files that do not change while the server runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::answer::Problem;
use super::{App, routes};

/// The names of the page's files do not change with what is in them: browsers keep a file, and ask
/// each time whether it is still the same.
const ASK: &str = "no-cache";

/// A file of the page; `path` begins with a slash.
#[derive(Clone, Debug)]
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub bytes: Bytes,
}

/// Holds everything that is served as it is, each under its path and with its tag.
#[derive(Clone, Debug, Default)]
pub struct Site {
    files: BTreeMap<String, File>,
}

#[derive(Clone, Debug)]
struct File {
    content_type: &'static str,
    /// How long a client may keep it without asking.
    keep: &'static str,
    bytes: Bytes,
    tag: String,
}

impl Site {
    /// The page's files, and what `/content.json` answers. The file `/index.html` is `/` as well.
    #[must_use]
    pub fn new(content_json: Bytes, assets: impl IntoIterator<Item = Asset>) -> Self {
        let mut site = Self::default();
        site.add("/content.json", "application/json", ASK, content_json);
        let document = Bytes::from_static(routes::DOCUMENT.as_bytes());
        site.add("/api/openapi.json", "application/json", "public, max-age=300", document);
        for Asset { path, content_type, bytes } in assets {
            if path == "/index.html" {
                site.add("/", content_type, ASK, bytes.clone());
            }
            site.add(path, content_type, ASK, bytes);
        }
        site
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn add(&mut self, path: &str, content_type: &'static str, keep: &'static str, bytes: Bytes) {
        let tag = format!("\"{:x}-{:016x}\"", bytes.len(), fingerprint(&bytes));
        self.files.insert(path.into(), File { content_type, keep, bytes, tag });
    }
}

/// Answers what no other route does: a file of the page, or that there is nothing.
pub(super) async fn serve(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    std::future::ready(answer(&app.site, &method, uri.path(), &headers)).await
}

fn answer(site: &Site, method: &Method, path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = site.files.get(path) else { return Problem::NotFound.into_response() };
    if method != Method::GET && method != Method::HEAD {
        return Problem::MethodNotAllowed.into_response();
    }
    let asked = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok());
    let mut tags = asked.flat_map(|line| line.split(',')).map(str::trim);
    let is_known = tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == file.tag);
    let common = [
        (header::ETAG, HeaderValue::try_from(&file.tag)),
        (header::CACHE_CONTROL, Ok(HeaderValue::from_static(file.keep))),
        (header::CONTENT_TYPE, Ok(HeaderValue::from_static(file.content_type))),
    ];
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.bytes.clone().into_response()
    };
    for (name, value) in common {
        if let Ok(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// FNV-1a over 64 bits: it tells versions of our own files apart, nothing more.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
