//! The number of the last commit, by which a start sees whether an acknowledged commit is lost.
//!
//! Each commit has a number, which counts up by one. The number is written twice: into sled, with
//! the commit; and into the file `commits`, when the commit is acknowledged. If sled's number is
//! the lower one, sled's log has lost a commit that a client was told of.

use super::{StorageError, guard::guarded};
use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
};

/// The name of the file.
pub const FILE: &str = "commits";
const KEY: &str = "commits";

/// Fails with [`StorageError::Damaged`] if an acknowledged commit is missing in sled. A missing or
/// unreadable file proves nothing and is accepted.
pub fn verify(folder: &Path, db: &sled::Db) -> Result<(), StorageError> {
    let acknowledged = match std::fs::read(folder.join(FILE)) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    match (acknowledged, stored(db)?) {
        (Some(acknowledged), stored) if stored < acknowledged => {
            let what = format!("its log ends with commit {stored}, but commit {acknowledged} was acknowledged");
            Err(StorageError::damaged(what))
        }
        _ => Ok(()),
    }
}

/// The number in sled; 0 if there is none.
pub fn stored(db: &sled::Db) -> Result<u64, StorageError> {
    let bytes = guarded(|| Ok(db.get(KEY)?))?;
    Ok(bytes.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// Writes the number into sled. It is part of the next flush.
pub fn store(db: &sled::Db, number: u64) -> Result<(), StorageError> {
    db.insert(KEY, &number.to_be_bytes())?;
    Ok(())
}

/// Writes the number into the file. It is not synced: after a power cut the file may hold a lower
/// number, which only demands less of sled's log.
pub fn acknowledge(mut file: &File, number: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(line(number).as_bytes())
}

/// The number and its CRC-32. The length is always the same, so that one write replaces the line.
fn line(number: u64) -> String {
    format!("{number:020} {:08x}\n", crc32fast::hash(&number.to_be_bytes()))
}

fn parse(text: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(text).ok()?.get(..20)?.parse().ok()?;
    (line(number).as_bytes() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_and_a_flipped_bit_is_found() {
        let text = line(1234).into_bytes();
        assert_eq!(parse(&text), Some(1234));
        for at in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert_eq!(parse(&flipped), None, "bit {at}");
        }
    }
}
