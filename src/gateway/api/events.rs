//! Dead letters: events that a subscriber has refused too often. For operators.

use super::paging::{Paging, limit, position};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{PathId, Query},
        respond::{Problem, ReplyResult, reply::ok},
    },
    mesh::{DeadLetter, DeadLetterId, MeshError, ReplayError},
    types::{Cursor, Page, Service, Timestamp},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct View {
    #[schema(example = "orders:order:ord_019a52b46b7a7d0c8f3e5a1b2c3d4e5f:3:notifications")]
    id: String,
    #[schema(example = "orders.confirmed")]
    event: String,
    publisher: Service,
    subscriber: Service,
    /// The record that published the event: `order/ord_…`.
    record: String,
    /// The number of the event among those of the record.
    seq: u64,
    payload: Value,
    happened_at: Timestamp,
    /// The time of the last attempt to deliver the event.
    tried_at: Timestamp,
    /// The error of the subscriber at that attempt.
    error: String,
}

impl View {
    fn of(id: &DeadLetterId, dead_letter: DeadLetter) -> Self {
        let DeadLetter { event, record, subscriber, error, at } = dead_letter;
        Self {
            id: id.to_string(),
            event: event.name,
            publisher: id.publisher,
            subscriber,
            record,
            seq: event.seq,
            payload: event.payload,
            happened_at: event.at,
            tried_at: at,
            error,
        }
    }
}

const LIST: &str = "dead letters";

/// Lists the dead letters, publisher by publisher, the oldest record first.
pub async fn list_dead(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<View>> {
    let after: Option<DeadLetterId> = position(LIST, paging.cursor.as_ref())?;
    let limit = limit(paging.limit)?.get();
    let found = context.gateway.mesh.dead_letters(after.as_ref(), limit + 1).map_err(MeshError::from)?;
    ok(Page::cut(found, limit, |(id, _)| Cursor::after(LIST, id)).map(|(id, dead_letter)| View::of(&id, dead_letter)))
}

/// Delivers a dead letter again. 200 with the event if the subscriber accepts it: the dead letter
/// is removed. 409 `not_delivered` if the subscriber refuses the event again: the dead letter
/// stays.
pub async fn replay_dead(context: RequestContext, PathId(id): PathId<DeadLetterId>) -> ReplyResult<View> {
    let replayed = context.gateway.mesh.replay(&context.call_context(), &id, context.gateway.env.now()).await;
    let delivered = replayed.map_err(|error| match error {
        ReplayError::NotFound => Problem::not_found(),
        ReplayError::NotDelivered(error @ (MeshError::Failed(_) | MeshError::Crashed)) => Problem::conflict(
            "not_delivered",
            "The subscriber refused the event again. The event stays in the list of dead letters.",
        )
        .with("reason", error.to_string()),
        ReplayError::NotDelivered(error) => error.into(),
        ReplayError::Storage(error) => MeshError::from(error).into(),
    })?;
    ok(View::of(&id, delivered))
}
