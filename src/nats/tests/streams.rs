use async_nats::jetstream::kv;

use super::server::{Server, runtime};
use crate::nats::table::Table;
use crate::nats::{Config, Nats};

#[test]
fn replicas_that_have_no_place_are_named_with_the_remedy() {
    let Some(server) = Server::start("replicas") else { return };
    let config = Config { replicas: Some(3), ..server.config() };
    let nats = Nats::connect(runtime(), &config).unwrap();
    let error = Table::open(&nats, "zones").unwrap_err().to_string();
    assert!(error.contains("3 replicas of KV_test"), "{error}");
    assert!(error.contains("--nats-replicas") && !error.contains('\n'), "{error}");
}

#[test]
fn a_table_of_an_older_version_is_asked_of_its_leader_from_now_on() {
    let Some(server) = Server::start("older") else { return };
    let nats = server.connect();
    let bucket = format!("{}-zones", nats.prefix());
    let config = kv::Config { bucket: bucket.clone(), history: 1, ..kv::Config::default() };
    let older = nats.wait(nats.jetstream().create_key_value(config)).unwrap();
    nats.wait(older.put("a", "one".into())).unwrap();
    let asks_anybody = || {
        let stream = nats.wait(nats.jetstream().get_stream(format!("KV_{bucket}"))).unwrap();
        stream.cached_info().config.allow_direct
    };
    assert!(asks_anybody());
    let table = Table::open(&nats, "zones").unwrap();
    assert!(!asks_anybody());
    assert_eq!(table.get("a").unwrap().unwrap().value, "one");
}
