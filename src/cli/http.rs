//! Just enough HTTP/1.1 to log in and to fetch the content tables.

use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::model::CharacterId;

const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// Where a server's HTTP is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub host: String,
    pub port: u16,
}

/// The server's answer that it has not done what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{request}: {status}: {sentence}")]
pub struct Refused {
    /// Method and path.
    pub request: String,
    pub status: u16,
    /// Why not, as the server says it.
    pub sentence: String,
}

/// Somebody logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub name: String,
    pub token: String,
    /// Its newest character.
    pub character: CharacterId,
}

/// What a server says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Info {
    pub quic_port: u16,
    /// SHA-256 of the certificates it may show, in base64.
    #[serde(default)]
    pub certificate_hashes: Vec<String>,
    /// Where players connect, if not to this server itself.
    #[serde(default)]
    pub gateways: Option<Vec<Gateway>>,
}

/// A process that takes players: `host:port`, or `:port` on the host that was asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Gateway {
    pub websocket: String,
    pub quic: String,
    pub certificate_hashes: Vec<String>,
}

impl Server {
    /// Reads `http://HOST[:PORT]`.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| {
            format!("{url} does not begin with http:// (put a plain address here, not https)")
        })?;
        let authority = rest.trim_end_matches('/');
        ensure!(!authority.contains('/'), "{url} has a path");
        let bracket = authority.rfind(']').unwrap_or(0);
        let (host, port) = match authority.rfind(':').filter(|&at| at > bracket) {
            Some(at) => {
                let port = authority[at + 1..].parse();
                (&authority[..at], port.with_context(|| format!("reading the port of {url}"))?)
            }
            None => (authority, 80),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        ensure!(!host.is_empty(), "{url} has no host");
        Ok(Self { host: host.to_owned(), port })
    }

    /// Host and port as an URL has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// An address of [`Gateway`] in full.
    #[must_use]
    pub fn complete(&self, address: &str) -> String {
        match address.strip_prefix(':') {
            Some(port) if self.host.contains(':') => format!("[{}]:{port}", self.host),
            Some(port) => format!("{}:{port}", self.host),
            None => address.to_owned(),
        }
    }

    /// Makes a guest.
    pub async fn guest(&self) -> anyhow::Result<Login> {
        self.login_at("/api/guest", json!({})).await
    }

    pub async fn login(&self, name: &str, password: &str) -> anyhow::Result<Login> {
        self.login_at("/api/login", json!({ "name": name, "password": password })).await
    }

    pub async fn info(&self) -> anyhow::Result<Info> {
        let info = self.ask("GET", "/api/info", None, None).await?;
        serde_json::from_value(info).context("reading /api/info")
    }

    async fn login_at(&self, path: &str, body: Value) -> anyhow::Result<Login> {
        let answer = self.ask("POST", path, None, Some(&body)).await?;
        let text = |key: &str| answer[key].as_str().map(str::to_owned);
        let token = text("token").with_context(|| format!("{path} gave no token"))?;
        let name = text("name").unwrap_or_default();
        let characters = answer["characters"].as_array().cloned().unwrap_or_default();
        let character = match characters.first().cloned() {
            Some(character) => character,
            None => {
                // Names of guests are for accounts only.
                let hero = name.strip_prefix("guest-").map(|tail| format!("rover-{tail}"));
                let body = json!({ "name": hero.unwrap_or_else(|| name.clone()) });
                self.ask("POST", "/api/characters", Some(&token), Some(&body)).await?
            }
        };
        let id = character["id"].as_str().and_then(|id| id.parse().ok());
        Ok(Login { name, token, character: CharacterId(id.unwrap_or(0)) })
    }

    /// One request; an answer other than 2xx is a [`Refused`].
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let bearer = token.map(|t| format!("authorization: Bearer {t}\r\n")).unwrap_or_default();
        self.ask_with(&bearer, method, path, body).await
    }

    /// A POST that does the same thing once, however often it is made with this `key`.
    pub async fn wish(
        &self,
        key: &str,
        path: &str,
        token: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let headers = format!("authorization: Bearer {token}\r\nidempotency-key: {key}\r\n");
        self.ask_with(&headers, "POST", path, Some(body)).await
    }

    async fn ask_with(
        &self,
        headers: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let exchange = self.exchange(headers, method, path, body);
        let answer = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| anyhow!("no answer within {} s", TIMEOUT.as_secs()))
            .and_then(|answer| answer);
        let (status, body) =
            answer.with_context(|| format!("asking http://{}{path}", self.authority()))?;
        let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if !(200..300).contains(&status) {
            let sentence = value["error"].as_str().unwrap_or("no reason given").to_owned();
            bail!(Refused { request: format!("{method} {path}"), status, sentence });
        }
        Ok(value)
    }

    async fn exchange(
        &self,
        headers: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\naccept: application/json\
             \r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            self.authority(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        read_answer(&answer)
    }
}

/// The status and body of a complete HTTP/1.1 answer.
fn read_answer(answer: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").context("the answer has no end")?;
    let head = std::str::from_utf8(&answer[..end]).context("the answer's head is not text")?;
    let body = &answer[end + 4..];
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).context("no status")?;
    let header = |name: &str| {
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    if header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
        return Ok((status, unchunk(body)?));
    }
    if let Some(length) = header("content-length").and_then(|v| v.parse::<usize>().ok()) {
        let body = body.get(..length).context("the answer was cut short")?;
        return Ok((status, body.to_vec()));
    }
    Ok((status, body.to_vec()))
}

fn unchunk(mut rest: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").context("a chunk was cut short")?;
        let size = std::str::from_utf8(&rest[..end])?.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).context("reading the size of a chunk")?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(end + 2..end + 2 + size).context("a chunk was cut short")?;
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).context("a chunk was cut short")?;
    }
}

#[cfg(test)]
mod tests {
    use super::{Server, read_answer};

    #[test]
    fn addresses_are_read() {
        let check = |url: &str, host: &str, port: u16, authority: &str| {
            let server = Server::parse(url).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port));
            assert_eq!(server.authority(), authority);
        };
        check("http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080");
        check("http://play.example/", "play.example", 80, "play.example:80");
        check("http://[::1]:9", "::1", 9, "[::1]:9");
        for wrong in ["https://a", "http://", "http://a/b", "http://a:x"] {
            assert!(Server::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_come_whole_or_in_chunks() {
        let plain = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(read_answer(plain).unwrap(), (201, b"{}".to_vec()));
        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
            3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
        assert_eq!(read_answer(chunked).unwrap(), (200, b"[1,2]".to_vec()));
        assert!(read_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}").is_err());
        assert!(read_answer(b"HTTP/1.1 200 OK").is_err());
    }
}
