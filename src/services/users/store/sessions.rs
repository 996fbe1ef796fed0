//! Sessions: found by their id and by their user, ended, and swept when nobody can have a token of theirs.

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

/// What came of a refresh token.
pub enum Refreshed {
    Token { user_id: UserId, successor: RefreshToken },
    Reused { user_id: UserId },
    Invalid,
}

impl Store {
    /// Writes down a session that was begun with this version of the user's password; gives the user as they are then, and the
    /// sessions that had to make room. `None` where the password has changed since.
    ///
    /// A change of the password writes the user first and then looks for sessions to end; here the session is written first
    /// and then the user is looked at. So of the two at least one sees the other.
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

    /// Ends those beside `new` that are too many, the longest unused first.
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

    /// Trades the token for its successor, or does what else its session makes of it. `fresh_key` is for a new successor.
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
        // A repeated successor, too: whoever made it may not have come so far.
        self.tree.commit().await?;
        Ok(refreshed)
    }

    /// The user's sessions, the newest first; among them those that ended lately.
    pub fn sessions_of(&self, user_id: UserId) -> impl Iterator<Item = Result<Session, StorageError>> + use<> {
        self.sessions.under(&format!("by_user/{user_id}/"), None, true).map(|found| Ok(found?.1))
    }

    /// Ends one session of the user, or, without `only`, all; gives what has ended, now or lately.
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

    /// `None` where the user has no such session.
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

    /// The ended sessions of which an access token may still be good.
    pub fn revoked(&self, now: Timestamp) -> Result<Vec<Session>, StorageError> {
        let ended = self.sessions.under(ENDED, None, true).map(|found| Ok(found?.1));
        ended
            .take_while(|session: &Result<Session, _>| !matches!(session, Ok(session) if session.until() <= now))
            .collect()
    }

    /// Deletes up to `most` live sessions that have run out, and as many ended ones of which no token is good any longer;
    /// says how many there were.
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
