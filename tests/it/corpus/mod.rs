//! Replays the corpus of every fuzz target, and thousands of mutations of it.

mod allocations;
#[path = "../../../fuzz/decoders.rs"]
mod decoders;
mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use decoders::{DECODERS, Decoder};
use undercroft::game::rng::Rng;

/// Mutations of each file, and their bytes at most.
const MUTATIONS: u32 = 2_000;
const BYTES_MAX: usize = 16_384;
/// A decoder holds at most this much at a time, whatever it is given. The largest honest need is
/// the map of a zone of 1024 by 1024 cells.
const BYTES_HELD_MAX: usize = 16 << 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The files of a target by name.
fn files(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder().join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Runs a decoder, with the bytes in the message if it panics or holds too much.
fn run(target: &str, what: &str, decoder: Decoder, bytes: &[u8]) -> bool {
    let (result, held) = allocations::most_held(|| catch_unwind(|| decoder(bytes)));
    let Ok(is_accepted) = result else { panic!("{target} panics on {what}: {bytes:02x?}") };
    assert!(held <= BYTES_HELD_MAX, "{target} holds {held} bytes for {what}: {bytes:02x?}");
    is_accepted
}

#[test]
fn every_decoder_stands_its_corpus() {
    for &(target, decoder) in DECODERS {
        let files = files(target);
        let accepted = files.iter().filter(|(name, bytes)| run(target, name, decoder, bytes));
        assert!(
            accepted.count() > 0,
            "{target} accepts no file of its corpus: the format has changed, run `just corpus`"
        );
    }
}

#[test]
fn every_decoder_stands_mutations_of_its_corpus() {
    for (number, &(target, decoder)) in (0..).zip(DECODERS) {
        let files = files(target);
        for (index, (name, bytes)) in (0..).zip(&files) {
            for mutation in 0..MUTATIONS {
                let mut rng = Rng::new(number, index, u64::from(mutation));
                let other = rng.pick(&files).map_or(&[][..], |(_, bytes)| bytes);
                let mutant = mutate(&mut rng, bytes, other);
                run(target, &format!("mutation {mutation} of {name}"), decoder, &mutant);
            }
        }
    }
}

/// One to four changes.
fn mutate(rng: &mut Rng, bytes: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() as u32 + 1) as usize;
        match rng.below(7) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            2 if at < bytes.len() => {
                bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][rng.below(6) as usize];
            }
            3 => bytes.insert(at, rng.below(256) as u8),
            // A length that promises far more than there is.
            4 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f])),
            5 => {
                let from = rng.below(other.len() as u32 + 1) as usize;
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            6 => {
                let end = (at + rng.below(64) as usize).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {}
        }
        bytes.truncate(BYTES_MAX);
    }
    bytes
}

#[test]
fn every_folder_of_the_corpus_has_a_decoder_and_a_target() {
    let names = |path: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(path).unwrap();
        let stem = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_owned();
        entries.map(|e| stem(e.unwrap()).to_string_lossy().into_owned()).collect()
    };
    let decoders: BTreeSet<String> = DECODERS.iter().map(|&(name, _)| name.to_owned()).collect();
    assert_eq!(names(&folder()), decoders);
    assert_eq!(names(&folder().with_file_name("fuzz_targets")), decoders);
}

/// `UNDERCROFT_WRITE_CORPUS=1` writes what belongs into the corpus by today's formats; files that
/// a fuzzer has found stay.
#[test]
fn seeds_are_accepted_and_written_when_asked_for() {
    let writes = std::env::var_os("UNDERCROFT_WRITE_CORPUS").is_some();
    for (target, name, bytes) in seeds::all() {
        let decoder = DECODERS.iter().find(|d| d.0 == target).expect("seeds name a decoder").1;
        let is_accepted = run(target, name, decoder, &bytes);
        assert_eq!(is_accepted, !name.starts_with("bad_"), "{target}/{name}");
        if writes {
            let folder = folder().join(target);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
