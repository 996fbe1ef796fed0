//! Accounts and their e-mail addresses: one account per address, through races and crashes.
//!
//! **A claim** (`email/<address>`) is made with `create`, so that of two accounts that want an
//! address one gets it. It counts only while the account that it names has that address; sign-in
//! checks both. So an account is always found by exactly one address: the one in its record. A
//! crash can happen after each of these steps:
//!
//! | making an account | after a crash here |
//! |---|---|
//! | 1. write the record with [`PendingTask::ClaimEmail`]; nothing finds it yet | goes on with 2 |
//! | 2. claim the address; if another account has it, delete the record | finds its own claim, goes on with 3 |
//! | 3. remove the task and add `UserRegistered` to the outbox | nothing to do |
//!
//! | moving from A to B | after a crash here |
//! |---|---|
//! | 1. write [`PendingTask::ReleaseEmail`]`(B)` | nothing to release: found by A |
//! | 2. claim B; if another account has it, remove the task | releases B: found by A |
//! | 3. in one swap set the address to B and replace the task by `ReleaseEmail(A)` | releases A: found by B |
//! | 4. release A | nothing to release: found by B |
//! | 5. remove the task | nothing to do |
//!
//! A claim on B that the account itself left behind is as good as a new one. Two moves of one
//! account at the same time would release each other's claims. So the task is also a lock: a move
//! that finds one waits until it is removed.

use super::Store;
use crate::{
    mesh::{Event, Failure, MeshError},
    services::users::{
        messages::{User, UserRegistered, UsersError},
        records::{EmailClaim, OPERATORS, PendingTask, UserRecord},
    },
    storage::{Decision, StorageError},
    types::{Email, SessionId, Timestamp, UserId},
};
use std::time::Duration;

/// How long a move waits before it looks at the lock again. The other move awaits nothing, so it is
/// over by then, unless the disk fails.
const LOCK_PAUSE: Duration = Duration::from_millis(5);
const LOCK_ATTEMPTS: usize = 200;

impl Store {
    /// Makes an account, with the idempotency key of its registration. Errors: `EmailTaken`.
    pub async fn register(
        &self,
        user: &User,
        password_hash: String,
        key: Option<&str>,
    ) -> Result<(), Failure<UsersError>> {
        let record = UserRecord::unfinished(user.clone(), password_hash);
        self.users.create(&user.id, UserRecord { registration_key: key.map(str::to_owned), ..record })?;
        if !self.claim_or_delete(user)? {
            return Err(UsersError::EmailTaken.into());
        }
        Ok(self.tree.commit().await?)
    }

    /// The account that has this address.
    pub fn by_email(&self, email: &Email) -> Result<Option<UserRecord>, StorageError> {
        let Some(claim) = self.emails.get(email)? else { return Ok(None) };
        Ok(self.user(claim.user_id)?.filter(|record| record.user.email == *email))
    }

    /// Gives the account another address. Errors: `EmailTaken`, `UserNotFound`.
    pub async fn move_email(&self, id: UserId, to: &Email) -> Result<User, Failure<UsersError>> {
        for _ in 0..LOCK_ATTEMPTS {
            match self.begin_move(id, to)? {
                MoveStart::AlreadyThere(user) => {
                    self.tree.commit().await?;
                    return Ok(user);
                }
                MoveStart::Begun => {
                    let user = self.finish_move(id, to)?;
                    self.tree.commit().await?;
                    return Ok(user);
                }
                MoveStart::Busy => tokio::time::sleep(LOCK_PAUSE).await,
            }
        }
        Err(MeshError::Failed(format!("another change of the address of {id} does not end")).into())
    }

    pub(super) fn begin_move(&self, id: UserId, to: &Email) -> Result<MoveStart, Failure<UsersError>> {
        self.edit(id, |record| {
            if record.pending_tasks.iter().any(|task| matches!(task, PendingTask::ReleaseEmail(_))) {
                return Ok(MoveStart::Busy);
            }
            if record.user.email == *to {
                return Ok(MoveStart::AlreadyThere(record.user.clone()));
            }
            record.pending_tasks.push(PendingTask::ReleaseEmail(to.clone()));
            Ok(MoveStart::Begun)
        })
    }

    pub(super) fn finish_move(&self, id: UserId, to: &Email) -> Result<User, Failure<UsersError>> {
        if !self.claim(to, id)? {
            self.complete(id, &PendingTask::ReleaseEmail(to.clone()))?;
            return Err(UsersError::EmailTaken.into());
        }
        let (user, from) = self.swap_email(id, to)?;
        self.release_email(id, &from)?;
        Ok(user)
    }

    /// Sets the address; also gives the one that the account had before.
    pub(super) fn swap_email(&self, id: UserId, to: &Email) -> Result<(User, Email), Failure<UsersError>> {
        self.edit(id, |record| {
            let from = std::mem::replace(&mut record.user.email, to.clone());
            record.complete(&PendingTask::ReleaseEmail(to.clone()));
            record.pending_tasks.push(PendingTask::ReleaseEmail(from.clone()));
            Ok((record.user.clone(), from))
        })
    }

    /// Changes the password, and whatever else `decide` changes, and ends the sessions of the
    /// account, except one. Gives the sessions that ended.
    pub async fn change_password(
        &self,
        id: UserId,
        except: Option<SessionId>,
        now: Timestamp,
        decide: impl FnMut(&mut UserRecord) -> Result<(), UsersError>,
    ) -> Result<(User, Vec<SessionId>), Failure<UsersError>> {
        let user = self.set_password(id, except, decide)?;
        let ended = self.end_for_new_password(id, except, now)?;
        self.tree.commit().await?;
        Ok((user, ended))
    }

    pub(super) fn set_password(
        &self,
        id: UserId,
        except: Option<SessionId>,
        mut decide: impl FnMut(&mut UserRecord) -> Result<(), UsersError>,
    ) -> Result<User, Failure<UsersError>> {
        self.edit(id, |record| {
            decide(record)?;
            record.password_version += 1;
            record.pending_tasks.push(PendingTask::EndSessions { except });
            Ok(record.user.clone())
        })
    }

    pub fn has_operator(&self) -> Result<bool, StorageError> {
        Ok(self.users.under(OPERATORS, None, false).next().transpose()?.is_some())
    }

    /// Does the tasks that a crash left pending. Must be called before the store is used.
    pub fn finish_pending_tasks(&self, now: Timestamp) -> Result<(), StorageError> {
        for key in self.users.open_keys()? {
            let id: UserId = key.parse().map_err(|_| StorageError::Damaged { what: format!("open/user/{key}") })?;
            let Some(record) = self.users.get(&id)? else { continue };
            for task in &record.pending_tasks {
                match task {
                    PendingTask::ClaimEmail => drop(self.claim_or_delete(&record.user)?),
                    PendingTask::ReleaseEmail(email) => self.release_email(id, email)?,
                    PendingTask::EndSessions { except } => drop(self.end_for_new_password(id, *except, now)?),
                }
            }
        }
        Ok(())
    }

    /// Does [`PendingTask::ClaimEmail`]; `false` if another account has the address.
    pub(super) fn claim_or_delete(&self, user: &User) -> Result<bool, StorageError> {
        let is_ours = self.claim(&user.email, user.id)?;
        self.users.change(&user.id, |found| {
            let Some(mut record) = found.filter(|record| !record.is_complete()) else {
                return Ok(Decision::Keep(is_ours));
            };
            if !is_ours {
                return Ok(Decision::Delete(false));
            }
            record.complete(&PendingTask::ClaimEmail);
            let event = UserRegistered { user_id: user.id, name: user.name.clone() };
            event.add_to(&mut record.outbox, user.created_at);
            Ok(Decision::Save(record, true))
        })
    }

    /// Does [`PendingTask::ReleaseEmail`].
    fn release_email(&self, id: UserId, email: &Email) -> Result<(), StorageError> {
        self.emails.change(email, |found: Option<EmailClaim>| {
            let is_ours = found.is_some_and(|claim| claim.user_id == id);
            Ok::<_, StorageError>(if is_ours { Decision::Delete(()) } else { Decision::Keep(()) })
        })?;
        self.complete(id, &PendingTask::ReleaseEmail(email.clone()))
    }

    /// Does [`PendingTask::EndSessions`].
    fn end_for_new_password(
        &self,
        id: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StorageError> {
        let ended = self.end_sessions(id, except, now)?;
        self.complete(id, &PendingTask::EndSessions { except })?;
        Ok(ended)
    }

    fn complete(&self, id: UserId, task: &PendingTask) -> Result<(), StorageError> {
        self.users.change(&id, |found: Option<UserRecord>| {
            let Some(mut record) = found else { return Ok(Decision::Keep(())) };
            let was_there = record.complete(task);
            Ok(if was_there { Decision::Save(record, ()) } else { Decision::Keep(()) })
        })
    }

    /// Claims the address for the account; `false` if another account has it.
    pub(super) fn claim(&self, email: &Email, id: UserId) -> Result<bool, StorageError> {
        self.emails.change(email, |found| {
            Ok(match found {
                None => Decision::Save(EmailClaim { user_id: id }, true),
                Some(claim) => Decision::Keep(claim.user_id == id),
            })
        })
    }
}

/// How a move of an e-mail address can start.
pub(super) enum MoveStart {
    /// The account has the address already.
    AlreadyThere(User),
    /// This move has the lock now.
    Begun,
    /// Another move has the lock.
    Busy,
}
