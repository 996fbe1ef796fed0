//! Events that were put aside because a subscriber would not take them, for whoever runs the shop.

use super::paging::{Paging, limit};
use crate::{
    gateway::{
        context::RequestContext,
        extract::{PathId, Query},
        respond::{Problem, ReplyResult, reply::ok},
    },
    mesh::{DeadLetter, DeadLetterId, MeshError, ReplayError},
    types::{BadCursor, Cursor, Page, Service, Timestamp},
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
    /// Whose event it is, and which of them: `order/ord_…`, 3.
    record: String,
    seq: u64,
    payload: Value,
    happened_at: Timestamp,
    /// When it was tried last, and what the subscriber said.
    tried_at: Timestamp,
    error: String,
}

impl View {
    fn of(id: &DeadLetterId, letter: DeadLetter) -> Self {
        let DeadLetter { event, record, subscriber, error, at } = letter;
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

/// Oldest record first, publisher by publisher.
pub async fn list_dead(context: RequestContext, Query(paging): Query<Paging>) -> ReplyResult<Page<View>> {
    let bad_cursor = |error: BadCursor| Problem::bad_request("bad_cursor", format!("{error}."));
    let after = paging.cursor.map(|cursor| cursor.position::<DeadLetterId>(LIST)).transpose().map_err(bad_cursor)?;
    let limit = limit(paging.limit)?.get();
    let mut found = context.gateway.mesh.dead_letters(after.as_ref(), limit + 1).map_err(MeshError::from)?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| has_more).map(|(id, _)| Cursor::after(LIST, id));
    ok(Page { items: found.into_iter().map(|(id, letter)| View::of(&id, letter)).collect(), next_cursor })
}

/// Delivers one once more: 200 with it when the subscriber has taken it (it is gone from the list), 409 `not_delivered` when it refused
/// again (it stays).
pub async fn replay_dead(context: RequestContext, PathId(id): PathId<DeadLetterId>) -> ReplyResult<View> {
    let replayed = context.gateway.mesh.replay(&context.call_context(), &id, context.gateway.env.now()).await;
    let letter = replayed.map_err(|error| match error {
        ReplayError::NotFound => Problem::not_found(),
        ReplayError::NotDelivered(error @ (MeshError::Failed(_) | MeshError::Crashed)) => {
            Problem::conflict("not_delivered", "The subscriber would not take it again; it stays in the list.")
                .with("reason", error.to_string())
        }
        ReplayError::NotDelivered(error) => error.into(),
        ReplayError::Storage(error) => MeshError::from(error).into(),
    })?;
    ok(View::of(&id, letter))
}
