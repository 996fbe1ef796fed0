//! Looks at every key of a data folder, and says what is wrong with it.

use super::{
    Record, Storage, StorageError,
    folder::guarded,
    record::{ENTRY, decode, open},
    table::{end_of, keys_of, text},
};
use serde::{Serialize, de::IgnoredAny};

/// A record that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub tree: String,
    pub key: String,
    pub what: String,
}

/// What a check saw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    pub tables: Vec<TableReport>,
    pub findings: u64,
}

/// The records, or the index entries, whose keys begin with the same word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableReport {
    pub tree: String,
    pub name: String,
    pub records: u64,
    /// Index entries and open markers.
    pub entries: u64,
    /// Those of them that lead nowhere: left by a crash, harmless.
    pub dangling: u64,
}

/// A table whose records' type is known to a check, which then knows more than checksums and JSON. A service lists its own where it
/// lays out its tree.
pub struct KnownTable {
    tree: &'static str,
    table: &'static str,
    verify: Verify,
}

type Verify = fn(&sled::Tree, &str, &[u8]) -> Result<(), StorageError>;

impl KnownTable {
    pub fn of<R: Record>(tree: &'static str) -> Self {
        Self { tree, table: R::TABLE, verify: verify::<R> }
    }
}

/// Checks every key of every tree: checksums, JSON, and where entries lead; of records of a known type also that they read as that
/// type, in a version that this program knows, and that their entries and their marker are there.
pub fn check(storage: &Storage, known: &[KnownTable], mut on_finding: impl FnMut(Finding)) -> Report {
    let (mut tables, mut findings) = (Vec::new(), 0);
    for name in tree_names(&storage.db) {
        let mut found = |key: &str, error: StorageError| {
            findings += 1;
            on_finding(Finding { tree: name.clone(), key: key.to_owned(), what: words(error) });
        };
        match guarded(|| check_tree(&name, &storage.db.open_tree(&name)?, known, &mut found)) {
            Ok(reports) => tables.extend(reports),
            // sled cannot read a page: what is behind it was not seen.
            Err(error) => found("", error),
        }
    }
    Report { tables, findings }
}

fn words(error: StorageError) -> String {
    match error {
        StorageError::Damaged { what } => what,
        other => other.to_string(),
    }
}

/// Reads everything there is, as far as the first damage.
pub(super) fn read_all(db: &sled::Db) -> Result<(), StorageError> {
    for name in tree_names(db) {
        for pair in &db.open_tree(name)? {
            let (key, bytes) = pair?;
            if bytes.len() != ENTRY {
                open(&text(&key)?, &bytes)?;
            }
        }
    }
    Ok(())
}

/// The trees that were handed out, in the order of their names.
pub(super) fn tree_names(db: &sled::Db) -> Vec<String> {
    // sled has one of its own, in which commits are counted.
    let own = db.name();
    let names = db.tree_names().into_iter().filter(|name| *name != own);
    let mut names: Vec<_> = names.map(|name| String::from_utf8_lossy(&name).into_owned()).collect();
    names.sort();
    names
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
            if bytes.len() == ENTRY {
                report.entries += 1;
                report.dangling += u64::from(!leads_somewhere(tree, &key, &with_records)?);
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

/// The first words of the tree's keys, and whether they are those of records.
fn table_names(tree: &sled::Tree) -> Result<Vec<(String, bool)>, StorageError> {
    let (mut names, mut from) = (Vec::new(), Vec::new());
    while let Some(first) = tree.range(from..).next() {
        let (key, bytes) = first?;
        let name = text(&key)?.split('/').next().unwrap_or_default().to_owned();
        from = end_of(&format!("{name}/"));
        names.push((name, bytes.len() != ENTRY));
    }
    Ok(names)
}

/// `open/TABLE/KEY` leads to `TABLE/KEY`; another entry ends in the key of a record of some table.
fn leads_somewhere(tree: &sled::Tree, entry: &str, tables: &[String]) -> Result<bool, StorageError> {
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
    let (_, json) = open(key, bytes)?;
    serde_json::from_slice::<IgnoredAny>(json)
        .map_err(|error| StorageError::damaged(format!("{key} is no JSON: {error}")))?;
    Ok(())
}

fn verify<R: Record>(tree: &sled::Tree, full: &str, bytes: &[u8]) -> Result<(), StorageError> {
    let record: R = decode(full, bytes)?;
    let key = full.split_once('/').map_or("", |(_, key)| key);
    key.parse::<R::Key>().map_err(|_| StorageError::damaged(format!("{full} is no key")))?;
    for entry in keys_of(key, &record) {
        if !tree.contains_key(&entry)? {
            return Err(StorageError::damaged(format!("{full} is not found by {entry}")));
        }
    }
    Ok(())
}
