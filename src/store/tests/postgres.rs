//! What only PostgreSQL can, and what can go wrong with it.

use sqlx::{AssertSqlSafe, Connection, PgConnection, query, query_scalar, raw_sql};

use super::super::postgres::{CHARACTERS, HALL_OF_FAME};
use super::*;

fn open(url: &str) -> Result<PostgresStore, ConnectError> {
    PostgresStore::open(runtime(), url)
}

/// Does what an operator does.
fn sql(url: &str, statements: &'static str) {
    runtime().block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        raw_sql(statements).execute(&mut connection).await.unwrap();
    });
}

#[test]
fn a_server_that_went_away_is_used_again_when_it_is_back() {
    let Some(server) = Server::start() else { return };
    let store = Store::Postgres(server.open().unwrap());
    let id = hero(&store);
    for (version, end) in [(1, Server::stop as fn(&Server)), (2, Server::kill)] {
        let (key, sheet) = (format!("k{version}"), sheet(version, "text"));
        let save = || store.save_sheet(&key, id, summary(2, 2, 2), 2, &sheet);
        end(&server);
        for error in [
            store.character(id).unwrap_err(),
            save().unwrap_err(),
            store.create_guest(1).unwrap_err(),
            store.begin_session(id, SessionId(1)).unwrap_err(),
        ] {
            let text = error.to_string();
            let is_away = matches!(error, StoreError::Unavailable { .. }) && error.is_temporary();
            assert!(is_away, "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
        server.start_again();
        assert_eq!(save().unwrap(), Applied::Now);
        assert_eq!(store.character(id).unwrap().unwrap().1, sheet);
    }
}

#[test]
fn a_server_that_falls_silent_keeps_nobody() {
    let Some(server) = Server::start() else { return };
    let store = Store::Postgres(server.open().unwrap());
    let id = hero(&store);
    // All connections are there, and all are idle.
    assert_eq!(at_once(20, |_| store.character(id).is_ok()), 20);
    server.freeze();
    // More than there are connections.
    assert_eq!(at_once(20, |_| store.character(id).is_ok()), 0);
    let error = store.character(id).unwrap_err();
    assert!(error.is_temporary(), "{error}");
    server.wake();
    assert_eq!(at_once(20, |_| store.character(id).is_ok()), 20);
}

#[test]
fn a_row_that_stays_locked_is_waited_for_no_longer_than_a_moment() {
    let Some(server) = Server::start() else { return };
    let store = Store::Postgres(server.open().unwrap());
    let id = hero(&store);
    let begin = || store.begin_session(id, SessionId(5));
    let mut other = runtime().block_on(PgConnection::connect(&server.own_url())).unwrap();
    let mut transaction = runtime().block_on(other.begin()).unwrap();
    let lock = query("SELECT 1 FROM characters FOR UPDATE");
    runtime().block_on(lock.execute(&mut *transaction)).unwrap();
    let error = begin().unwrap_err();
    assert!(error.is_temporary(), "{error}");
    runtime().block_on(transaction.rollback()).unwrap();
    assert_eq!(store.session(id).unwrap(), None);
    begin().unwrap();
}

#[test]
fn two_stores_share_a_database() {
    let Some(server) = Server::start() else { return };
    // Both find no tables.
    let stores: Vec<Store> = thread::scope(|scope| {
        let opening = [(); 2].map(|()| scope.spawn(|| Store::Postgres(server.open().unwrap())));
        opening.map(|thread| thread.join().unwrap()).into()
    });
    let [one, two] = &stores[..] else { panic!("two were opened") };
    let either = |n: usize| if n.is_multiple_of(2) { one } else { two };
    for n in 0..10 {
        let name = format!("Ada {n}");
        assert_eq!(at_once(2, |n| either(n).register(&name, "hash", 1).is_ok()), 1);
        assert_eq!(one.account_by_name(&name).unwrap(), two.account_by_name(&name).unwrap());
    }
    let account = one.create_guest(1).unwrap().id;
    let made =
        at_once(20, |n| either(n).create_character(account, &format!("Hero {n}"), 2).is_ok());
    assert_eq!(made, CHARACTERS_PER_ACCOUNT_MAX);

    let id = two.characters(account).unwrap()[0].id;
    one.begin_session(id, SessionId(7)).unwrap();
    assert_eq!(two.session(id).unwrap(), Some(SessionId(7)));
    two.begin_session(id, SessionId(8)).unwrap();
    one.end_session(id, SessionId(7)).unwrap();
    assert_eq!(one.session(id).unwrap(), Some(SessionId(8)));

    let save = |store: &Store| store.save_sheet("k", id, summary(3, 2, 1), 2, &sheet(4, "four"));
    assert_eq!(save(one).unwrap(), Applied::Now);
    assert_eq!(save(two).unwrap(), Applied::Before);
}

#[test]
fn a_store_is_the_same_after_it_was_opened_again() {
    let Some(server) = Server::start() else { return };
    let store = Store::Postgres(server.open().unwrap());
    let id = hero(&store);
    store.save_sheet("k", id, summary(2, 2, 2), 2, &sheet(1, "one")).unwrap();
    let before = store.character(id).unwrap();
    drop(store);
    let store = Store::Postgres(server.open().unwrap());
    assert_eq!(store.character(id).unwrap(), before);
    let again = store.save_sheet("k", id, summary(9, 9, 9), 2, &sheet(1, "two")).unwrap();
    assert_eq!(again, Applied::Before);
}

#[test]
fn a_task_that_may_block_may_call() {
    let Some(server) = Server::start() else { return };
    let store = Store::Postgres(server.open().unwrap());
    let made = runtime().block_on(async {
        tokio::task::spawn_blocking(move || store.create_guest(3)).await.unwrap()
    });
    assert_eq!(made.unwrap().created, 3);
}

#[test]
fn a_database_that_cannot_be_used_is_named_with_cause_and_remedy() {
    let Some(server) = Server::start() else { return };
    let check = |url: &str, is_right: fn(&ConnectError) -> bool, words: &str| {
        let error = open(url).unwrap_err();
        let text = error.to_string();
        assert!(is_right(&error) && text.contains(words), "{text}");
        assert!(!text.contains("secret") && !text.contains('\n'), "{text}");
    };
    let refused = |error: &ConnectError| matches!(error, ConnectError::Refused { .. });
    check(&server.url("admin:secret2", "postgres"), refused, "check user and password");
    check(&server.url("nobody:secret", "postgres"), refused, "check user and password");
    let missing = |error: &ConnectError| matches!(error, ConnectError::NoDatabase { .. });
    check(&server.url("admin:secret", "elsewhere"), missing, "\"elsewhere\" does not exist");

    sql(&server.own_url(), "CREATE ROLE guest LOGIN PASSWORD 'secret'");
    let tables = |error: &ConnectError| matches!(error, ConnectError::Tables { .. });
    check(&server.url("guest:secret", "postgres"), tables, "permission denied");
    sql(&server.own_url(), "CREATE DATABASE theirs");
    let theirs = server.url("admin:secret", "theirs");
    sql(&theirs, "CREATE TABLE accounts(x TEXT)");
    check(&theirs, tables, "\"accounts\" already exists");

    drop(server.open().unwrap());
    sql(
        &server.own_url(),
        "INSERT INTO _sqlx_migrations(version, description, success, checksum, execution_time)
         VALUES(99, 'from tomorrow', TRUE, '', 0)",
    );
    let newer =
        |error: &ConnectError| matches!(error, ConnectError::Newer { found: 99, known: 2, .. });
    check(&server.own_url(), newer, "update the server");

    server.stop();
    let unreachable = |error: &ConnectError| matches!(error, ConnectError::Unreachable { .. });
    check(&server.own_url(), unreachable, "refused");
}

#[test]
fn an_address_that_is_none_is_refused_and_not_repeated() {
    for url in [
        "",
        "admin:secret@host/world",
        "http://admin:secret@host/world",
        "postgres://admin:secret@host:port/world",
        "postgres://admin:9/secret@host/world",
        "postgres://admin:9?secret@host/world",
        "postgres://admin:9#secret@host/world",
        "postgres://admin:secret@host/world?sslmode=perhaps",
    ] {
        let error = open(url).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ConnectError::Address { .. }), "{url}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn lists_that_players_ask_for_come_from_an_index() {
    let Some(server) = Server::start() else { return };
    drop(server.open().unwrap());
    sql(
        &server.own_url(),
        "INSERT INTO accounts(created) SELECT 1 FROM generate_series(1, 5000);
         INSERT INTO characters(account, name, folded, level, depth, gold, created)
         SELECT n % 5000 + 1, 'Hero ' || n, 'hero ' || n, 1, 1, 0, 1 FROM generate_series(1, 20000) n;
         INSERT INTO hall_of_fame
         SELECT 'key ' || n, 'Hero', 1, n % 26, n % 777, 'a fall', n FROM generate_series(1, 20000) n;
         ANALYZE",
    );
    let lists =
        [(CHARACTERS, "characters_of_account"), (HALL_OF_FAME, "Index Scan using fame_by_gold")];
    for (statement, index) in lists {
        let plan: Vec<String> = runtime().block_on(async {
            let mut connection = PgConnection::connect(&server.own_url()).await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN {statement}"));
            query_scalar(explain).bind(20_i64).fetch_all(&mut connection).await.unwrap()
        });
        let plan = plan.join("\n");
        assert!(plan.contains(index), "{plan}");
    }
}
