use axum::body::{Body, to_bytes};
use axum::http::HeaderMap;
use axum::http::request::Builder;
use bytes::Bytes;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use super::*;
use crate::app::cluster::flags::Flags;
use crate::disk;
use crate::disk::scratch::Scratch;
use crate::model::CharacterId;
use crate::services::{Claims, Kind, Tokens};
use crate::store::{Bout, Death, PostgresStore, Summary};

struct Server {
    router: Router,
    store: Arc<Store>,
    metrics: Arc<Metrics>,
    _scratch: Scratch,
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn expect_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.json()["code"].as_str()), (status, Some(code)));
        assert!(!self.json()["error"].as_str().unwrap().is_empty());
    }
}

fn server(config: Config) -> Server {
    server_of(config, Store::in_memory().unwrap())
}

fn server_of(config: Config, store: Store) -> Server {
    let store = Arc::new(store);
    let metrics = Arc::new(Metrics::new());
    let page = Asset {
        path: "/index.html",
        content_type: "text/html; charset=utf-8",
        bytes: Bytes::from_static(b"<!doctype html>"),
    };
    let site = Site::new(Bytes::from_static(b"{\"terrain\":[]}"), [page]);
    let scratch = Scratch::new("http");
    let keys = scratch.0.join("keys");
    std::fs::create_dir_all(&scratch.0).unwrap();
    disk::write_secret(&keys, Tokens::key_line(&[9; 32]).as_bytes()).unwrap();
    let tokens = Arc::new(Keys::load(&keys).unwrap());
    let router = router(config, store.clone(), tokens, metrics.clone(), site);
    Server { router, store, metrics, _scratch: scratch }
}

impl Server {
    async fn send(&self, request: Builder, body: impl Into<Body>) -> Got {
        let request = request.body(body.into()).unwrap();
        let response = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Got { status, headers, body: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    async fn get(&self, path: &str) -> Got {
        self.send(Request::get(path), Body::empty()).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Got {
        let mut request = Request::post(path).header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request, body.to_string()).await
    }

    async fn get_as(&self, path: &str, token: &str) -> Got {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request, Body::empty()).await
    }
}

fn token(got: &Got) -> String {
    got.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_store_that_is_away_is_to_be_asked_again() {
    let runtime = tokio::runtime::Handle::current();
    let away = PostgresStore::unprepared(&runtime, "postgres://u:secret@localhost/world").unwrap();
    let server = server_of(Config::default(), Store::Postgres(away));
    let got = server.get("/api/hall-of-fame").await;
    got.expect_problem(503, "store_failing");
    assert_eq!(got.header("retry-after"), "1");
    assert!(!got.body.contains("localhost"), "{}", got.body);
}

#[tokio::test]
async fn who_is_banned_gets_nothing_until_the_ban_ends() {
    use crate::gateway::{Ban, Bans, Target};
    let rules = Arc::new(Rules::default());
    let server = server(Config { rules: rules.clone(), ..Config::default() });
    let login = json!({ "name": "Ada", "password": "correct horse" });
    let registered = server.post("/api/register", "", &login).await;
    let (token, account) = (token(&registered), registered.json()["account"].clone());
    let account = AccountId(account.as_str().unwrap().parse().unwrap());
    let ban = |target, until: u64| {
        let until = Some(Duration::from_secs(until));
        rules.ban(Bans::new(vec![Ban { target, reason: "for cheating".to_owned(), until }]));
    };
    ban(Target::Account(account), u64::MAX);
    let character = json!({ "name": "Hero" });
    for got in [
        server.post("/api/login", "", &login).await,
        server.post("/api/refresh", &token, &json!({})).await,
        server.post("/api/characters", &token, &character).await,
        server.get_as("/api/characters", &token).await,
    ] {
        got.expect_problem(403, "banned");
        assert!(got.body.contains("for cheating") && !got.header("retry-after").is_empty());
    }
    assert_eq!(server.metrics.requests_refused.with_label_values(&["banned"]).get(), 4);
    let other = server.post("/api/guest", "", &json!({})).await;
    assert_eq!(other.status, 201, "others are let in");
    ban(Target::Account(account), 1);
    assert_eq!(server.post("/api/login", "", &login).await.status, 200);
    ban(Target::Address("0.0.0.0/0".parse().unwrap()), u64::MAX);
    server.post("/api/guest", "", &json!({})).await.expect_problem(403, "banned");
    assert_eq!(server.get("/index.html").await.status, 200, "the page says why");
}

#[tokio::test]
async fn while_no_accounts_are_made_those_that_there_are_log_in() {
    let rules = Arc::new(Rules::default());
    let server = server(Config { rules: rules.clone(), ..Config::default() });
    let login = json!({ "name": "Ada", "password": "correct horse" });
    assert_eq!(server.post("/api/register", "", &login).await.status, 201);
    rules.set_flags(Flags { register_accounts: false, ..Flags::default() });
    let other = json!({ "name": "Bob", "password": "correct horse" });
    server.post("/api/register", "", &other).await.expect_problem(403, "closed");
    server.post("/api/guest", "", &json!({})).await.expect_problem(403, "closed");
    assert_eq!(server.post("/api/login", "", &login).await.status, 200);
}

#[tokio::test]
async fn a_guest_makes_a_character_and_keeps_it_when_it_registers() {
    let server = server(Config::default());
    let guest = server.post("/api/guest", "", &json!({})).await;
    assert_eq!(guest.status, 201);
    assert!(guest.json()["name"].as_str().unwrap().starts_with("guest-"));
    assert_eq!(guest.json()["characters"], json!([]));
    let guest_token = token(&guest);
    let made = server.post("/api/characters", &guest_token, &json!({ "name": " Hero " })).await;
    assert_eq!(made.status, 201);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let expected = json!(
        { "id": id, "name": "Hero", "level": 1, "depth": 1, "gold": 0 }
    );
    assert_eq!(made.json(), expected);
    assert_eq!(server.get_as("/api/characters", &guest_token).await.json(), json!([expected]));

    let login = json!({ "name": "Ada", "password": "correct horse" });
    let registered = server.post("/api/register", &guest_token, &login).await;
    assert_eq!(registered.status, 201);
    assert_eq!(registered.json()["account"], guest.json()["account"]);
    let back = server.post("/api/login", "", &login).await;
    assert_eq!(back.status, 200);
    assert_eq!(back.json()["characters"], json!([expected]));
    let fresh = server.post("/api/refresh", &token(&back), &json!({})).await;
    assert_eq!((fresh.status, &fresh.json()["name"]), (200, &json!("Ada")));
    assert_eq!(server.get_as("/api/characters", &token(&fresh)).await.status, 200);
}

#[tokio::test]
async fn problems_have_a_sentence_and_a_code() {
    let server = server(Config::default());
    let login = |name: &str, password: &str| json!({ "name": name, "password": password });
    let ada = login("Ada", "correct horse");
    assert_eq!(server.post("/api/register", "", &ada).await.status, 201);
    let post = |path, body| {
        let server = &server;
        async move { server.post(path, "", &body).await }
    };
    post("/api/register", login("ADA", "correct horse")).await.expect_problem(409, "name_taken");
    post("/api/register", login("a\u{200b}", "correct horse"))
        .await
        .expect_problem(400, "bad_name");
    post("/api/register", login("Eve", "short")).await.expect_problem(400, "bad_password");
    post("/api/login", login("Ada", "wrong horse")).await.expect_problem(401, "wrong_password");
    post("/api/login", login("Eve", "wrong horse")).await.expect_problem(401, "wrong_password");
    post("/api/login", json!({ "name": "Ada" })).await.expect_problem(400, "malformed");
    post("/api/login", json!({ "name": 7, "password": [] })).await.expect_problem(400, "malformed");
    post("/api/guest", json!({ "admin": true })).await.expect_problem(400, "malformed");
    post("/api/guest", json!([])).await.expect_problem(400, "malformed");
    post("/api/login", json!(["Ada", "correct horse"])).await.expect_problem(400, "malformed");
    post("/api/characters", json!({ "name": "Hero" })).await.expect_problem(401, "no_token");
    post("/api/nothing", json!({})).await.expect_problem(404, "not_found");
    server.get("/api/login").await.expect_problem(405, "method_not_allowed");
    server.get("/api/characters").await.expect_problem(401, "no_token");
    server.get("/../Cargo.toml").await.expect_problem(404, "not_found");
    let plain = server.send(Request::post("/api/guest"), "{}").await;
    plain.expect_problem(415, "not_json");
    let long = login("Ada", &"x".repeat(20_000));
    post("/api/login", long).await.expect_problem(413, "too_large");
    let request = Request::post("/api/login").header("content-type", "application/json");
    server.send(request, "{\"name\":").await.expect_problem(400, "malformed");
}

#[tokio::test]
async fn tokens_of_another_server_or_kind_open_nothing() {
    let server = server(Config::default());
    let account = server.store.create_guest(1).unwrap().id;
    let claims = |kind| Claims { account, issued: 0, expires: u64::MAX, kind };
    let session = Kind::Session { session: crate::model::SessionId(1), character: CharacterId(1) };
    let ours = Tokens::new(&[9; 32]);
    for bad in [
        Tokens::new(&[8; 32]).issue(&claims(Kind::Access)),
        ours.issue(&claims(session)),
        ours.issue(&Claims { expires: 1, ..claims(Kind::Access) }),
        "nonsense".into(),
    ] {
        server.get_as("/api/characters", &bad).await.expect_problem(401, "bad_token");
        let login = json!({ "name": "Ada", "password": "correct horse" });
        server.post("/api/register", &bad, &login).await.expect_problem(401, "bad_token");
    }
    let lost = ours.issue(&Claims { account: AccountId(77), ..claims(Kind::Access) });
    let body = json!({ "name": "Hero" });
    server.post("/api/characters", &lost, &body).await.expect_problem(401, "no_account");
    server.post("/api/refresh", &lost, &json!({})).await.expect_problem(401, "no_account");
}

#[tokio::test]
async fn the_hall_of_fame_and_the_facts_are_for_everybody() {
    let config = Config {
        certificate_hashes: Arc::new(RwLock::new(vec!["abc=".into()])),
        ..Config::default()
    };
    let server = server(config);
    let account = server.store.create_guest(1).unwrap().id;
    let hero = server.store.create_character(account, "Hero", 1).unwrap().id;
    let summary = Summary { level: 3, depth: 4, gold: 50 };
    let death = Death { summary, cause: "killed by a jackal".into(), at: 99 };
    server.store.record_death("k", hero, &death).unwrap();
    let fame = server.get("/api/hall-of-fame").await;
    let row = json!({
        "name": "Hero", "level": 3, "depth": 4, "gold": 50, "cause": "killed by a jackal", "at": 99
    });
    assert_eq!(fame.json(), json!([row]));
    let info = server.get("/api/info").await.json();
    assert_eq!(info["quic_port"], 7778);
    assert_eq!(info["protocol"], crate::protocol::VERSION);
    assert_eq!(info["certificate_hashes"], json!(["abc="]));
    assert_eq!(info["ticks_per_second"], 20);
}

#[tokio::test]
async fn files_are_kept_by_browsers_as_long_as_they_are_the_same() {
    let server = server(Config::default());
    for path in ["/", "/index.html", "/content.json"] {
        let first = server.get(path).await;
        assert_eq!(first.status, 200, "{path}");
        assert_eq!(first.header("cache-control"), "no-cache");
        let tag = first.header("etag");
        for asked in [tag, &format!("W/{tag}"), &format!("\"other\", {tag}"), "*"] {
            let request = Request::get(path).header("if-none-match", asked);
            let again = server.send(request, Body::empty()).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""));
            assert_eq!(again.header("etag"), tag);
        }
        let request = Request::get(path).header("if-none-match", "\"other\"");
        assert_eq!(server.send(request, Body::empty()).await.status, 200);
    }
    let page = server.get("/").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.body, "<!doctype html>");
    server.send(Request::post("/"), Body::empty()).await.expect_problem(405, "method_not_allowed");
}

#[tokio::test]
async fn browsers_are_told_to_load_and_to_reach_this_server_alone() {
    let server = server(Config::default());
    let policy = |host: &str| {
        let request = Request::get("/").header("host", host);
        let server = &server;
        async move {
            let got = server.send(request, Body::empty()).await;
            assert_eq!(got.header("x-content-type-options"), "nosniff");
            got.header("content-security-policy").to_owned()
        }
    };
    let text = policy("play.example.org:8080").await;
    assert!(text.starts_with("default-src 'none'; script-src 'self';"), "{text}");
    assert!(!text.contains("unsafe"), "{text}");
    let reach = "connect-src 'self' ws://play.example.org:8080 wss://play.example.org:8080 \
                 https://play.example.org:7778";
    assert!(text.ends_with(reach), "{text}");
    assert!(policy("[::1]:8080").await.ends_with("wss://[::1]:8080 https://[::1]:7778"));
    assert!(policy("a; script-src *").await.ends_with("connect-src 'self'"));
    assert_eq!(server.get("/api/info").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn each_address_has_its_own_limit() {
    let server = server(Config { requests_per_minute: 3, ..Config::default() });
    let ask = |peer: &str| {
        let peer = SocketAddr::new(peer.parse().unwrap(), 999);
        server.send(Request::get("/api/info").extension(ConnectInfo(peer)), Body::empty())
    };
    for _ in 0..3 {
        assert_eq!(ask("10.0.0.1").await.status, 200);
    }
    let refused = ask("10.0.0.1").await;
    refused.expect_problem(429, "too_many_requests");
    assert!((1..=20).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
    assert_eq!(ask("10.0.0.2").await.status, 200);
    assert_eq!(ask("::ffff:10.0.0.1").await.status, 429);
    for _ in 0..20 {
        assert_eq!(server.get("/").await.status, 200, "files are not limited");
    }
    let text = server.metrics.encode();
    assert!(text.contains("game_server_rate_limits_exceeded_total{limit=\"http\"} 2"), "{text}");
    let labels = "{route=\"info\",status=\"429\"} 2";
    assert!(text.contains(&format!("game_server_request_duration_seconds_count{labels}")));
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let server = server(Config { requests_per_minute: 8, ..Config::default() });
    let ask = async |method: &str, path: &str, name: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(name) = name {
            request = request.header("x-request-id", name);
        }
        let got = server.send(request, Body::empty()).await;
        (got.status, got.header("x-request-id").to_owned())
    };
    let mut made = std::collections::BTreeSet::new();
    for (method, path, status) in [
        ("GET", "/", 200),
        ("GET", "/content.json", 200),
        ("GET", "/api/info", 200),
        ("GET", "/api/characters", 401),
        ("POST", "/api/login", 415),
        ("POST", "/api/info", 405),
        ("GET", "/nothing", 404),
    ] {
        assert_eq!(ask(method, path, Some("a-1")).await, (status, "a-1".to_owned()), "{path}");
        let (_, name) = ask(method, path, Some("not plain")).await;
        assert!(name.len() == 16 && made.insert(name.clone()), "{path}: {name}");
    }
    assert_eq!(ask("GET", "/api/info", Some("a-2")).await, (429, "a-2".to_owned()));
}

#[tokio::test]
async fn a_flood_of_logins_is_sent_away_and_not_kept_waiting() {
    let server = Arc::new(server(Config { requests_per_minute: 100_000, ..Config::default() }));
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..HASHES_WAITING_MAX + 20 {
        let server = server.clone();
        all.spawn(async move {
            let body = json!({ "name": "Ada", "password": "correct horse" });
            server.post("/api/login", "", &body).await
        });
    }
    let (mut busy, mut wrong) = (0, 0);
    while let Some(got) = all.join_next().await {
        let got = got.unwrap();
        match got.json()["code"].as_str() {
            Some("busy") => {
                assert_eq!((got.status, got.header("retry-after")), (503, "1"));
                busy += 1;
            }
            _ => {
                got.expect_problem(401, "wrong_password");
                wrong += 1;
            }
        }
    }
    assert!(wrong >= HASHES_WAITING_MAX, "{wrong} were answered");
    assert_eq!(busy + wrong, HASHES_WAITING_MAX + 20);
}

#[tokio::test]
async fn the_best_and_their_duels_are_listed_and_stay_good_for_a_while() {
    let server = server(Config::default());
    let store = &server.store;
    let account = store.create_guest(1).unwrap().id;
    let [ada, eve] =
        ["Ada", "Eve"].map(|name| store.create_character(account, name, 1).unwrap().id);
    assert_eq!(server.get("/api/leaderboard?by=gold").await.json(), json!([]));
    for at in 0..25 {
        let arena = crate::model::ZoneId(1_001);
        let bout = Bout { arena, winners: &[ada], losers: &[eve], at };
        store.record_bout(&at.to_string(), &bout, |_, _| 2).unwrap();
    }
    let best = server.get("/api/leaderboard?by=rating").await;
    let row = |id: CharacterId, name: &str, rating: i32, wins: u32, losses: u32| {
        json!({
            "character": id.to_string(), "name": name, "level": 1, "depth": 1, "gold": 0,
            "rating": rating, "wins": wins, "losses": losses,
        })
    };
    assert_eq!(best.json(), json!([row(ada, "Ada", 1_550, 25, 0), row(eve, "Eve", 1_450, 0, 25)]));
    let said = best.header("cache-control").strip_prefix("public, max-age=").unwrap();
    assert!(said.parse::<u32>().unwrap() <= 30, "{said}");

    let path = format!("/api/characters/{eve}/duels");
    let page = server.get(&path).await.json();
    let duels = page["duels"].as_array().unwrap();
    assert_eq!(duels.len(), 20);
    let newest = json!({
        "number": 25, "arena": "The Sandpit", "opponent": "Ada", "won": false, "change": -2,
        "rating": 1_450, "at": 24,
    });
    assert_eq!(duels[0], newest);
    let rest = server.get(&format!("{path}?before={}", page["before"])).await.json();
    assert_eq!((rest["duels"].as_array().unwrap().len(), &rest["before"]), (5, &Value::Null));

    // What comes meanwhile is seen when the answer has gone stale.
    let arena = crate::model::ZoneId(1_001);
    let bout = Bout { arena, winners: &[eve], losers: &[ada], at: 99 };
    store.record_bout("last", &bout, |_, _| 2).unwrap();
    assert_eq!(server.get(&path).await.json(), page);
    let text = server.metrics.encode();
    for line in [
        "game_server_cache_hits_total{cache=\"history\"} 1",
        "game_server_cache_misses_total{cache=\"history\"} 2",
        "game_server_cache_misses_total{cache=\"leaderboard\"} 2",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }

    server.get("/api/characters/77/duels").await.expect_problem(404, "no_character");
    server.get("/api/characters/Ada/duels").await.expect_problem(404, "not_found");
    for bad in ["/api/leaderboard?by=name", "/api/leaderboard?x=1", &format!("{path}?before=-1")] {
        server.get(bad).await.expect_problem(400, "bad_query");
    }
    let document = server.get("/api/openapi.json").await;
    assert_eq!(document.header("cache-control"), "public, max-age=300");
}
