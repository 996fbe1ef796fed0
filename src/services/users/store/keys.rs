//! The keys that sign access tokens. One key signs. Older keys stay published while a token of
//! theirs may be valid, and the next key is published before it signs.

use super::Store;
use crate::{
    env::since,
    services::users::{
        records::SigningKeyRef,
        rules::{KEY_ANNOUNCED_FOR, SIGNING_KEY_LIFE, tokens_gone},
        tokens::TokenKey,
    },
    storage::{Decision, StorageError},
    types::Timestamp,
};

const CURRENT: &str = "current";

impl Store {
    /// The key that signs. It is read each time, so that no instance signs with a replaced key.
    pub fn signing_key(&self) -> Result<Option<TokenKey>, StorageError> {
        let Some(signing) = self.signing.get(&CURRENT.to_owned())? else { return Ok(None) };
        let damaged = || StorageError::Damaged { what: format!("the signing key {} is missing", signing.kid) };
        self.keys.get(&signing.kid)?.ok_or_else(damaged).map(Some)
    }

    /// All keys that may have signed a valid access token, newest first.
    pub fn published_keys(&self, now: Timestamp) -> Result<Vec<TokenKey>, StorageError> {
        let keys = self.keys.all(None).map(|found| Ok(found?.1));
        let mut keys: Vec<TokenKey> = keys.collect::<Result<_, StorageError>>()?;
        keys.retain(|key| !is_gone(key, now));
        keys.sort_by(|a, b| (b.created_at, &b.kid).cmp(&(a.created_at, &a.kid)));
        Ok(keys)
    }

    /// Makes the first key, publishes the next one in time, lets it sign when the current key is
    /// too old, and retires and deletes old keys. `seed` makes a new key.
    ///
    /// The signing key is replaced by compare-and-swap, so that of several callers at the same time
    /// one succeeds. Each of them may publish a successor; the oldest one signs next.
    pub fn renew_keys(&self, now: Timestamp, seed: [u8; 32]) -> Result<(), StorageError> {
        match self.signing_key()? {
            None => self.replace_key(None, TokenKey::from_seed(seed, now))?,
            Some(current) => {
                let age = since(now, current.created_at);
                let mut successors = self.published_keys(now)?;
                successors.retain(|key| key.kid != current.kid && key.retired_at.is_none());
                match successors.pop() {
                    Some(next) if age >= SIGNING_KEY_LIFE && since(now, next.created_at) >= KEY_ANNOUNCED_FOR => {
                        self.replace_key(Some(current), next)?;
                    }
                    None if age + KEY_ANNOUNCED_FOR >= SIGNING_KEY_LIFE => {
                        let next = TokenKey::from_seed(seed, now);
                        self.keys.create(&next.kid.clone(), next)?;
                    }
                    _ => {}
                }
            }
        }
        let Some(current) = self.signing_key()? else { return Ok(()) };
        for found in self.keys.all(None) {
            let (kid, key) = found?;
            if kid != current.kid && (key.retired_at.is_some() || key.created_at <= current.created_at) {
                self.retire_key(&kid, now)?;
            }
        }
        Ok(())
    }

    fn replace_key(&self, old: Option<TokenKey>, new: TokenKey) -> Result<(), StorageError> {
        let (old, kid) = (old.map(|key| SigningKeyRef { kid: key.kid }), new.kid.clone());
        self.keys.create(&kid, new)?;
        self.signing.change(&CURRENT.to_owned(), |found| {
            let is_still = found == old;
            Ok(if is_still { Decision::Save(SigningKeyRef { kid: kid.clone() }, ()) } else { Decision::Keep(()) })
        })
    }

    fn retire_key(&self, kid: &String, now: Timestamp) -> Result<(), StorageError> {
        self.keys.change(kid, |found: Option<TokenKey>| {
            Ok(match found {
                Some(key) if is_gone(&key, now) => Decision::Delete(()),
                Some(mut key) if key.retired_at.is_none() => {
                    key.retired_at = Some(now);
                    Decision::Save(key, ())
                }
                _ => Decision::Keep(()),
            })
        })
    }
}

fn is_gone(key: &TokenKey, now: Timestamp) -> bool {
    key.retired_at.is_some_and(|retired_at| tokens_gone(retired_at) <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::users::store::tests::{NOW, fixture};

    #[test]
    fn of_two_keys_that_replace_the_same_key_the_first_wins() {
        let harness = fixture();
        let store = &harness.store;
        let [first, second] = [1, 2].map(|seed| TokenKey::from_seed([seed; 32], NOW));
        let signing = || store.signing_key().unwrap().map(|key| key.kid);
        for key in [&first, &second] {
            store.replace_key(None, key.clone()).unwrap();
            assert_eq!(signing(), Some(first.kid.clone()));
        }
        store.renew_keys(NOW, [3; 32]).unwrap();
        let retired = |key: &TokenKey| store.keys.get(&key.kid).unwrap().unwrap().retired_at;
        assert_eq!((retired(&first), retired(&second)), (None, Some(NOW)));
        store.replace_key(Some(first), TokenKey::from_seed([4; 32], NOW)).unwrap();
        assert_eq!(signing(), Some(TokenKey::from_seed([4; 32], NOW).kid));
    }
}
