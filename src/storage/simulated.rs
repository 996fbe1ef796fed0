//! The disk of a simulated world: it outlives the processes that use it, and what was not committed when one of them dies is lost.
//!
//! A real disk loses more than one likes, and at other moments each time. This one notes what each write replaced until it is
//! committed, so that a death can take back all of that, or all but the first few: sled's log is written in order, so that what survives
//! a crash of it is such a beginning.

use super::{Storage, StorageError, commit::Committer, folder::Folder};
use crate::env::Env;
use sled::IVec;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

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
    /// What the writes that are not committed replaced, oldest first.
    uncommitted: Vec<Replaced>,
    /// How many writes there have been.
    written: usize,
    /// How many more commits succeed; `None` for all.
    commits_left: Option<usize>,
}

struct Replaced {
    tree: sled::Tree,
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

    /// The process dies: of its writes that were not committed the first `kept` have reached the disk. A disk that failed works again.
    pub fn crash(&self, kept: usize) -> Result<(), StorageError> {
        let mut state = self.state();
        while state.uncommitted.len() > kept {
            let Some(Replaced { tree, key, value }) = state.uncommitted.pop() else { break };
            match value {
                Some(value) => tree.insert(key, value)?,
                None => tree.remove(key)?,
            };
        }
        *state = State::default();
        Ok(())
    }

    /// How many writes are not committed.
    pub fn uncommitted(&self) -> usize {
        self.state().uncommitted.len()
    }

    /// After so many more commits the disk takes no more, until the process dies.
    pub fn fail_after(&self, commits: usize) {
        self.state().commits_left = Some(commits);
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
        state.uncommitted.push(Replaced { tree: tree.clone(), key: key.into(), value });
        state.written += 1;
        Ok(())
    }

    /// Takes a moment, in which others write on; what they write is not committed by this.
    pub(super) async fn commit(&self, env: &Env) -> Result<(), StorageError> {
        let (written, clean) = {
            let state = self.state();
            (state.written, state.uncommitted.is_empty())
        };
        if clean {
            return Ok(());
        }
        tokio::time::sleep(env.jitter(SLOWEST_COMMIT)).await;
        self.commit_now(written)
    }

    pub(super) fn commit_all(&self) -> Result<(), StorageError> {
        let written = self.state().written;
        self.commit_now(written)
    }

    fn commit_now(&self, written: usize) -> Result<(), StorageError> {
        let mut state = self.state();
        match &mut state.commits_left {
            Some(0) => return Err(failed()),
            Some(left) => *left -= 1,
            None => {}
        }
        let since = state.written - written;
        let committed = state.uncommitted.len().saturating_sub(since);
        state.uncommitted.drain(..committed);
        Ok(())
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.state().commits_left != Some(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[derive(Serialize, Deserialize)]
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
        disk.crash(0).unwrap();
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
            disk.crash(kept).unwrap();
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
        disk.crash(0).unwrap();
        assert_eq!(contents(&disk.open(&env).unwrap()), [(1, 10)]);
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
        disk.crash(0).unwrap();
        let storage = disk.open(&env).unwrap();
        assert!(storage.is_healthy());
        assert_eq!(contents(&storage), [(1, 10)]);
    }
}
