//! Carries out the operations of payments at the provider, until the outcome of each is known.
//!
//! A missing answer does not say whether the provider did the operation. So payments asks by key
//! what became of it, and sends it again, with the same key, only if the provider does not know the
//! key. A caller that runs out of time leaves the intent to the sweeper.

use super::{
    messages::PaymentsError,
    provider::{IdempotencyKey, Operation, OperationOutcome, PaymentProvider, ProviderError, ProviderFuture},
    records::{Charge, PaymentRecord},
    rules::{Instruction, Progress},
    store::Store,
};
use crate::{
    env::{Backoff, Env, since},
    mesh::{Failure, MeshError},
    types::OrderId,
};
use futures_util::{StreamExt, stream};
use std::{future::ready, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Carries out operations for the handlers, and for the sweeper.
#[derive(Clone)]
pub struct PaymentOperations {
    pub env: Env,
    pub store: Store,
    pub provider: Arc<dyn PaymentProvider>,
}

/// Deadline of one call to the provider.
const CALL_TIMEOUT: Duration = Duration::from_secs(3);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(75), Duration::from_millis(1500));

const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// A younger intent is still being carried out by the handler that wrote it.
const MIN_AGE: Duration = Duration::from_secs(5);
const SWEEP_TIMEOUT: Duration = Duration::from_secs(5);
const CONCURRENT_SWEEPS: usize = 16;

impl PaymentOperations {
    /// Carries out a command: `decide` looks at the payment, writes an intent, and says whether the
    /// command is done; as long as it is pending, the provider is asked and `decide` runs again.
    /// Gives the payment as it is then, on disk.
    pub async fn carry_out(
        &self,
        order: OrderId,
        deadline: Instant,
        mut decide: impl FnMut(&mut Option<PaymentRecord>) -> Result<Progress, PaymentsError>,
    ) -> Result<Option<Charge>, Failure<PaymentsError>> {
        loop {
            let change = self.store.change(order, &mut decide);
            // An intent must be on disk before it is sent to the provider. An outcome, an error
            // too, must be on disk before the caller gets it.
            self.store.commit().await?;
            let change = change?;
            match (change.progress, change.record.and_then(|record| record.charge)) {
                // An intent that was there before may have been sent already: look it up first.
                (Progress::Pending, Some(charge)) => self.advance(&charge, !change.changed, deadline).await?,
                (_, charge) => return Ok(charge),
            }
        }
    }

    /// Carries out the first intent. Its outcome is on disk after the next commit.
    async fn advance(&self, charge: &Charge, maybe_sent: bool, deadline: Instant) -> Result<(), MeshError> {
        let Some(instruction) = charge.next() else { return Ok(()) };
        let key = IdempotencyKey { order_id: charge.order_id, operation: instruction.operation() };
        let outcome = self.retry_until(deadline, |again| self.attempt(key, &instruction, maybe_sent || again)).await?;
        Ok(self.store.save_outcome(charge.order_id, key.operation, &outcome, self.env.now())?)
    }

    async fn attempt(
        &self,
        key: IdempotencyKey,
        instruction: &Instruction,
        maybe_sent: bool,
    ) -> Result<OperationOutcome, ProviderError> {
        if maybe_sent && let Some(outcome) = with_timeout(self.provider.find(key)).await? {
            return Ok(outcome);
        }
        let provider = &self.provider;
        with_timeout(match instruction {
            Instruction::Authorize { token, amount } => provider.authorize(key, token, *amount),
            Instruction::Capture { authorization } => provider.capture(key, authorization),
            Instruction::Void { authorization } => provider.void(key, authorization),
            Instruction::Refund { authorization, amount, .. } => provider.refund(key, authorization, *amount),
        })
        .await
    }

    /// Attempts until there is an answer or no time for another attempt. `attempt` is given whether
    /// an attempt came before.
    pub async fn retry_until<T, F>(&self, deadline: Instant, mut attempt: impl FnMut(bool) -> F) -> Result<T, MeshError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let mut failures = 0;
        loop {
            let answer = tokio::time::timeout_at(deadline, attempt(failures > 0)).await;
            let error = match answer.unwrap_or(Err(ProviderError::TimedOut)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            let next = Instant::now() + BACKOFF.pause(failures, &self.env);
            if next >= deadline {
                return Err(MeshError::Failed(error.to_string()));
            }
            tokio::time::sleep_until(next).await;
        }
    }
}

/// The sweeper: completes the operations that a crash or a caller without time left unfinished.
impl PaymentOperations {
    pub async fn sweep_forever(self) {
        // At the start no handler has an intent in hand.
        let mut min_age = Duration::ZERO;
        loop {
            if let Err(error) = self.sweep(min_age).await {
                log::warn!("cannot complete unfinished payments: {error}");
            }
            min_age = MIN_AGE;
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    async fn sweep(&self, min_age: Duration) -> Result<(), MeshError> {
        if let Err(error) = self.fetch_failed_refunds().await {
            log::debug!("cannot fetch failed refunds from the provider: {error}");
        }
        let open = self.store.open_orders()?;
        let each = |order| async move {
            let swept = self.sweep_one(order, min_age).await;
            swept.inspect_err(
                |error| log::debug!(order = order.to_string().as_str(); "payment still unfinished: {error:?}"),
            )
        };
        let swept = stream::iter(open).map(each).buffer_unordered(CONCURRENT_SWEEPS);
        let unfinished = swept.filter(|swept| ready(swept.is_err())).count().await;
        if unfinished > 0 {
            // One line for all: an outage of the provider has the same effect on each of them.
            log::warn!(unfinished; "payments are waiting for the provider");
        }
        Ok(())
    }

    async fn sweep_one(&self, order: OrderId, min_age: Duration) -> Result<(), Failure<PaymentsError>> {
        let now = self.env.now();
        let sweep = |charge: &mut Charge| charge.sweep(now);
        let charge = self.store.charge(order)?.filter(|charge| since(now, charge.asked_at) >= min_age);
        if charge.is_some_and(|mut charge| sweep(&mut charge) == Progress::Pending) {
            self.carry_out(order, Instant::now() + SWEEP_TIMEOUT, |record| {
                let charge = record.as_mut().and_then(|record| record.charge.as_mut());
                Ok(charge.map_or(Progress::Done, sweep))
            })
            .await?;
        }
        Ok(())
    }

    /// Records which refunds have failed since they were accepted, and acknowledges each to the
    /// provider once that is on disk.
    pub async fn fetch_failed_refunds(&self) -> Result<(), MeshError> {
        let failed = |error: ProviderError| MeshError::Failed(error.to_string());
        for key in with_timeout(self.provider.failed_refunds()).await.map_err(failed)? {
            if let Operation::Refund(id) = key.operation {
                self.store.fail_refund(key.order_id, id, self.env.now())?;
                self.store.commit().await?;
            }
            with_timeout(self.provider.acknowledge(key)).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// The answer, or [`ProviderError::TimedOut`] after [`CALL_TIMEOUT`].
pub async fn with_timeout<T>(answer: ProviderFuture<'_, T>) -> Result<T, ProviderError> {
    tokio::time::timeout(CALL_TIMEOUT, answer).await.unwrap_or(Err(ProviderError::TimedOut))
}
