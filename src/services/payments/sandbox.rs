//! The provider's sandbox: moves no money, keeps true books of what it would have moved, and fails on demand.
//!
//! Its books are in a tree of their own that payments never reads, so that the two can be compared like a shop's with its bank's.

pub mod ledger;

use super::{
    card::ValidCard,
    messages::Ledger,
    provider::{
        AuthorizationId, IdempotencyKey, Outcome, PaymentProvider, ProviderError, ProviderFuture, Refusal, Token,
        VaultedCard,
    },
    test_cards,
};
use crate::{
    env::Env,
    storage::{Decision, StorageError, Table, Tree},
    types::{Faults, Money, OrderId},
};
use arc_swap::ArcSwap;
use ledger::{Authorization, VaultRecord, Wish};
use std::{sync::Arc, time::Duration};

/// Cheap to clone; all clones keep the same books and have the same faults.
#[derive(Clone)]
pub struct Sandbox {
    env: Env,
    tree: Tree,
    vault: Table<VaultRecord>,
    authorizations: Table<Authorization>,
    faults: Arc<ArcSwap<Faults>>,
}

/// When a lost answer comes: after everybody's patience.
const LATE: Duration = Duration::from_secs(30);

impl Sandbox {
    pub fn open(tree: Tree, env: Env) -> Self {
        let (vault, authorizations) = (tree.table(), tree.table());
        Self { env, tree, vault, authorizations, faults: Arc::default() }
    }

    pub fn faults(&self) -> Faults {
        **self.faults.load()
    }

    pub fn set_faults(&self, faults: Faults) {
        self.faults.store(Arc::new(faults));
    }

    /// Does the work as one elsewhere does it: with what goes wrong on the way, and to the end though nobody waits any more.
    fn serve<T: Send + 'static>(
        &self,
        work: impl Fn(&Self) -> Result<T, StorageError> + Clone + Send + 'static,
    ) -> ProviderFuture<'static, T> {
        let (sandbox, faults) = (self.clone(), self.faults());
        if sandbox.happens(faults.twice_rate) {
            let (sandbox, work) = (self.clone(), work.clone());
            tokio::spawn(async move {
                tokio::time::sleep(faults.delay + sandbox.env.jitter(LATE)).await;
                // Whoever asked has had an answer, or has given up.
                let _ = sandbox.carry_out(work).await;
            });
        }
        let served = tokio::spawn(async move {
            if !faults.delay.is_zero() {
                tokio::time::sleep(faults.delay).await;
            }
            if sandbox.happens(faults.fail_rate) {
                return Err(ProviderError::Unavailable);
            }
            let done = sandbox.carry_out(work).await.map_err(|error| {
                log::error!("the payment provider's books: {error}");
                ProviderError::Unavailable
            })?;
            if sandbox.happens(faults.lose_rate) {
                tokio::time::sleep(LATE).await;
                return Err(ProviderError::TimedOut);
            }
            Ok(done)
        });
        Box::pin(async move { served.await.unwrap_or(Err(ProviderError::Unavailable)) })
    }

    /// What it answers is on disk.
    async fn carry_out<T>(&self, work: impl FnOnce(&Self) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let done = work(self)?;
        self.tree.commit().await?;
        Ok(done)
    }

    fn happens(&self, rate: u8) -> bool {
        rate > 0 && self.env.below(0..100) < rate.into()
    }

    fn perform(
        &self,
        key: IdempotencyKey,
        authorization: &AuthorizationId,
        wish: Wish,
    ) -> ProviderFuture<'static, Outcome> {
        let id = authorization.0.clone();
        self.serve(move |sandbox| {
            let now = sandbox.env.now();
            sandbox.authorizations.change(&id, |found| {
                let Some(mut authorization) = found else {
                    return Ok(Decision::Keep(Outcome::Refused(Refusal::Unknown)));
                };
                let outcome = authorization.perform(key, &wish, now);
                Ok(Decision::Save(authorization, outcome))
            })
        })
    }

    /// All authorizations that were ever asked for on behalf of an order.
    fn of_order(&self, order_id: OrderId) -> impl Iterator<Item = Result<Authorization, StorageError>> {
        let found = self.authorizations.within(&Authorization::keys_of(order_id), None, false);
        found.map(|found| found.map(|(_, authorization)| authorization))
    }

    fn ledger(&self, order_id: OrderId) -> Result<Ledger, StorageError> {
        let now = self.env.now();
        self.of_order(order_id).try_fold(Ledger::default(), |sum, authorization| {
            let one = authorization?.ledger(now);
            Ok(Ledger {
                authorizations: sum.authorizations + one.authorizations,
                captures: sum.captures + one.captures,
                held: sum.held + one.held,
                captured: sum.captured + one.captured,
                refunded: sum.refunded + one.refunded,
            })
        })
    }
}

impl PaymentProvider for Sandbox {
    fn tokenize(&self, card: &ValidCard) -> ProviderFuture<'_, VaultedCard> {
        let token = Token(format!("tok_{:032x}", u128::from_be_bytes(self.env.bytes())));
        let (brand, last4) = (card.number.brand(), card.number.last4());
        let behaviour = test_cards::behaviour_of(&card.number);
        self.serve(move |sandbox| {
            sandbox.vault.create(&token.0, VaultRecord { behaviour, brand, last4: last4.clone() })?;
            Ok(VaultedCard { token: token.clone(), brand, last4: last4.clone() })
        })
    }

    fn authorize(&self, key: IdempotencyKey, token: &Token, amount: Money) -> ProviderFuture<'_, Outcome> {
        let token = token.clone();
        self.serve(move |sandbox| {
            let Some(card) = sandbox.vault.get(&token.0)? else { return Ok(Outcome::Refused(Refusal::Unknown)) };
            let (now, wish) = (sandbox.env.now(), Wish::Authorize { token: token.clone(), amount });
            sandbox.authorizations.change(&Authorization::id_for(key).0, |found| {
                let mut authorization = found.unwrap_or_else(|| Authorization::new(key, card.behaviour));
                let outcome = authorization.perform(key, &wish, now);
                Ok(Decision::Save(authorization, outcome))
            })
        })
    }

    fn capture(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, Outcome> {
        self.perform(key, authorization, Wish::Capture)
    }

    fn void(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, Outcome> {
        self.perform(key, authorization, Wish::Void)
    }

    fn refund(
        &self,
        key: IdempotencyKey,
        authorization: &AuthorizationId,
        amount: Money,
    ) -> ProviderFuture<'_, Outcome> {
        self.perform(key, authorization, Wish::Refund { amount })
    }

    fn find(&self, key: IdempotencyKey) -> ProviderFuture<'_, Option<Outcome>> {
        self.serve(move |sandbox| {
            for authorization in sandbox.of_order(key.order_id) {
                if let Some(outcome) = authorization?.find(key) {
                    return Ok(Some(outcome.clone()));
                }
            }
            Ok(None)
        })
    }

    fn failed_refunds(&self) -> ProviderFuture<'_, Vec<IdempotencyKey>> {
        self.serve(|sandbox| {
            let mut failed = Vec::new();
            for id in sandbox.authorizations.open_keys()? {
                let authorization = sandbox.authorizations.get(&id)?;
                failed.extend(authorization.iter().flat_map(|found| found.failed_refunds(sandbox.env.now())));
            }
            Ok(failed)
        })
    }

    fn acknowledge(&self, refund: IdempotencyKey) -> ProviderFuture<'_, ()> {
        self.serve(move |sandbox| {
            for authorization in sandbox.of_order(refund.order_id) {
                sandbox.authorizations.change(&authorization?.key.to_string(), |found| {
                    Ok::<_, StorageError>(match found {
                        Some(mut authorization) => {
                            authorization.acknowledge(refund);
                            Decision::Save(authorization, ())
                        }
                        None => Decision::Keep(()),
                    })
                })?;
            }
            Ok(())
        })
    }

    fn ledgers(&self, orders: &[OrderId]) -> ProviderFuture<'_, Vec<Ledger>> {
        let orders = orders.to_vec();
        self.serve(move |sandbox| orders.iter().map(|order| sandbox.ledger(*order)).collect())
    }
}
