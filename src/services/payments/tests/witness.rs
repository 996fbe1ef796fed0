//! A provider that remembers what it was asked for, in front of the one that does it.

use super::*;
use crate::services::payments::{
    card::ValidCard,
    provider::{AuthorizationId, IdempotencyKey, Outcome, PaymentProvider, ProviderFuture, Token, VaultedCard},
};
use std::sync::Mutex;

#[derive(Clone)]
pub struct Witness {
    sandbox: Sandbox,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    pub fn before(sandbox: Sandbox) -> Self {
        Self { sandbox, asked: Arc::default() }
    }

    /// What was asked for on behalf of orders since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn note(&self, what: &str, key: IdempotencyKey) {
        let step = key.to_string().split_once(':').map(|(_, step)| step.to_owned()).unwrap();
        self.asked.lock().unwrap().push(format!("{what} {step}"));
    }
}

impl PaymentProvider for Witness {
    fn tokenize(&self, card: &ValidCard) -> ProviderFuture<'_, VaultedCard> {
        self.sandbox.tokenize(card)
    }

    fn authorize(&self, key: IdempotencyKey, token: &Token, amount: Money) -> ProviderFuture<'_, Outcome> {
        self.note("do", key);
        self.sandbox.authorize(key, token, amount)
    }

    fn capture(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, Outcome> {
        self.note("do", key);
        self.sandbox.capture(key, authorization)
    }

    fn void(&self, key: IdempotencyKey, authorization: &AuthorizationId) -> ProviderFuture<'_, Outcome> {
        self.note("do", key);
        self.sandbox.void(key, authorization)
    }

    fn refund(
        &self,
        key: IdempotencyKey,
        authorization: &AuthorizationId,
        amount: Money,
    ) -> ProviderFuture<'_, Outcome> {
        self.note("do", key);
        self.sandbox.refund(key, authorization, amount)
    }

    fn find(&self, key: IdempotencyKey) -> ProviderFuture<'_, Option<Outcome>> {
        self.note("find", key);
        self.sandbox.find(key)
    }

    fn failed_refunds(&self) -> ProviderFuture<'_, Vec<IdempotencyKey>> {
        self.sandbox.failed_refunds()
    }

    fn acknowledge(&self, refund: IdempotencyKey) -> ProviderFuture<'_, ()> {
        self.sandbox.acknowledge(refund)
    }

    fn ledgers(&self, orders: &[OrderId]) -> ProviderFuture<'_, Vec<Ledger>> {
        self.sandbox.ledgers(orders)
    }
}
