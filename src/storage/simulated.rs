//! The disk of a simulated world. It outlives the processes that use it; what a process has not
//! committed when it dies is lost.
//!
//! The disk notes what each write replaced until the write is committed. A crash can therefore undo
//! all uncommitted writes, or all but the first few: what survives of a log is its beginning. It is
//! harder than a real disk: a commit covers only the service's own tree, as if each tree had a disk
//! of its own. So a service must not rely on what another service committed.

use super::{StorageError, folder::Folder};
use crate::env::Env;
use parking_lot::{Mutex, MutexGuard};
use sled::IVec;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

/// A simulated disk. Cheap to clone; all clones are the same disk.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    folder: Arc<Folder>,
    db: sled::Db,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the name of the tree, sorted.
    trees: BTreeMap<IVec, Uncommitted>,
    /// How many more commits succeed; `None` for no limit.
    commits_left: Option<usize>,
}

/// The writes to one tree that are not committed.
struct Uncommitted {
    tree: sled::Tree,
    /// What each write replaced, oldest first.
    replaced: Vec<Replaced>,
    /// The number of all writes so far, committed or not.
    written: usize,
}

struct Replaced {
    key: IVec,
    value: Option<IVec>,
}

/// The longest time that a commit takes.
const SLOWEST_COMMIT: Duration = Duration::from_millis(4);

impl Disk {
    /// An empty disk. Its content is kept in the folder while it is used.
    pub fn new(folder: &Path) -> Result<Self, StorageError> {
        let (folder, db) = Folder::open(folder)?;
        Ok(Self(Arc::new(Inner { folder: Arc::new(folder), db, state: Mutex::default() })))
    }

    /// What is on the disk, for `Disk::open`.
    pub(super) fn contents(&self) -> (sled::Db, Arc<Folder>) {
        (self.0.db.clone(), self.0.folder.clone())
    }

    /// The process dies. For each tree, `kept` gets the number of uncommitted writes and gives how
    /// many of them, the first ones, have reached the disk all the same. A disk that failed works
    /// again.
    pub fn crash(&self, mut kept: impl FnMut(usize) -> usize) -> Result<(), StorageError> {
        for Uncommitted { tree, mut replaced, .. } in std::mem::take(&mut *self.state()).trees.into_values() {
            let lost = replaced.split_off(kept(replaced.len()).min(replaced.len()));
            for Replaced { key, value } in lost.into_iter().rev() {
                match value {
                    Some(value) => tree.insert(key, value)?,
                    None => tree.remove(key)?,
                };
            }
        }
        Ok(())
    }

    /// The number of uncommitted writes, of all trees.
    pub fn uncommitted(&self) -> usize {
        self.state().trees.values().map(|tree| tree.replaced.len()).sum()
    }

    /// Lets this many more commits succeed. After them all writes and commits fail, until the next
    /// crash.
    pub fn fail_after(&self, commits: usize) {
        let mut state = self.state();
        state.commits_left = state.commits_left.map_or(Some(commits), |left| Some(left.min(commits)));
    }

    /// Empties the disk, for another world.
    pub fn wipe(&self) -> Result<(), StorageError> {
        for name in self.0.db.tree_names() {
            self.0.db.open_tree(name)?.clear()?;
        }
        *self.state() = State::default();
        Ok(())
    }

    /// Call this before the key is written. Fails if the disk has failed.
    pub(super) fn note(&self, tree: &sled::Tree, key: &[u8]) -> Result<(), StorageError> {
        let mut state = self.state();
        if state.commits_left == Some(0) {
            return Err(failed());
        }
        let value = tree.get(key)?;
        let fresh = || Uncommitted { tree: tree.clone(), replaced: Vec::new(), written: 0 };
        let uncommitted = state.trees.entry(tree.name()).or_insert_with(fresh);
        uncommitted.replaced.push(Replaced { key: key.into(), value });
        uncommitted.written += 1;
        Ok(())
    }

    /// Commits what was written to this tree before the call. It takes a moment; what is written in
    /// this moment is not committed.
    pub(super) async fn commit(&self, tree: &sled::Tree, env: &Env) -> Result<(), StorageError> {
        let written = match self.state().trees.get(&tree.name()) {
            Some(uncommitted) if !uncommitted.replaced.is_empty() => uncommitted.written,
            _ => return Ok(()),
        };
        tokio::time::sleep(env.jitter(SLOWEST_COMMIT)).await;
        let mut state = self.state();
        match &mut state.commits_left {
            Some(0) => return Err(failed()),
            Some(left) => *left -= 1,
            None => {}
        }
        if let Some(uncommitted) = state.trees.get_mut(&tree.name()) {
            let since = uncommitted.written - written;
            let committed = uncommitted.replaced.len().saturating_sub(since);
            uncommitted.replaced.drain(..committed);
        }
        Ok(())
    }

    /// An orderly end of the process: all writes count as committed.
    pub(super) fn finish(&self) {
        self.state().trees.clear();
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.state().commits_left != Some(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

fn failed() -> StorageError {
    StorageError::Disk("the simulated disk has failed".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        storage::Storage,
        types::{Service, Timestamp},
    };
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Serialize, Deserialize)]
    struct Jar(u32);

    crate::storage::record! {
        Jar { table: "jar", key: u32, entries: |jar| vec![format!("by_content/{}", jar.0)] }
    }

    fn fill(storage: &Storage, key: u32, with: u32) {
        let table = storage.tree(Service::Users).unwrap().table::<Jar>();
        table.put(&key, &Jar(with)).unwrap();
    }

    fn contents(storage: &Storage) -> Vec<(u32, u32)> {
        let tree = storage.tree(Service::Users).unwrap();
        let jars = tree.table::<Jar>();
        jars.all(None).map(|found| found.unwrap()).map(|(key, Jar(with))| (key, with)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_crash_undoes_uncommitted_writes_and_no_others() {
        let (env, folder) = (Env::simulated(1, Timestamp::UNIX_EPOCH), tempfile::tempdir().unwrap());
        let disk = Disk::new(folder.path()).unwrap();
        let storage = disk.open(&env).unwrap();
        fill(&storage, 1, 10);
        storage.tree(Service::Users).unwrap().commit().await.unwrap();
        fill(&storage, 1, 11);
        fill(&storage, 2, 20);
        assert_eq!(contents(&storage), [(1, 11), (2, 20)]);
        disk.crash(|_| 0).unwrap();
        assert_eq!(contents(&disk.open(&env).unwrap()), [(1, 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_uncommitted_writes_a_crash_keeps_the_first_ones() {
        let (env, folder) = (Env::simulated(1, Timestamp::UNIX_EPOCH), tempfile::tempdir().unwrap());
        let disk = Disk::new(folder.path()).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for kept in 0..8 {
            disk.wipe().unwrap();
            let storage = disk.open(&env).unwrap();
            fill(&storage, 1, 10);
            fill(&storage, 2, 20);
            disk.crash(|_| kept).unwrap();
            seen.insert(contents(&disk.open(&env).unwrap()));
        }
        let each = [vec![], vec![(1, 10)], vec![(1, 10), (2, 20)]];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), each);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_does_not_cover_writes_that_come_while_it_runs() {
        let (env, folder) = (Env::simulated(1, Timestamp::UNIX_EPOCH), tempfile::tempdir().unwrap());
        let disk = Disk::new(folder.path()).unwrap();
        let storage = disk.open(&env).unwrap();
        fill(&storage, 1, 10);
        let tree = storage.tree(Service::Users).unwrap();
        let (committed, ()) = futures_util::join!(tree.commit(), async { fill(&storage, 2, 20) });
        committed.unwrap();
        disk.crash(|_| 0).unwrap();
        assert_eq!(contents(&disk.open(&env).unwrap()), [(1, 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_does_not_cover_what_another_service_wrote() {
        let (env, folder) = (Env::simulated(1, Timestamp::UNIX_EPOCH), tempfile::tempdir().unwrap());
        let disk = Disk::new(folder.path()).unwrap();
        let storage = disk.open(&env).unwrap();
        fill(&storage, 1, 10);
        let other = storage.tree(Service::Orders).unwrap();
        other.table::<Jar>().create(&1, Jar(1)).unwrap();
        other.commit().await.unwrap();
        disk.crash(|_| 0).unwrap();
        let storage = disk.open(&env).unwrap();
        assert_eq!(contents(&storage), []);
        assert!(storage.tree(Service::Orders).unwrap().table::<Jar>().get(&1).unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_disk_acknowledges_no_write() {
        let (env, folder) = (Env::simulated(1, Timestamp::UNIX_EPOCH), tempfile::tempdir().unwrap());
        let disk = Disk::new(folder.path()).unwrap();
        let storage = disk.open(&env).unwrap();
        let tree = storage.tree(Service::Users).unwrap();
        disk.fail_after(1);
        fill(&storage, 1, 10);
        tree.commit().await.unwrap();
        assert!(tree.table::<Jar>().put(&1, &Jar(11)).is_err() && !storage.is_healthy());
        disk.crash(|_| 0).unwrap();
        let storage = disk.open(&env).unwrap();
        assert!(storage.is_healthy());
        assert_eq!(contents(&storage), [(1, 10)]);
    }
}
