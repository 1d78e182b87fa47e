//! What the fuzzers look for, on a stable compiler: every seed of their corpora, seeds with a few bytes altered, and
//! any bytes.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::fuzz;

/// How many inputs of each kind there are.
const CASES: u32 = 4000;

/// One change to a seed.
#[derive(Clone, Debug)]
enum Change {
    Put(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    /// What is from one place to another comes once more.
    Repeat(Index, Index),
    /// A part of the other seed is put in.
    Splice(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<(Index, u8)>().prop_map(|(at, byte)| Change::Put(at, byte)),
        any::<(Index, u8)>().prop_map(|(at, byte)| Change::Insert(at, byte)),
        any::<Index>().prop_map(Change::Remove),
        any::<(Index, Index)>().prop_map(|(start, end)| Change::Repeat(start, end)),
        any::<(Index, Index)>().prop_map(|(at, from)| Change::Splice(at, from)),
    ]
}

fn apply(bytes: &mut Vec<u8>, other: &[u8], change: &Change) {
    let place = |at: &Index, length: usize| at.index(length + 1);
    match change {
        Change::Put(at, byte) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Change::Remove(at) if !bytes.is_empty() => drop(bytes.remove(at.index(bytes.len()))),
        Change::Put(..) | Change::Remove(_) => {}
        Change::Insert(at, byte) => bytes.insert(place(at, bytes.len()), *byte),
        Change::Repeat(start, end) => {
            let (start, end) = (place(start, bytes.len()), place(end, bytes.len()));
            bytes.extend_from_within(start.min(end)..start.max(end));
        }
        Change::Splice(at, from) => {
            let at = place(at, bytes.len());
            bytes.splice(at..at, other[place(from, other.len())..].iter().copied());
        }
    }
}

/// Runs `target` over the seeds of `name`, what becomes of them, and what is nothing like them.
fn run(name: &str, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> = corpus.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(seeds.len() >= 8, "{name} has hardly any seeds");
    for seed in &seeds {
        target(seed);
    }
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let altered = (any::<Index>(), any::<Index>(), vec(change(), 1..6));
    let outcome = runner.run(&altered, |(seed, other, changes)| {
        let (mut bytes, other) = (seed.get(&seeds).clone(), other.get(&seeds));
        for change in &changes {
            apply(&mut bytes, other, change);
        }
        target(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
    let outcome = runner.run(&vec(any::<u8>(), 0..200), |bytes| {
        target(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

#[test]
fn the_query_guard_keeps_its_limits() {
    run("query_guard", fuzz::query_guard);
}

#[test]
fn cursors_are_what_they_were_or_nothing() {
    run("cursor", fuzz::cursor);
}

#[test]
fn events_are_the_same_however_they_are_cut() {
    run("sse", fuzz::sse);
}

#[test]
fn no_token_passes_that_was_not_signed() {
    run("token", fuzz::token);
}
