//! Sessions: opened, refreshed, ended, and deleted when none of their tokens can be valid.

use super::Store;
use crate::{
    services::users::{
        messages::User,
        records::{ENDED, LIVE, Session},
        rules::{MOST_SESSIONS, Refresh},
        tokens::RefreshToken,
    },
    storage::{Decision, StorageError},
    types::{SessionId, Timestamp, UserId},
};
use std::cmp::Reverse;

/// The result of using a refresh token.
pub enum Refreshed {
    Token { user_id: UserId, successor: RefreshToken },
    Reused { user_id: UserId },
    Invalid,
}

impl Store {
    /// Stores a session that was begun with this version of the user's password. Gives the user,
    /// and the sessions that ended because there were too many. `None` if the password has changed
    /// since.
    ///
    /// A password change writes the user first and then looks for sessions to end. Here the session
    /// is written first, and then the user is read. So at least one of the two sees the other.
    pub async fn open_session(
        &self,
        session: Session,
        password_version: u32,
    ) -> Result<Option<(User, Vec<SessionId>)>, StorageError> {
        let (id, user_id, now) = (session.id, session.user_id, session.created_at);
        self.sessions.create(&id, session)?;
        let record = self.user(user_id)?.filter(|record| record.password_version == password_version);
        let ended = match &record {
            Some(_) => self.make_room(user_id, id, now)?,
            None => self.end_session(user_id, id, now)?.into_iter().collect(),
        };
        self.tree.commit().await?;
        Ok(record.map(|record| (record.user, ended)))
    }

    /// Ends the sessions beyond the limit, except `new`: those that were unused for the longest
    /// time.
    fn make_room(&self, user_id: UserId, new: SessionId, now: Timestamp) -> Result<Vec<SessionId>, StorageError> {
        let mut others = self.sessions_of(user_id).collect::<Result<Vec<_>, _>>()?;
        others.retain(|session| session.is_live(now) && session.id != new);
        others.sort_by_key(|session| Reverse(session.last_used_at));
        let mut ended = Vec::new();
        for session in others.into_iter().skip(MOST_SESSIONS - 1) {
            ended.extend(self.end_session(user_id, session.id, now)?);
        }
        Ok(ended)
    }

    /// Replaces the token by its successor, or does what the rules of the session say instead.
    /// `fresh_key` derives a new successor.
    pub async fn refresh(
        &self,
        token: &RefreshToken,
        fresh_key: &str,
        now: Timestamp,
    ) -> Result<Refreshed, StorageError> {
        let (family, fingerprint) = (token.family(), token.fingerprint());
        let refreshed = self.sessions.change(&token.session_id, |found: Option<Session>| {
            let Some(mut session) = found else { return Ok(Decision::Keep(Refreshed::Invalid)) };
            let user_id = session.user_id;
            Ok::<_, StorageError>(match session.refresh(&family, &fingerprint, now) {
                Refresh::Rotate => {
                    let successor = token.successor(fresh_key);
                    session.rotate(successor.fingerprint(), fresh_key.to_owned(), now);
                    Decision::Save(session, Refreshed::Token { user_id, successor })
                }
                Refresh::Repeat { successor_key } => {
                    Decision::Keep(Refreshed::Token { user_id, successor: token.successor(&successor_key) })
                }
                Refresh::Reused => {
                    session.ended_at = Some(now);
                    Decision::Save(session, Refreshed::Reused { user_id })
                }
                Refresh::Invalid => Decision::Keep(Refreshed::Invalid),
            })
        })?;
        // Also for a repeated successor: the request that made it may not have committed yet.
        self.tree.commit().await?;
        Ok(refreshed)
    }

    /// The user's sessions, newest first, including those that ended recently.
    pub fn sessions_of(&self, user_id: UserId) -> impl Iterator<Item = Result<Session, StorageError>> + use<> {
        self.sessions.under(&format!("by_user/{user_id}/"), None, true).map(|found| Ok(found?.1))
    }

    /// Ends one session of the user, or, without `only`, all. Gives the sessions that ended, now or
    /// recently.
    pub async fn sign_out(
        &self,
        user_id: UserId,
        only: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StorageError> {
        let ended = match only {
            Some(id) => self.end_session(user_id, id, now)?.into_iter().collect(),
            None => self.end_sessions(user_id, None, now)?,
        };
        self.tree.commit().await?;
        Ok(ended)
    }

    pub(super) fn end_sessions(
        &self,
        user_id: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StorageError> {
        let mut ended = Vec::new();
        for session in self.sessions_of(user_id) {
            let id = session?.id;
            if Some(id) != except {
                ended.extend(self.end_session(user_id, id, now)?);
            }
        }
        Ok(ended)
    }

    /// `None` if the user has no such session.
    fn end_session(&self, user_id: UserId, id: SessionId, now: Timestamp) -> Result<Option<SessionId>, StorageError> {
        self.sessions.change(&id, |found: Option<Session>| {
            let Some(mut session) = found.filter(|session| session.user_id == user_id) else {
                return Ok(Decision::Keep(None));
            };
            if session.ended_at.is_some() {
                return Ok(Decision::Keep(Some(id)));
            }
            session.ended_at = Some(now);
            Ok(Decision::Save(session, Some(id)))
        })
    }

    /// The ended sessions of which an access token may not have expired yet.
    pub fn revoked(&self, now: Timestamp) -> Result<Vec<Session>, StorageError> {
        let ended = self.sessions.under(ENDED, None, true).map(|found| Ok(found?.1));
        ended
            .take_while(|session: &Result<Session, _>| !matches!(session, Ok(session) if session.until() <= now))
            .collect()
    }

    /// Deletes up to `most` expired sessions, and up to `most` ended sessions whose access tokens
    /// have expired. Gives how many were deleted.
    pub fn sweep_sessions(&self, now: Timestamp, most: usize) -> Result<usize, StorageError> {
        let is_over = |session: &Session| session.until() <= now;
        let mut swept = 0;
        for prefix in [LIVE, ENDED] {
            for found in self.sessions.under(prefix, None, false).take(most) {
                let session = found?.1;
                if !is_over(&session) {
                    break;
                }
                self.sessions.change(&session.id, |found| {
                    let over = found.as_ref().is_some_and(is_over);
                    Ok::<_, StorageError>(if over { Decision::Delete(()) } else { Decision::Keep(()) })
                })?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}
