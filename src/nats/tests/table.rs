use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;

use super::server::Server;
use crate::nats::table::{Replaced, Row, Table, Watched};
use crate::nats::{ConnectionState, Nats};

fn replace(nats: &Nats, table: &Table, value: &'static str, expected: u64) -> Replaced {
    nats.wait(table.replace("a", Bytes::from_static(value.as_bytes()), expected))
}

fn until(rows: &Receiver<Row>, value: &str) -> Row {
    rows.iter().find(|row| row.key == "a" && row.value == value).unwrap()
}

/// Sends on the rows of a watch, which must not end.
fn watch(table: &Table, tell: Sender<Row>) -> tokio::task::JoinHandle<()> {
    table.watch(move |watched| match watched {
        Watched::Row(row) => drop(tell.send(row)),
        Watched::Ended => panic!("the watch has ended"),
    })
}

#[test]
fn a_record_is_replaced_only_where_its_revision_is_expected_and_all_are_told() {
    let Some(server) = Server::start("table") else { return };
    let nats = server.connect();
    let table = Table::open(&nats, "zones").unwrap();
    let Replaced::Written(first) = replace(&nats, &table, "one", 0) else { panic!("a new record") };
    assert_eq!(replace(&nats, &table, "other", 0), Replaced::Refused);
    assert_eq!(replace(&nats, &table, "other", first + 1), Replaced::Refused);
    let (tell, rows) = channel();
    let watch = watch(&table, tell);
    assert_eq!(until(&rows, "one").revision, first);
    let Replaced::Written(second) = replace(&nats, &table, "two", first) else {
        panic!("as it is")
    };
    assert_eq!(until(&rows, "two").revision, second);
    // The same table, opened again.
    let again = Table::open(&nats, "zones").unwrap();
    assert_eq!(replace(&nats, &again, "three", first), Replaced::Refused);
    watch.abort();
}

#[test]
fn a_write_without_an_answer_is_looked_up_when_the_server_is_back() {
    let Some(mut server) = Server::start("table-killed") else { return };
    let nats = server.connect();
    let table = Table::open(&nats, "zones").unwrap();
    let Replaced::Written(first) = replace(&nats, &table, "one", 0) else { panic!("a new record") };
    let (tell, rows) = channel();
    let watch = watch(&table, tell);
    until(&rows, "one");
    server.kill();
    let mut state = nats.state();
    nats.wait(state.wait_for(|&state| state == ConnectionState::Lost)).unwrap();
    let (told, answers) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| told.send(replace(&nats, &table, "two", first)).unwrap());
        server.restart();
        match answers.recv().unwrap() {
            Replaced::Written(second) => assert_eq!(until(&rows, "two").revision, second),
            // It may still arrive, but only where nobody else has written.
            Replaced::Unknown(row) => assert!(row.is_some()),
            Replaced::Refused => panic!("nobody else writes"),
        }
    });
    nats.wait(state.wait_for(|&state| state == ConnectionState::Up)).unwrap();
    // The watch goes on by itself.
    let revision = nats.wait(table.replace("b", Bytes::from_static(b"new"), 0));
    assert!(matches!(revision, Replaced::Written(_)), "{revision:?}");
    assert!(rows.iter().any(|row| row.key == "b"));
    watch.abort();
}
