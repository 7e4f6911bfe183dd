//! What only the file can.

use std::fs;

use super::super::sqlite::FIRST;
use super::*;
use crate::disk::OpenError;

#[test]
fn a_store_of_the_first_format_is_brought_up_to_date() {
    let scratch = Scratch::new("store-first");
    let folder = DataFolder::open(&scratch.0).unwrap();
    let first = rusqlite::Connection::open(folder.file(STORE_FILE)).unwrap();
    first.execute_batch(FIRST).unwrap();
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
    store.save_sheet("k", id, summary(2, 2, 2), 2, &sheet(1, "one")).unwrap();
    let before = store.character(id).unwrap();
    drop(store);
    let store = Store::open(&folder, Config::default()).unwrap();
    assert_eq!(store.character(id).unwrap(), before);
    let again = store.save_sheet("k", id, summary(9, 9, 9), 2, &sheet(1, "two")).unwrap();
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
    let error = store.save_sheet("k", id, summary(2, 2, 2), 2, &big).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }) && error.is_temporary(), "{error}");
    assert_eq!(store.character(id).unwrap().unwrap().1, Sheet::default());
    assert_eq!(
        store.save_sheet("k", id, summary(2, 2, 2), 2, &sheet(3, "small")).unwrap(),
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
