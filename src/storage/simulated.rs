//! The disk of a simulated world: it outlives the processes that use it, and what was not committed when one of them dies is lost.
//!
//! It notes what each write replaced until it is committed, so that a death can take back all of that, or all but the first few: what
//! survives of a log is a beginning. And it is harder than a real one: a commit covers the service's own tree and no other, as if each
//! had a disk of its own. Nobody may rely on what somebody else committed.

use super::{Storage, StorageError, commit::Committer, folder::Folder};
use crate::env::Env;
use parking_lot::{Mutex, MutexGuard};
use sled::IVec;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

/// Cheap to clone; all clones are the same disk.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    folder: Arc<Folder>,
    db: sled::Db,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By tree, in the order of their names.
    trees: BTreeMap<IVec, Uncommitted>,
    /// How many more commits succeed; `None` for all.
    commits_left: Option<usize>,
}

/// The writes to a tree that are not committed.
struct Uncommitted {
    tree: sled::Tree,
    /// What each of them replaced, oldest first.
    replaced: Vec<Replaced>,
    /// How many there have been, the committed ones too.
    written: usize,
}

struct Replaced {
    key: IVec,
    value: Option<IVec>,
}

/// A commit takes at most so long.
const SLOWEST_COMMIT: Duration = Duration::from_millis(4);

impl Disk {
    /// An empty one, kept in the folder while it is used.
    pub fn new(folder: &Path) -> Result<Self, StorageError> {
        let (folder, db) = Folder::open(folder)?;
        Ok(Self(Arc::new(Inner { folder: Arc::new(folder), db, state: Mutex::default() })))
    }

    /// What a process finds that begins now. To be called inside a world whose threads are one (see [`Env::simulated`]).
    pub fn open(&self, env: &Env) -> Result<Storage, StorageError> {
        let Inner { folder, db, .. } = &*self.0;
        let committer = Committer::on_disk(self.clone(), env.clone());
        Ok(Storage { env: env.clone(), db: db.clone(), committer, folder: folder.clone() })
    }

    /// The process dies: of so many writes to a tree that were not committed the first `kept` have reached the disk, tree by tree. A
    /// disk that failed works again.
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

    /// How many writes are not committed.
    pub fn uncommitted(&self) -> usize {
        self.state().trees.values().map(|tree| tree.replaced.len()).sum()
    }

    /// After so many more commits the disk takes no more, until the process dies.
    pub fn fail_after(&self, commits: usize) {
        let mut state = self.state();
        state.commits_left = state.commits_left.map_or(Some(commits), |left| Some(left.min(commits)));
    }

    /// Empties it for another world.
    pub fn wipe(&self) -> Result<(), StorageError> {
        for name in self.0.db.tree_names() {
            self.0.db.open_tree(name)?.clear()?;
        }
        *self.state() = State::default();
        Ok(())
    }

    /// To be called before the key is written.
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

    /// Takes a moment, in which others write on; what they write is not committed by this.
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

    /// In good order.
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
    StorageError::Disk("the simulated disk takes no more".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        storage::{Decision, Record},
        types::{Service, Timestamp},
    };
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Serialize, Deserialize)]
    struct Jar(u32);

    impl Record for Jar {
        const TABLE: &'static str = "jar";
        type Key = u32;
        fn entries(&self) -> Vec<String> {
            vec![format!("by_content/{}", self.0)]
        }
    }

    fn fill(storage: &Storage, key: u32, with: u32) {
        let table = storage.tree(Service::Users).unwrap().table::<Jar>();
        let filled: Result<(), StorageError> = table.change(&key, |_| Ok(Decision::Save(Jar(with), ())));
        filled.unwrap();
    }

    fn contents(storage: &Storage) -> Vec<(u32, u32)> {
        let tree = storage.tree(Service::Users).unwrap();
        let jars = tree.table::<Jar>();
        jars.all(None).map(|found| found.unwrap()).map(|(key, Jar(with))| (key, with)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_death_takes_back_what_was_not_committed_and_nothing_else() {
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
    async fn some_of_it_may_have_reached_the_disk_but_only_a_beginning() {
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
    async fn a_commit_does_not_cover_what_is_written_while_it_runs() {
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
    async fn a_disk_that_fails_acknowledges_nothing() {
        let (env, folder) = (Env::simulated(1, Timestamp::UNIX_EPOCH), tempfile::tempdir().unwrap());
        let disk = Disk::new(folder.path()).unwrap();
        let storage = disk.open(&env).unwrap();
        let tree = storage.tree(Service::Users).unwrap();
        disk.fail_after(1);
        fill(&storage, 1, 10);
        tree.commit().await.unwrap();
        let refused: Result<(), StorageError> = tree.table::<Jar>().change(&1, |_| Ok(Decision::Save(Jar(11), ())));
        assert!(refused.is_err() && !storage.is_healthy());
        disk.crash(|_| 0).unwrap();
        let storage = disk.open(&env).unwrap();
        assert!(storage.is_healthy());
        assert_eq!(contents(&storage), [(1, 10)]);
    }
}
