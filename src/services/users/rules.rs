//! The rules of sessions, refresh tokens and address books.

use super::{
    messages::{ACCESS_TOKEN_LIFE, LEEWAY, SavedAddress, UsersError},
    records::{Replaced, Session},
    tokens::Fingerprint,
};
use crate::{
    env::{later, since},
    types::{AddressId, Timestamp},
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A session ends when it was not refreshed for this long.
pub const SESSION_IDLE: Duration = DAY.saturating_mul(30);
/// A session ends this long after the sign-in, even if it was used all the time.
pub const SESSION_LIFE: Duration = DAY.saturating_mul(90);
/// How long the refresh token before the current one is still accepted. Two tabs may refresh at the
/// same time, and a response may be lost; a thief is seldom that fast.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);
/// How long a set-up token is valid.
pub const SETUP_TOKEN_LIFE: Duration = Duration::from_secs(30 * 60);
/// How long one key signs.
pub const SIGNING_KEY_LIFE: Duration = DAY.saturating_mul(90);
/// A key is published this long before it signs. By then every verifier has read the keys again, so
/// that no verifier meets a token of an unknown key.
pub const KEY_ANNOUNCED_FOR: Duration = Duration::from_secs(60 * 60);
/// Live sessions of one user. One more ends the session that was unused for the longest time.
pub const MOST_SESSIONS: usize = 50;
/// Addresses in one address book.
pub const MOST_ADDRESSES: usize = 50;
/// How many removed addresses are remembered, so that repeated removals succeed.
const REMEMBERED_REMOVALS: usize = 16;

/// What to do with a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// It is the current token: replace it by its successor.
    Rotate,
    /// It was replaced a moment ago: give the same successor again, derived with this key.
    Repeat { successor_key: String },
    /// It was replaced before that. Either this client or the one that replaced it is a thief, so
    /// the session ends.
    Reused,
    /// It was made up, or its session has ended.
    Invalid,
}

impl Session {
    /// Decides what to do with a token that has these fingerprints.
    ///
    /// A token of another family was made up by a client that knows only the session's id. The id
    /// is no secret, so such a token must not end the session.
    pub fn refresh(&self, family: &Fingerprint, token: &Fingerprint, now: Timestamp) -> Refresh {
        if !self.is_live(now) || *family != self.family {
            return Refresh::Invalid;
        }
        if *token == self.current {
            return Refresh::Rotate;
        }
        match &self.previous {
            Some(previous) if previous.token == *token && since(now, previous.at) < REFRESH_GRACE => {
                Refresh::Repeat { successor_key: previous.successor_key.clone() }
            }
            _ => Refresh::Reused,
        }
    }

    /// Makes `successor` the current token.
    pub fn rotate(&mut self, successor: Fingerprint, successor_key: String, now: Timestamp) {
        let token = std::mem::replace(&mut self.current, successor);
        self.previous = Some(Replaced { token, at: now, successor_key });
        self.last_used_at = now;
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.until()
    }

    /// When a live session expires, or when the last access token of an ended session does.
    pub fn until(&self) -> Timestamp {
        match self.ended_at {
            Some(ended_at) => tokens_gone(ended_at),
            None => later(self.last_used_at, SESSION_IDLE).min(later(self.created_at, SESSION_LIFE)),
        }
    }
}

/// When the access tokens that were signed until `signed_at` have all expired, with leeway.
pub fn tokens_gone(signed_at: Timestamp) -> Timestamp {
    later(signed_at, ACCESS_TOKEN_LIFE + LEEWAY)
}

pub fn add_address(book: &mut Vec<SavedAddress>, new: &SavedAddress) -> Result<(), UsersError> {
    if book.len() >= MOST_ADDRESSES {
        return Err(UsersError::AddressBookFull { most: MOST_ADDRESSES });
    }
    book.push(new.clone());
    Ok(())
}

pub fn replace_address(book: &mut [SavedAddress], new: &SavedAddress) -> Result<(), UsersError> {
    let old = book.iter_mut().find(|saved| saved.id == new.id).ok_or(UsersError::AddressNotFound)?;
    *old = new.clone();
    Ok(())
}

/// Removes an address from the book. Removing it again succeeds, because the first response may
/// have been lost.
pub fn remove_address(
    book: &mut Vec<SavedAddress>,
    removed: &mut Vec<AddressId>,
    id: AddressId,
) -> Result<(), UsersError> {
    match book.iter().position(|saved| saved.id == id) {
        Some(at) => {
            book.remove(at);
            removed.push(id);
            removed.drain(..removed.len().saturating_sub(REMEMBERED_REMOVALS));
            Ok(())
        }
        None if removed.contains(&id) => Ok(()),
        None => Err(UsersError::AddressNotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Id, SessionId, UserId};
    use uuid::Uuid;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn print(text: &str) -> Fingerprint {
        Fingerprint::of(text.as_bytes())
    }

    /// Signed in at 0; "c0" was traded for "c1" at 1000, "c1" for "c2" at 2000.
    fn session() -> Session {
        let mut session = Session {
            id: SessionId::from_uuid(Uuid::from_u128(1)),
            user_id: UserId::from_uuid(Uuid::from_u128(2)),
            created_at: at(0),
            last_used_at: at(0),
            ended_at: None,
            from: None,
            family: print("family"),
            current: print("c0"),
            previous: None,
        };
        session.rotate(print("c1"), "key 1".into(), at(1000));
        session.rotate(print("c2"), "key 2".into(), at(2000));
        session
    }

    #[test]
    fn the_current_token_is_rotated_and_all_older_ones_are_reuse() {
        let refresh = |token, now| session().refresh(&print("family"), &print(token), at(now));
        assert_eq!(refresh("c2", 2000), Refresh::Rotate);
        assert_eq!(refresh("c2", 9000), Refresh::Rotate);
        assert_eq!(refresh("c1", 2010), Refresh::Reused);
        assert_eq!(refresh("c0", 2001), Refresh::Reused);
    }

    #[test]
    fn the_previous_token_gives_the_same_successor_within_the_grace_period() {
        let refresh = |now| session().refresh(&print("family"), &print("c1"), at(now));
        let repeat = Refresh::Repeat { successor_key: "key 2".into() };
        assert_eq!(refresh(2000), repeat);
        assert_eq!(refresh(2009), repeat);
        assert_eq!(refresh(2010), Refresh::Reused);
        // Another instance's clock may be a little behind.
        assert_eq!(refresh(1999), repeat);
    }

    #[test]
    fn a_client_that_knows_only_a_sessions_id_cannot_end_it() {
        for token in ["c0", "c1", "c2", "made up"] {
            assert_eq!(session().refresh(&print("another"), &print(token), at(2001)), Refresh::Invalid);
        }
    }

    #[test]
    fn an_ended_or_expired_session_refreshes_nothing() {
        let refresh = |session: &Session, token, now| session.refresh(&print("family"), &print(token), now);
        let idle = later(at(2000), SESSION_IDLE);
        assert_eq!(refresh(&session(), "c2", later(at(1999), SESSION_IDLE)), Refresh::Rotate);
        assert_eq!(refresh(&session(), "c2", idle), Refresh::Invalid);
        assert_eq!(refresh(&session(), "c1", idle), Refresh::Invalid);
        let mut busy = session();
        busy.last_used_at = later(at(0), SESSION_LIFE);
        assert_eq!(refresh(&busy, "c2", later(at(0), SESSION_LIFE)), Refresh::Invalid);
        let ended = Session { ended_at: Some(at(3000)), ..session() };
        assert_eq!(refresh(&ended, "c2", at(3000)), Refresh::Invalid);
        assert_eq!(refresh(&ended, "c0", at(3000)), Refresh::Invalid);
        assert_eq!(ended.until(), at(3000 + 15 * 60 + 5));
    }
}
