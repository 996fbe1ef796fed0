//! A call: retries around attempts. Read on in `attempt.rs`.

use super::{
    CallError, Context, Failure, Mesh, MeshError, Request,
    attempt::{Attempt, Served},
    retry,
};
use std::sync::Arc;
use tokio::time::sleep;

impl Mesh {
    /// Sends the request to an instance of its service and waits for the reply, until the context's
    /// deadline at most. The deadline covers retries, too.
    ///
    /// # Errors
    /// [`CallError::Domain`] if the service refuses the request, [`CallError::Mesh`] if the service
    /// was not reached or could not do its work. After [`MeshError::TimedOut`],
    /// [`Crashed`](MeshError::Crashed) and [`Failed`](MeshError::Failed) the request may have been
    /// carried out.
    pub async fn call<R: Request>(&self, context: &Context, request: R) -> Result<R::Reply, CallError<R::Error>> {
        self.call_served(context, request).await.1
    }

    /// Does the same as [`Mesh::call`], and gives the name of the instance that answered; `None` if
    /// none was reached.
    pub async fn call_served<R: Request>(
        &self,
        context: &Context,
        request: R,
    ) -> (Option<Arc<str>>, Result<R::Reply, CallError<R::Error>>) {
        let Served { by, answer, .. } = self.call_with_retries(context, request).await;
        let answer = answer.map_err(|failure| match failure {
            Failure::Domain(error) => CallError::Domain(error),
            Failure::Fault(error) => {
                self.log_failure(R::NAME, context, &error);
                CallError::Mesh(error)
            }
        });
        (by, answer)
    }

    fn log_failure(&self, request: &'static str, context: &Context, error: &MeshError) {
        log::debug!(caller = self.caller.to_string().as_str(), request, trace = context.trace.to_string().as_str(); "{error}");
    }

    /// Makes attempts, as long as the failure may be retried and the retry budget and the deadline
    /// allow it.
    async fn call_with_retries<R: Request>(&self, context: &Context, request: R) -> Served<R> {
        if !self.may_call(R::SERVICE) {
            return MeshError::Refused.into();
        }
        let mut failed = 0;
        let mut avoid = None;
        loop {
            if context.time_left().is_zero() {
                return MeshError::TimedOut.into();
            }
            let served = Attempt::run(self, context, &request, avoid, failed + 1).await;
            failed += 1;
            let Err(Failure::Fault(error)) = &served.answer else { return served };
            if failed == retry::MOST_ATTEMPTS || !retry::is_retriable(R::KIND, error) {
                return served;
            }
            let pause = retry::pause(failed, &self.inner.env);
            if context.time_left() <= pause || !self.client_policy(self.caller, R::SERVICE).may_retry() {
                return served;
            }
            sleep(pause).await;
            avoid = served.by;
        }
    }
}
