//! How long sessions last, what a refresh token is worth, and what an address book holds.

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

/// A session that was not refreshed for so long has ended.
pub const SESSION_IDLE: Duration = DAY.saturating_mul(30);
/// So long after signing in a password is asked for again, however busy the session was.
pub const SESSION_LIFE: Duration = DAY.saturating_mul(90);
/// How long the token before the current one still counts: long enough for two tabs that wake up together and for
/// an answer that was lost on the way, too short for a thief.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);
pub const SETUP_TOKEN_LIFE: Duration = Duration::from_secs(30 * 60);
/// After so long another key signs.
pub const SIGNING_KEY_LIFE: Duration = DAY.saturating_mul(90);
/// A key is published so long before it signs: by then everybody who verifies has read the keys again, and no token meets somebody who
/// has never heard of its key.
pub const KEY_ANNOUNCED_FOR: Duration = Duration::from_secs(60 * 60);
/// Live ones of a user. One more ends that which was not used for the longest time.
pub const MOST_SESSIONS: usize = 50;
pub const MOST_ADDRESSES: usize = 50;
/// How many addresses are remembered to have been removed: more than are removed while an answer is on its way.
const REMEMBERED_REMOVALS: usize = 16;

/// What to do with a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    /// It is the current one: its successor takes its place.
    Rotate,
    /// It was replaced a moment ago: its successor once more, made with this key.
    Repeat { successor_key: String },
    /// It was replaced before that. Whoever has it, or whoever replaced it, is a thief: the session ends.
    Reused,
    /// It was made up, or its session has ended.
    Invalid,
}

impl Session {
    /// What a token is worth that has these fingerprints.
    ///
    /// One of another family was made up by somebody who knows no more than the session's id, which is no secret:
    /// it must not end the session.
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

    /// The current token has been traded for the one with this fingerprint.
    pub fn rotate(&mut self, successor: Fingerprint, successor_key: String, now: Timestamp) {
        let token = std::mem::replace(&mut self.current, successor);
        self.previous = Some(Replaced { token, at: now, successor_key });
        self.last_used_at = now;
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.until()
    }

    /// When it runs out; of one that was ended, when its last access token does.
    pub fn until(&self) -> Timestamp {
        match self.ended_at {
            Some(ended_at) => tokens_gone(ended_at),
            None => later(self.last_used_at, SESSION_IDLE).min(later(self.created_at, SESSION_LIFE)),
        }
    }
}

/// When no access token is good any longer that was signed at this moment.
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

/// Takes an address out of the book. One that was removed lately is removed again without a word, as the first answer may
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
    fn the_token_before_gives_the_same_successor_for_a_moment() {
        let refresh = |now| session().refresh(&print("family"), &print("c1"), at(now));
        let repeat = Refresh::Repeat { successor_key: "key 2".into() };
        assert_eq!(refresh(2000), repeat);
        assert_eq!(refresh(2009), repeat);
        assert_eq!(refresh(2010), Refresh::Reused);
        // Another instance's clock may be a little behind.
        assert_eq!(refresh(1999), repeat);
    }

    #[test]
    fn who_knows_only_a_sessions_id_cannot_end_it() {
        for token in ["c0", "c1", "c2", "made up"] {
            assert_eq!(session().refresh(&print("another"), &print(token), at(2001)), Refresh::Invalid);
        }
    }

    #[test]
    fn a_session_that_ended_or_ran_out_refreshes_nothing() {
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
