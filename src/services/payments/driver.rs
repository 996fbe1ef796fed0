//! Drives the intents of payments to their end, whatever becomes of the provider's answers.
//!
//! An answer that does not come says nothing: the provider may have done it. So it is asked by key what the operation came to, and, where it
//! never heard of it, asked again to do it with the same key. Whoever runs out of time leaves the intent to the sweeper.

use super::{
    messages::PaymentsError,
    provider::{IdempotencyKey, Outcome, PaymentProvider, ProviderError, ProviderFuture, Step},
    rules::{Charge, Instruction, Progress},
    store::{PaymentRecord, Store},
};
use crate::{
    env::{Env, since},
    mesh::{Failure, MeshError},
    types::OrderId,
};
use futures_util::{StreamExt, stream};
use std::{future::ready, sync::Arc, time::Duration};
use tokio::time::Instant;

#[derive(Clone)]
pub struct Driver {
    pub env: Env,
    pub store: Store,
    pub provider: Arc<dyn PaymentProvider>,
}

/// How long a single answer of the provider's is awaited.
const PATIENCE: Duration = Duration::from_secs(3);
/// Before the second attempt; doubled for each further one.
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MOST: Duration = Duration::from_secs(1);

const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A younger intent is in the hands of whoever wrote it.
const LEFT_ALONE: Duration = Duration::from_secs(5);
const SWEEP_PATIENCE: Duration = Duration::from_secs(5);
const SWEPT_AT_ONCE: usize = 16;

impl Driver {
    /// Carries out a command: has `decide` look at the payment, write its intent and say whether it is done, and asks the provider
    /// for what is pending in between. Gives the payment as it is then, on disk.
    pub async fn carry_out(
        &self,
        order: OrderId,
        deadline: Instant,
        mut decide: impl FnMut(&mut Option<PaymentRecord>) -> Result<Progress, PaymentsError>,
    ) -> Result<Option<Charge>, Failure<PaymentsError>> {
        loop {
            let turn = self.store.turn(order, &mut decide);
            // An intent must be on disk before the provider hears of it, and an outcome, bad ones too, before the caller does.
            self.store.commit().await?;
            let turn = turn?;
            match (turn.progress, turn.record.and_then(|record| record.charge)) {
                // Whose intent it is that was there before, and whether it was sent, nobody knows.
                (Progress::Pending, Some(charge)) => self.advance(&charge, !turn.changed, deadline).await?,
                (_, charge) => return Ok(charge),
            }
        }
    }

    /// Brings the first intent to its end. What came of it is on disk after the next commit.
    async fn advance(&self, charge: &Charge, unsure: bool, deadline: Instant) -> Result<(), MeshError> {
        let Some(instruction) = charge.next() else { return Ok(()) };
        let key = IdempotencyKey { order_id: charge.order_id, step: instruction.step() };
        let outcome = self.insist(deadline, |again| self.attempt(key, &instruction, unsure || again)).await?;
        Ok(self.store.settle(charge.order_id, key.step, &outcome, self.env.now())?)
    }

    async fn attempt(
        &self,
        key: IdempotencyKey,
        instruction: &Instruction,
        unsure: bool,
    ) -> Result<Outcome, ProviderError> {
        if unsure && let Some(outcome) = patiently(self.provider.find(key)).await? {
            return Ok(outcome);
        }
        let provider = &self.provider;
        patiently(match instruction {
            Instruction::Authorize { token, amount } => provider.authorize(key, token, *amount),
            Instruction::Capture { authorization } => provider.capture(key, authorization),
            Instruction::Void { authorization } => provider.void(key, authorization),
            Instruction::Refund { authorization, amount, .. } => provider.refund(key, authorization, *amount),
        })
        .await
    }

    /// Attempts until there is an answer, or no time for another attempt. Each attempt is told whether there was one before.
    pub async fn insist<T, F>(&self, deadline: Instant, mut attempt: impl FnMut(bool) -> F) -> Result<T, MeshError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let (mut again, mut pause) = (false, BACKOFF);
        loop {
            let answer = tokio::time::timeout_at(deadline, attempt(again)).await;
            let error = match answer.unwrap_or(Err(ProviderError::TimedOut)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let next = Instant::now() + pause + self.env.jitter(pause / 2);
            if next >= deadline {
                return Err(MeshError::Failed(error.to_string()));
            }
            tokio::time::sleep_until(next).await;
            (again, pause) = (true, (pause * 2).min(BACKOFF_MOST));
        }
    }
}

/// The sweeper: finishes what was left unfinished, by a crash or by a caller who ran out of time.
impl Driver {
    pub async fn sweep_for_ever(self) {
        // At the start nobody has anything in hand yet.
        let mut left_alone = Duration::ZERO;
        loop {
            if let Err(error) = self.sweep(left_alone).await {
                log::warn!("payments cannot be swept: {error}");
            }
            left_alone = LEFT_ALONE;
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    async fn sweep(&self, left_alone: Duration) -> Result<(), MeshError> {
        if let Err(error) = self.hear_of_failed_refunds().await {
            log::debug!("failed refunds could not be heard of: {error}");
        }
        let open = self.store.open_orders()?;
        let each = |order| async move {
            let swept = self.sweep_one(order, left_alone).await;
            swept.inspect_err(|error| log::debug!(order = order.to_string().as_str(); "still unfinished: {error:?}"))
        };
        let swept = stream::iter(open).map(each).buffer_unordered(SWEPT_AT_ONCE);
        let unfinished = swept.filter(|swept| ready(swept.is_err())).count().await;
        if unfinished > 0 {
            // One line for all: where the provider is away it is the same for each of them.
            log::warn!(unfinished; "payments wait for an answer of the provider's");
        }
        Ok(())
    }

    async fn sweep_one(&self, order: OrderId, left_alone: Duration) -> Result<(), Failure<PaymentsError>> {
        let now = self.env.now();
        let sweep = |charge: &mut Charge| charge.sweep(now);
        let charge = self.store.charge(order)?.filter(|charge| since(now, charge.asked_at) >= left_alone);
        if charge.is_some_and(|mut charge| sweep(&mut charge) == Progress::Pending) {
            self.carry_out(order, Instant::now() + SWEEP_PATIENCE, |record| {
                let charge = record.as_mut().and_then(|record| record.charge.as_mut());
                Ok(charge.map_or(Progress::Done, sweep))
            })
            .await?;
        }
        Ok(())
    }

    /// Writes down which refunds have failed since, and tells the provider that it is written.
    pub async fn hear_of_failed_refunds(&self) -> Result<(), MeshError> {
        let unheard = |error: ProviderError| MeshError::Failed(error.to_string());
        for key in patiently(self.provider.failed_refunds()).await.map_err(unheard)? {
            if let Step::Refund(id) = key.step {
                self.store.fail_refund(key.order_id, id, self.env.now())?;
                self.store.commit().await?;
            }
            patiently(self.provider.acknowledge(key)).await.map_err(unheard)?;
        }
        Ok(())
    }
}

/// An answer, or none in time.
pub async fn patiently<T>(answer: ProviderFuture<'_, T>) -> Result<T, ProviderError> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or(Err(ProviderError::TimedOut))
}
