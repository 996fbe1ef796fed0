//! Reads the body, within a bound on its size and on its time.

use super::{
    admission::{body_reads::BodyReads, overloaded},
    filter::{Filter, RequestAction},
};
use crate::gateway::{context::RequestContext, respond::Problem};
use actix_web::{
    HttpMessage,
    dev::{Payload, ServiceRequest},
    http::{StatusCode, Version, header},
    web::{Bytes, BytesMut},
};
use futures_util::StreamExt;
use std::{task::Poll, time::Duration};
use tokio::time::Instant;

/// Reads the whole body into the context. A body that is too large gets 413 `body_too_large`, one
/// that is too slow 408 `body_too_slow`, and one that breaks off 400 `bad_body`.
pub struct BodyReader {
    reads: BodyReads,
}

impl BodyReader {
    /// `reads` counts the bodies that have not arrived yet.
    pub fn new(reads: &BodyReads) -> Self {
        Self { reads: reads.clone() }
    }
}

/// The largest body, in bytes. The largest that a route needs is an order of fifty lines, with 5
/// KB.
const MOST_BODY: usize = 64 * 1024;
/// How long a body may take. actix-web closes a connection whose head is too slow, but none whose
/// body is too slow.
const BODY_WITHIN: Duration = Duration::from_secs(10);

impl Filter for BodyReader {
    fn on_request<'a>(&'a mut self, context: &'a RequestContext, request: &'a mut ServiceRequest) -> RequestAction<'a> {
        if !has_body(request) {
            return RequestAction::Continue;
        }
        RequestAction::Await(Box::pin(async move {
            let mut payload = request.take_payload();
            let body = self.read_in_time(context, announced(request), &mut payload).await;
            // The chain keeps the unread rest of the body until the response is sent.
            request.set_payload(payload);
            *context.body.borrow_mut() = body?;
            context.complete.set(Instant::now());
            Ok(None)
        }))
    }
}

impl BodyReader {
    async fn read_in_time(
        &self,
        context: &RequestContext,
        announced: Option<u64>,
        payload: &mut Payload,
    ) -> Result<Bytes, Problem> {
        let mut reading = std::pin::pin!(tokio::time::timeout(BODY_WITHIN, read(announced, payload)));
        // Most bodies arrive together with their head. Only a body that does not is counted.
        let read = match futures_util::poll!(&mut reading) {
            Poll::Ready(read) => read,
            Poll::Pending => {
                let waiting = self.reads.begin(context.network());
                let _waiting = waiting.ok_or_else(|| overloaded(context).and_hang_up())?;
                reading.await
            }
        };
        let slow = |_| {
            let detail = "The body of the request did not arrive in time.";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail).and_hang_up()
        };
        read.map_err(slow)?
    }
}

fn has_body(request: &ServiceRequest) -> bool {
    // HTTP/2 sends a body in frames, and does not have to announce it in a header.
    request.version() >= Version::HTTP_2
        || request.headers().contains_key(header::CONTENT_LENGTH)
        || request.headers().contains_key(header::TRANSFER_ENCODING)
}

fn announced(request: &ServiceRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
}

async fn read(announced: Option<u64>, payload: &mut Payload) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("The body is larger than {MOST_BODY} bytes.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).and_hang_up()
    };
    if announced.is_some_and(|length| length > MOST_BODY as u64) {
        return Err(too_large());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("bad_body", "The body could not be read."))?;
        if body.len() + chunk.len() > MOST_BODY {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
