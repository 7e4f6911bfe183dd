use std::fs;

use super::*;
use crate::disk::scratch::Scratch;
use crate::disk::{DataFolder, OpenError};
use crate::model::SessionId;
use crate::model::limits::CHARACTERS_PER_ACCOUNT_MAX;

/// Runs a test over a file and over its twin in memory.
fn check(name: &str, test: impl Fn(&Store)) {
    let scratch = Scratch::new(name);
    let folder = DataFolder::open(&scratch.0).unwrap();
    test(&Store::open(&folder, Config::default()).unwrap());
    test(&Store::in_memory().unwrap());
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
        assert_eq!(store.account_by_name("Eve").unwrap(), None);
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
            store.save_sheet(key, id, summary(2, 3, version), &sheet(version, text)).unwrap()
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
        let nobody = store.save_sheet("k", CharacterId(99), summary(1, 1, 1), &sheet(1, ""));
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
fn a_store_of_the_first_format_is_brought_up_to_date() {
    let scratch = Scratch::new("store-first");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let first = rusqlite::Connection::open(folder.file(STORE_FILE)).unwrap();
    first.execute_batch(sqlite::FIRST).unwrap();
    first.execute_batch(
        "PRAGMA application_id = 0x5553544f; PRAGMA user_version = 1;
         INSERT INTO accounts(id, created) VALUES(1, 5);
         INSERT INTO characters(id, account, name, folded, level, depth, gold, created, sheet, sheet_version)
         VALUES(1, 1, 'Ada', 'ada', 2, 3, 4, 6, x'01008002', 9),
               (2, 1, 'Eve', 'eve', 1, 1, 0, 7, x'', 0)",
    )
    .unwrap();
    drop(first);
    let store = Store::open(&folder, Config::default()).unwrap();
    let (ada, sheet) = store.character(CharacterId(1)).unwrap().unwrap();
    assert_eq!((ada.name.as_str(), ada.summary), ("Ada", summary(2, 3, 4)));
    assert_eq!(sheet, Sheet { version: 9, bytes: vec![1, 0, 128, 2, 0] });
    assert_eq!(store.character(CharacterId(2)).unwrap().unwrap().1, Sheet::default());
    assert_eq!(store.session(CharacterId(1)).unwrap(), None);
    let taken = store.create_character(AccountId(1), "ADA", 8);
    assert!(matches!(taken, Err(StoreError::NameTaken { .. })));
}

#[test]
fn the_file_is_the_same_after_it_was_opened_again() {
    let scratch = Scratch::new("store-again");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let store = Store::open(&folder, Config::default()).unwrap();
    let id = hero(&store);
    store.save_sheet("k", id, summary(2, 2, 2), &sheet(1, "one")).unwrap();
    let before = store.character(id).unwrap();
    drop(store);
    let store = Store::open(&folder, Config::default()).unwrap();
    assert_eq!(store.character(id).unwrap(), before);
    let again = store.save_sheet("k", id, summary(9, 9, 9), &sheet(1, "two")).unwrap();
    assert_eq!(again, Applied::Before);
}

#[test]
fn a_full_disk_is_named_and_changes_nothing() {
    let scratch = Scratch::new("store-full");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let config = Config { size_bytes_max: Some(128 * 1_024), ..Config::default() };
    let store = Store::open(&folder, config).unwrap();
    let id = hero(&store);
    let big = Sheet { version: 3, bytes: vec![1; 200_000] };
    let error = store.save_sheet("k", id, summary(2, 2, 2), &big).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(store.character(id).unwrap().unwrap().1, Sheet::default());
    assert_eq!(
        store.save_sheet("k", id, summary(2, 2, 2), &sheet(3, "small")).unwrap(),
        Applied::Now
    );
}

#[test]
fn a_journal_is_not_taken_for_a_store() {
    let scratch = Scratch::new("store-foreign");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let open = || Store::open(&folder, Config::default());
    fs::write(folder.file(STORE_FILE), "SQLite format 2\0 and then something else".repeat(9))
        .unwrap();
    assert!(matches!(open(), Err(OpenError::Foreign { .. })));
    fs::remove_file(folder.file(STORE_FILE)).unwrap();
    drop(open().unwrap());
    let other = rusqlite::Connection::open(folder.file(STORE_FILE)).unwrap();
    other.pragma_update(None, "application_id", 0x554a_524e).unwrap();
    drop(other);
    let text = open().unwrap_err().to_string();
    assert!(text.contains("is not the store of this game"), "{text}");
}
