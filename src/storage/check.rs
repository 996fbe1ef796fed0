//! Checks every key of a data folder and reports what is wrong.

use super::{
    Record, Storage, StorageError,
    guard::guarded,
    keys::{end_of, entries_of, text},
    record::{ENTRY_LENGTH, decode, verified},
    scan::tree_names,
};
use serde::{Serialize, de::IgnoredAny};

/// A fault of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The tree.
    pub tree: String,
    /// The key of the record; empty if sled cannot read that part of the tree.
    pub key: String,
    /// What is wrong, as a sentence without a full stop.
    pub what: String,
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was counted, table by table.
    pub tables: Vec<TableReport>,
    /// The number of findings.
    pub findings: u64,
}

/// The counts for all keys of a tree that have the same first part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// The tree.
    pub tree: String,
    /// The first part of the keys: a table's name, an index's name, or `open`.
    pub name: String,
    /// The number of records.
    pub records: u64,
    /// The number of index entries and open markers.
    pub entries: u64,
    /// The number of those entries whose record does not exist. A crash leaves them; they do no
    /// harm.
    pub dangling: u64,
}

/// A table with its type of records. For such a table, a check verifies more than checksums and
/// JSON. Each service lists its own tables beside its store.
pub struct KnownTable {
    tree: &'static str,
    table: &'static str,
    verify: Verify,
}

type Verify = fn(&sled::Tree, &str, &[u8]) -> Result<(), StorageError>;

impl KnownTable {
    /// The table of records of type `R` in this tree.
    pub fn of<R: Record>(tree: &'static str) -> Self {
        Self { tree, table: R::TABLE, verify: verify::<R> }
    }
}

/// Checks every key of every tree: the checksum and the JSON of each record, and whether the record
/// of each entry exists. For known tables it also checks that each record reads as its type, in a
/// version that this program knows, and that its index entries and its open marker exist.
///
/// Calls `on_finding` for each fault as soon as it is found.
pub fn check(storage: &Storage, known: &[KnownTable], mut on_finding: impl FnMut(Finding)) -> Report {
    let (mut tables, mut findings) = (Vec::new(), 0);
    for name in tree_names(&storage.db) {
        let mut found = |key: &str, error: StorageError| {
            findings += 1;
            on_finding(Finding { tree: name.clone(), key: key.to_owned(), what: message(error) });
        };
        match guarded(|| check_tree(&name, &storage.db.open_tree(&name)?, known, &mut found)) {
            Ok(reports) => tables.extend(reports),
            // sled cannot read a page, so the rest of the tree was not checked.
            Err(error) => found("", error),
        }
    }
    Report { tables, findings }
}

fn message(error: StorageError) -> String {
    match error {
        StorageError::Damaged { what } => what,
        other => other.to_string(),
    }
}

fn check_tree(
    tree_name: &str,
    tree: &sled::Tree,
    known: &[KnownTable],
    found: &mut impl FnMut(&str, StorageError),
) -> Result<Vec<TableReport>, StorageError> {
    let names = table_names(tree)?;
    let with_records: Vec<_> =
        names.iter().filter(|(_, has_records)| *has_records).map(|(name, _)| name.clone()).collect();
    let mut reports = Vec::new();
    for (name, _) in names {
        let known = known.iter().find(|known| known.tree == tree_name && known.table == name);
        let verify = known.map_or(verify_json as Verify, |known| known.verify);
        let mut report = TableReport { tree: tree_name.to_owned(), name, records: 0, entries: 0, dangling: 0 };
        for pair in tree.scan_prefix(format!("{}/", report.name)) {
            let (key, bytes) = pair?;
            let key = match text(&key) {
                Ok(key) => key,
                Err(error) => {
                    found("", error);
                    continue;
                }
            };
            if bytes.len() == ENTRY_LENGTH {
                report.entries += 1;
                report.dangling += u64::from(!has_record(tree, &key, &with_records)?);
                continue;
            }
            report.records += 1;
            if let Err(error) = verify(tree, &key, &bytes) {
                found(&key, error);
            }
        }
        reports.push(report);
    }
    Ok(reports)
}

/// The first part of the tree's keys, each once, and whether its keys are those of records.
fn table_names(tree: &sled::Tree) -> Result<Vec<(String, bool)>, StorageError> {
    let (mut names, mut from) = (Vec::new(), Vec::new());
    while let Some(first) = tree.range(from..).next() {
        let (key, bytes) = first?;
        let name = text(&key)?.split('/').next().unwrap_or_default().to_owned();
        from = end_of(&format!("{name}/"));
        names.push((name, bytes.len() != ENTRY_LENGTH));
    }
    Ok(names)
}

/// Whether the record of an entry exists: `TABLE/KEY` for `open/TABLE/KEY`. Any other entry ends in
/// the key of a record of one of the tables.
fn has_record(tree: &sled::Tree, entry: &str, tables: &[String]) -> Result<bool, StorageError> {
    if let Some(record) = entry.strip_prefix("open/") {
        return Ok(tree.contains_key(record)?);
    }
    let key = entry.rsplit('/').next().unwrap_or_default();
    for table in tables {
        if tree.contains_key(format!("{table}/{key}"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn verify_json(_: &sled::Tree, key: &str, bytes: &[u8]) -> Result<(), StorageError> {
    let (_, json) = verified(key, bytes)?;
    serde_json::from_slice::<IgnoredAny>(json)
        .map_err(|error| StorageError::damaged(format!("{key} is not JSON: {error}")))?;
    Ok(())
}

fn verify<R: Record>(tree: &sled::Tree, full: &str, bytes: &[u8]) -> Result<(), StorageError> {
    let record: R = decode(full, bytes)?;
    let key = full.split_once('/').map_or("", |(_, key)| key);
    key.parse::<R::Key>().map_err(|_| StorageError::damaged(format!("{full} is not a key of its table")))?;
    for entry in entries_of(key, &record) {
        if !tree.contains_key(&entry)? {
            return Err(StorageError::damaged(format!("{full} has no entry {entry}")));
        }
    }
    Ok(())
}
