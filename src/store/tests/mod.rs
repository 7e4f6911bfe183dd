//! What every store must do.

mod postgres;
mod results;
mod server;
mod sqlite;

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;
use crate::disk::DataFolder;
use crate::disk::scratch::Scratch;
use crate::model::SessionId;
use crate::model::limits::CHARACTERS_PER_ACCOUNT_MAX;
use crate::nats::tests::server::runtime;
use server::Server;

impl Server {
    fn open(&self) -> Result<PostgresStore, ConnectError> {
        PostgresStore::open(runtime(), &self.own_url())
    }
}

/// Runs a test over a file, over its twin in memory and over PostgreSQL.
fn check(name: &str, test: impl Fn(&Store)) {
    let scratch = Scratch::new(name);
    let folder = DataFolder::open(&scratch.0).unwrap();
    test(&Store::open(&folder, Config::default()).unwrap());
    test(&Store::in_memory().unwrap());
    if let Some(server) = Server::start() {
        test(&Store::Postgres(server.open().unwrap()));
    }
}

/// Does the same on several threads; how often it was done.
fn at_once(times: usize, is_done: impl Fn(usize) -> bool + Sync) -> usize {
    let (start, done) = (Barrier::new(times), AtomicUsize::new(0));
    thread::scope(|scope| {
        for time in 0..times {
            let (start, done, is_done) = (&start, &done, &is_done);
            scope.spawn(move || {
                start.wait();
                if is_done(time) {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner()
}

fn summary(level: u32, depth: u32, gold: u64) -> Summary {
    Summary { level, depth, gold }
}

fn sheet(version: u64, text: &str) -> Sheet {
    Sheet { version, bytes: text.into() }
}

fn hero(store: &Store) -> CharacterId {
    let account = store.create_guest(1).unwrap().id;
    store.create_character(account, "Hero", 2).unwrap().id
}

#[test]
fn accounts_are_found_by_number_and_by_name_in_any_case() {
    check("accounts", |store| {
        let guest = store.create_guest(100).unwrap();
        let ada = store.register("Ada", "hash", 101).unwrap();
        assert!(guest.id.0 > 0 && guest.id != ada.id);
        assert_eq!(guest.name, None);
        assert_eq!(store.account(guest.id).unwrap(), Some(guest));
        assert_eq!(store.account_by_name("aDA").unwrap(), Some(ada.clone()));
        for nobody in ["Eve", "A\0da", "", &"a".repeat(9_000)] {
            assert_eq!(store.account_by_name(nobody).unwrap(), None);
        }
        assert_eq!(store.account(AccountId(u64::MAX)).unwrap(), None);
        assert_eq!(store.account(ada.id).unwrap().unwrap().password_hash.unwrap(), "hash");
        store.register("Жанна", "hash", 102).unwrap();
        for name in ["ADA", "жанна"] {
            let error = store.register(name, "other", 103).unwrap_err();
            assert!(matches!(error, StoreError::NameTaken { .. }), "{error}");
        }
    });
}

#[test]
fn a_guest_becomes_a_registered_account_once() {
    check("claim", |store| {
        let guest = store.create_guest(100).unwrap().id;
        store.create_character(guest, "Hero", 1).unwrap();
        store.register("Ada", "hash", 101).unwrap();
        let error = store.claim_guest(guest, "ada", "mine").unwrap_err();
        assert!(matches!(error, StoreError::NameTaken { .. }));
        let account = store.claim_guest(guest, "Eve", "mine").unwrap();
        assert_eq!(account.id, guest);
        assert_eq!(store.account_by_name("eve").unwrap(), Some(account));
        assert_eq!(store.characters(guest).unwrap().len(), 1);
        let error = store.claim_guest(guest, "Eva", "mine").unwrap_err();
        assert!(matches!(error, StoreError::NoAccount { .. }));
    });
}

#[test]
fn characters_belong_to_their_account_and_have_a_name_of_their_own() {
    check("characters", |store| {
        let (one, two) = (store.create_guest(1).unwrap().id, store.create_guest(1).unwrap().id);
        let first = store.create_character(one, "Hero", 5).unwrap();
        assert_eq!(first.summary, summary(1, 1, 0));
        assert!(matches!(
            store.create_character(two, "HERO", 6),
            Err(StoreError::NameTaken { .. })
        ));
        assert!(matches!(
            store.create_character(AccountId(99), "Nobody", 6),
            Err(StoreError::NoAccount { .. })
        ));
        for n in 1..CHARACTERS_PER_ACCOUNT_MAX {
            store.create_character(one, &format!("Hero {n}"), 7).unwrap();
        }
        assert!(matches!(
            store.create_character(one, "One more", 8),
            Err(StoreError::TooManyCharacters { .. })
        ));
        let all = store.characters(one).unwrap();
        assert_eq!(all.len(), CHARACTERS_PER_ACCOUNT_MAX);
        assert_eq!(all.last(), Some(&first));
        assert!(store.characters(two).unwrap().is_empty());
        assert_eq!(store.character(first.id).unwrap(), Some((first, Sheet::default())));
        assert_eq!(store.character(CharacterId(999)).unwrap(), None);
    });
}

#[test]
fn a_sheet_is_kept_once_and_never_goes_back() {
    check("sheets", |store| {
        let id = hero(store);
        let save = |key: &str, version, text: &str| {
            store.save_sheet(key, id, summary(2, 3, version), 2, &sheet(version, text)).unwrap()
        };
        let kept = || store.character(id).unwrap().unwrap();
        assert_eq!(save("1/50/1", 5, "five"), Applied::Now);
        assert_eq!(save("1/50/1", 5, "again"), Applied::Before);
        assert_eq!(save("2/10/1", 4, "older"), Applied::Before);
        assert_eq!(kept().1, sheet(5, "five"));
        assert_eq!(save("2/60/1", 5, "same version"), Applied::Now);
        assert_eq!(save("1/50/1", 5, "again"), Applied::Before);
        assert_eq!(kept().1, sheet(5, "same version"));
        assert_eq!(save("2/70/1", 9, "nine"), Applied::Now);
        assert_eq!(save("1/50/1", 5, "again"), Applied::Before);
        assert_eq!(save("2/60/1", 5, "again"), Applied::Before);
        let (character, sheet_kept) = kept();
        assert_eq!(sheet_kept, sheet(9, "nine"));
        assert_eq!(character.summary, summary(2, 3, 9));
        let nobody = store.save_sheet("k", CharacterId(99), summary(1, 1, 1), 2, &sheet(1, ""));
        assert!(matches!(nobody, Err(StoreError::NoCharacter { .. })));
    });
}

#[test]
fn the_dead_are_listed_once_and_wake_up_again() {
    check("fame", |store| {
        let id = hero(store);
        let death = |gold, depth, at| Death {
            summary: summary(4, depth, gold),
            cause: "killed by a jackal".into(),
            at,
        };
        assert_eq!(store.record_death("a", id, &death(70, 2, 10)).unwrap(), Applied::Now);
        assert_eq!(store.record_death("a", id, &death(99, 9, 99)).unwrap(), Applied::Before);
        let (character, _) = store.character(id).unwrap().unwrap();
        let taken = store.create_character(character.account, "hero", 3);
        assert!(matches!(taken, Err(StoreError::NameTaken { .. })));
        let next = store.create_character(character.account, "heroine", 3).unwrap();
        for (key, gold, depth, at) in [("b", 900, 3, 20), ("c", 70, 5, 30), ("d", 70, 5, 25)] {
            store.record_death(key, next.id, &death(gold, depth, at)).unwrap();
        }
        let fame = store.hall_of_fame(3).unwrap();
        let order: Vec<u64> = fame.iter().map(|f| f.death.at).collect();
        assert_eq!(order, [20, 25, 30]);
        assert_eq!(fame[0].name, "heroine");
        assert_eq!(store.hall_of_fame(50).unwrap().len(), 4);
        let nobody = store.record_death("e", CharacterId(99), &death(1, 1, 1));
        assert!(matches!(nobody, Err(StoreError::NoCharacter { .. })));
    });
}

#[test]
fn a_character_has_one_session_until_it_ends() {
    check("sessions", |store| {
        let (id, other) = (hero(store), SessionId(7));
        let newest = SessionId(u64::MAX - 1);
        assert_eq!(store.session(id).unwrap(), None);
        store.begin_session(id, other).unwrap();
        store.begin_session(id, newest).unwrap();
        store.end_session(id, other).unwrap();
        assert_eq!(store.session(id).unwrap(), Some(newest));
        store.end_session(id, newest).unwrap();
        assert_eq!(store.session(id).unwrap(), None);
        let nobody = store.begin_session(CharacterId(99), other);
        assert!(matches!(nobody, Err(StoreError::NoCharacter { .. })));
    });
}

#[test]
fn what_is_asked_at_once_is_done_once() {
    check("at-once", |store| {
        let account = store.create_guest(1).unwrap().id;
        let is_made = |name: &str| match store.create_character(account, name, 2) {
            Ok(_) => true,
            Err(StoreError::NameTaken { .. } | StoreError::TooManyCharacters { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(at_once(8, |_| is_made("Hero")), 1);
        let made = at_once(20, |n| is_made(&format!("Hero {n}")));
        assert_eq!(made, CHARACTERS_PER_ACCOUNT_MAX - 1);
        let all = store.characters(account).unwrap();
        assert_eq!(all.len(), CHARACTERS_PER_ACCOUNT_MAX);

        assert_eq!(at_once(8, |_| store.register("Ada", "hash", 1).is_ok()), 1);
        let is_claimed = |n| {
            let guest = store.create_guest(1).unwrap().id;
            match store.claim_guest(guest, "Eve", &format!("hash {n}")) {
                Ok(_) => true,
                Err(StoreError::NameTaken { .. }) => false,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(at_once(8, is_claimed), 1);

        let id = all[0].id;
        let is_saved = |n| {
            let told = store.save_sheet("key", id, summary(2, 2, 2), 2, &sheet(3, &format!("{n}")));
            told.unwrap() == Applied::Now
        };
        assert_eq!(at_once(8, is_saved), 1);
        // Of sheets that come together the newest stays.
        at_once(20, |n| {
            let version = 10 + n as u64;
            store
                .save_sheet(&format!("key {n}"), id, summary(2, 2, 2), 2, &sheet(version, ""))
                .is_ok()
        });
        assert_eq!(store.character(id).unwrap().unwrap().1.version, 29);
        let death = Death { summary: summary(2, 2, 2), cause: "a fall".into(), at: 9 };
        let is_new = |_| store.record_death("key", id, &death).unwrap() == Applied::Now;
        assert_eq!(at_once(8, is_new), 1);
    });
}

#[test]
fn only_what_may_succeed_later_is_temporary() {
    check("temporary", |store| {
        let id = hero(store);
        let account = store.character(id).unwrap().unwrap().0.account;
        for error in [
            store.create_character(account, "hero", 1).unwrap_err(),
            store.create_character(AccountId(99), "Nobody", 1).unwrap_err(),
            store.begin_session(CharacterId(99), SessionId(1)).unwrap_err(),
        ] {
            assert!(!error.is_temporary(), "{error}");
        }
    });
}
