//! Accounts and their e-mail addresses: one address, one account, whatever happens when.
//!
//! **A claim** (`email/<address>`) is made by create, so that of two who want an address one gets it. It counts only while the
//! account that it names has that address: sign-in looks at both. So at every moment an account is found by exactly one
//! address, the one in its record, and these are all the moments there are:
//!
//! | making an account | after a crash here |
//! |---|---|
//! | 1. the record, owing [`Duty::ClaimEmail`]: nobody finds it yet | goes on with 2 |
//! | 2. the claim; or, where another has it, the record is deleted again | finds its own claim, goes on with 3 |
//! | 3. the duty is struck off, and `UserRegistered` is owed | nothing to do |
//!
//! | moving from A to B | after a crash here |
//! |---|---|
//! | 1. the record owes [`Duty::ReleaseEmail`]`(B)` | nothing to let go of: found by A |
//! | 2. the claim on B; or, where another has it, the duty is struck off | lets go of B: found by A |
//! | 3. in one swap the record says B, and owes `ReleaseEmail(A)` in place of `(B)` | lets go of A: found by B |
//! | 4. A is let go of | nothing to let go of: found by B |
//! | 5. the duty is struck off | nothing to do |
//!
//! A claim that the account itself still holds on B is as good as a new one. Two moves of one account at once would let
//! go of what the other is claiming, so the duty is also a turnstile: one that finds it there waits until it is struck off.

use super::{Duty, EmailClaim, OPERATORS, Store, UserRecord};
use crate::{
    mesh::{Event, Failure, MeshError},
    services::users::messages::{User, UserRegistered, UsersError},
    storage::{Decision, StorageError},
    types::{Email, SessionId, Timestamp, UserId},
};
use std::time::Duration;

/// The other move is made without waiting for anybody: it is over before this, unless the disk fails.
const TURNSTILE_PAUSE: Duration = Duration::from_millis(5);
const TURNSTILE_ATTEMPTS: usize = 200;

impl Store {
    /// Makes an account, known by the key that it was made with; `EmailTaken` where the address has one.
    pub async fn register(
        &self,
        user: &User,
        password_hash: String,
        key: Option<&str>,
    ) -> Result<(), Failure<UsersError>> {
        let record = UserRecord::in_the_making(user.clone(), password_hash);
        self.users.create(&user.id, UserRecord { made_with: key.map(str::to_owned), ..record })?;
        if !self.claim_or_delete(user)? {
            return Err(UsersError::EmailTaken.into());
        }
        Ok(self.tree.commit().await?)
    }

    /// The account that is found by this address.
    pub fn by_email(&self, email: &Email) -> Result<Option<UserRecord>, StorageError> {
        let Some(claim) = self.emails.get(email)? else { return Ok(None) };
        Ok(self.user(claim.user_id)?.filter(|record| record.user.email == *email))
    }

    /// Gives the account another address; `EmailTaken` where another account has it.
    pub async fn move_email(&self, id: UserId, to: &Email) -> Result<User, Failure<UsersError>> {
        for _ in 0..TURNSTILE_ATTEMPTS {
            match self.begin_move(id, to)? {
                Turn::There(user) => {
                    self.tree.commit().await?;
                    return Ok(user);
                }
                Turn::Mine => {
                    let user = self.finish_move(id, to)?;
                    self.tree.commit().await?;
                    return Ok(user);
                }
                Turn::Wait => tokio::time::sleep(TURNSTILE_PAUSE).await,
            }
        }
        Err(MeshError::Failed(format!("{id} is kept from changing its address by a change that does not end")).into())
    }

    fn begin_move(&self, id: UserId, to: &Email) -> Result<Turn, Failure<UsersError>> {
        self.edit(id, |record| {
            if record.duties.iter().any(|duty| matches!(duty, Duty::ReleaseEmail(_))) {
                return Ok(Turn::Wait);
            }
            if record.user.email == *to {
                return Ok(Turn::There(record.user.clone()));
            }
            record.duties.push(Duty::ReleaseEmail(to.clone()));
            Ok(Turn::Mine)
        })
    }

    fn finish_move(&self, id: UserId, to: &Email) -> Result<User, Failure<UsersError>> {
        if !self.claim(to, id)? {
            self.strike(id, &Duty::ReleaseEmail(to.clone()))?;
            return Err(UsersError::EmailTaken.into());
        }
        let (user, from) = self.swap_email(id, to)?;
        self.release_email(id, &from)?;
        Ok(user)
    }

    /// Gives the address that the account had before, too.
    fn swap_email(&self, id: UserId, to: &Email) -> Result<(User, Email), Failure<UsersError>> {
        self.edit(id, |record| {
            let from = std::mem::replace(&mut record.user.email, to.clone());
            record.strike(&Duty::ReleaseEmail(to.clone()));
            record.duties.push(Duty::ReleaseEmail(from.clone()));
            Ok((record.user.clone(), from))
        })
    }

    /// Makes a change of which the password is part, and ends the account's sessions, except one; gives those that have ended.
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

    fn set_password(
        &self,
        id: UserId,
        except: Option<SessionId>,
        mut decide: impl FnMut(&mut UserRecord) -> Result<(), UsersError>,
    ) -> Result<User, Failure<UsersError>> {
        self.edit(id, |record| {
            decide(record)?;
            record.password_version += 1;
            record.duties.push(Duty::EndSessions { except });
            Ok(record.user.clone())
        })
    }

    pub fn has_operator(&self) -> Result<bool, StorageError> {
        Ok(self.users.under(OPERATORS, None, false).next().transpose()?.is_some())
    }

    /// Does what a crash has left undone. To be called before anybody else uses the store.
    pub fn finish(&self, now: Timestamp) -> Result<(), StorageError> {
        for key in self.users.open_keys()? {
            let id: UserId = key.parse().map_err(|_| StorageError::Damaged { what: format!("open/user/{key}") })?;
            let Some(record) = self.users.get(&id)? else { continue };
            for duty in &record.duties {
                match duty {
                    Duty::ClaimEmail => drop(self.claim_or_delete(&record.user)?),
                    Duty::ReleaseEmail(email) => self.release_email(id, email)?,
                    Duty::EndSessions { except } => drop(self.end_for_new_password(id, *except, now)?),
                }
            }
        }
        Ok(())
    }

    /// [`Duty::ClaimEmail`]: says whether the account has got its address.
    fn claim_or_delete(&self, user: &User) -> Result<bool, StorageError> {
        let is_ours = self.claim(&user.email, user.id)?;
        self.users.change(&user.id, |found| {
            let Some(mut record) = found.filter(|record| !record.is_made()) else { return Ok(Decision::Keep(is_ours)) };
            if !is_ours {
                return Ok(Decision::Delete(false));
            }
            record.strike(&Duty::ClaimEmail);
            let event = UserRegistered { user_id: user.id, name: user.name.clone() };
            event.add_to(&mut record.outbox, user.created_at);
            Ok(Decision::Save(record, true))
        })
    }

    /// [`Duty::ReleaseEmail`].
    fn release_email(&self, id: UserId, email: &Email) -> Result<(), StorageError> {
        self.emails.change(email, |found: Option<EmailClaim>| {
            let is_ours = found.is_some_and(|claim| claim.user_id == id);
            Ok::<_, StorageError>(if is_ours { Decision::Delete(()) } else { Decision::Keep(()) })
        })?;
        self.strike(id, &Duty::ReleaseEmail(email.clone()))
    }

    /// [`Duty::EndSessions`].
    fn end_for_new_password(
        &self,
        id: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StorageError> {
        let ended = self.end_sessions(id, except, now)?;
        self.strike(id, &Duty::EndSessions { except })?;
        Ok(ended)
    }

    fn strike(&self, id: UserId, duty: &Duty) -> Result<(), StorageError> {
        self.users.change(&id, |found: Option<UserRecord>| {
            let Some(mut record) = found else { return Ok(Decision::Keep(())) };
            let was_there = record.strike(duty);
            Ok(if was_there { Decision::Save(record, ()) } else { Decision::Keep(()) })
        })
    }

    /// Whether the address is the account's to have: nobody had it, or this account did.
    fn claim(&self, email: &Email, id: UserId) -> Result<bool, StorageError> {
        self.emails.change(email, |found| {
            Ok(match found {
                None => Decision::Save(EmailClaim { user_id: id }, true),
                Some(claim) => Decision::Keep(claim.user_id == id),
            })
        })
    }
}

/// What a move finds at the turnstile.
enum Turn {
    /// The account has the address already.
    There(User),
    Mine,
    Wait,
}

#[cfg(test)]
mod tests;
