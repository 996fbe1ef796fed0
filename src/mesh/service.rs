//! How a service says what it answers and hears: one list, from which its actor is made.

use super::{EventId, Failure, MeshError, Request};
use crate::storage::{Decision, Record, StorageError, Tree};
use actix::{
    Actor, Message,
    dev::{MessageResponse, OneshotSender},
};
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// What a handler gives.
pub type HandlerResult<R> = Result<<R as Request>::Reply, Failure<<R as Request>::Error>>;

/// An answer that is being worked out, beside all others that the actor is asked for.
///
/// What [`actix::ResponseFuture`] is, but that all of them are tasks of one type: tokio's code for a task is long, and is compiled anew for
/// each type of it: it was an eighth of all that the compiler translated for this house.
pub struct HandlerFuture<T>(LocalBoxFuture<'static, T>);

impl<T: 'static> HandlerFuture<T> {
    pub fn by(work: impl Future<Output = T> + 'static) -> Self {
        Self(Box::pin(work))
    }
}

impl<A: Actor, M: Message<Result: 'static>> MessageResponse<A, M> for HandlerFuture<M::Result> {
    fn handle(self, _: &mut A::Context, asker: Option<OneshotSender<M::Result>>) {
        let task: LocalBoxFuture<'static, ()> = Box::pin(async move {
            let answer = self.0.await;
            // Who asked may have gone.
            let _ = asker.map(|asker| asker.send(answer));
        });
        actix::spawn(task);
    }
}

/// "Are you there?"
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Ping;

/// What the Lab does to an instance, and tests that want to see what happens then.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub enum InjectedFault {
    /// "Panic."
    Crash,
    /// "Do nothing at all for so long."
    Pause(Duration),
}

/// Makes the private actor of a service from the list of what it answers and hears.
///
/// ```text
/// service! { Products,
///     answers { GetProduct => get, ReserveStock => reserve_stock, }
///     hears   { OrderShipped => order_shipped, }
/// }
/// ```
///
/// `Products` is what every instance shares (its store, its environment, its handle on the mesh), `Clone + Send`. For each request it has
/// `async fn get(&self, context: Context, request: GetProduct) -> HandlerResult<GetProduct>`, and for each event
/// `async fn order_shipped(&self, context: Context, event: OrderShipped) -> Result<(), MeshError>`. One that needs more of the
/// [`Delivery`](super::Delivery) names it: `OrderShipped => order_shipped(id, at)`. A service that hears events has
/// `fn processed_events(&self) -> &ProcessedEvents`: an event that was handled is not handed to it again, or changes nothing.
///
/// Handlers run beside each other on the instance's thread: what was read before an `.await` may be old after it.
/// One that panics takes down its instance, not its siblings' calls.
macro_rules! service {
    ($core:ident, handles { $($request:ident => $answer:ident,)* } $(subscribes { $($event:ident => $hear:ident $(($($part:ident),*))?,)* })?) => {
        struct Instance(std::rc::Rc<$core>);

        impl actix::Actor for Instance {
            type Context = actix::Context<Self>;

            fn started(&mut self, context: &mut Self::Context) {
                // The pool bounds the calls in flight; a mailbox that filled up before would only hide it.
                context.set_mailbox_capacity(1024);
            }
        }

        impl actix::Handler<$crate::mesh::Ping> for Instance {
            type Result = ();
            fn handle(&mut self, _: $crate::mesh::Ping, _: &mut Self::Context) {}
        }

        impl actix::Handler<$crate::mesh::InjectedFault> for Instance {
            type Result = ();
            fn handle(&mut self, disturb: $crate::mesh::InjectedFault, context: &mut Self::Context) {
                use actix::{AsyncContext, WrapFuture};
                match disturb {
                    $crate::mesh::InjectedFault::Crash => panic!("asked to crash"),
                    $crate::mesh::InjectedFault::Pause(span) => context.wait(tokio::time::sleep(span).into_actor(self)),
                }
            }
        }

        $(impl actix::Handler<$crate::mesh::Envelope<$request>> for Instance {
            type Result = $crate::mesh::HandlerFuture<$crate::mesh::HandlerResult<$request>>;
            fn handle(&mut self, envelope: $crate::mesh::Envelope<$request>, _: &mut Self::Context) -> Self::Result {
                let core = self.0.clone();
                $crate::mesh::HandlerFuture::by(async move {
                    // Taken back in the last moment: nobody reads this answer.
                    let Some((context, request, here, _place)) = envelope.open() else {
                        return Err($crate::mesh::MeshError::TimedOut.into());
                    };
                    <$request as $crate::mesh::Request>::authorize(&context.principal)?;
                    here.run(core.$answer(context, request)).await
                })
            }
        })*

        $($(impl actix::Handler<$crate::mesh::Delivery<$event>> for Instance {
            type Result = $crate::mesh::HandlerFuture<Result<(), $crate::mesh::MeshError>>;
            fn handle(&mut self, delivery: $crate::mesh::Delivery<$event>, _: &mut Self::Context) -> Self::Result {
                let core = self.0.clone();
                $crate::mesh::HandlerFuture::by(delivery.here.clone().run(async move {
                    if core.processed_events().already(&delivery.id).await? {
                        return Ok(());
                    }
                    core.$hear(delivery.context, delivery.event $($(, delivery.$part.clone())*)?).await?;
                    core.processed_events().remember(&delivery.id).await
                }))
            }
        })*)?

        /// Starts one instance on the given thread.
        fn start(core: &$core, on: &actix::ArbiterHandle) -> $crate::mesh::Handlers {
            use actix::Actor;
            let core = core.clone();
            let instance = Instance::start_in_arbiter(on, move |_| Instance(std::rc::Rc::new(core)));
            $crate::mesh::Handlers::of(&instance)
                $(.handles::<$request>(instance.clone().recipient()))*
                $($(.subscribes::<$event>(instance.clone().recipient()))*)?
        }
    };
}
pub(crate) use service;

/// Which events a subscriber has handled, kept in its own tree.
///
/// Written after the handler's own write: a crash between the two hands the event over once more, so handlers name what they
/// write by what the event is about.
#[derive(Clone)]
pub struct ProcessedEvents {
    tree: Tree,
    /// Whether it is written down, besides what the handlers write.
    is_listed: bool,
}

/// The events handled of one record of a publisher, all of them: one that was put aside may come after later ones. They are few,
/// for whoever hears of something that goes on and on would read it anew instead.
#[derive(Clone, Default, Serialize, Deserialize)]
struct ProcessedEventsOf {
    seqs: BTreeSet<u64>,
}

impl Record for ProcessedEventsOf {
    const TABLE: &'static str = "heard";
    /// `publisher/table/key` with the slashes turned into colons.
    type Key = String;
}

impl ProcessedEvents {
    pub fn in_tree(tree: &Tree) -> Self {
        Self { tree: tree.clone(), is_listed: true }
    }

    /// For a service each of whose handlers writes one record that is named by the event, and leaves one that is there as it is: that it
    /// is there says that the event was handled.
    pub fn proved_by_records(tree: &Tree) -> Self {
        Self { tree: tree.clone(), is_listed: false }
    }

    pub(crate) async fn already(&self, id: &EventId) -> Result<bool, MeshError> {
        if !self.is_listed {
            return Ok(false);
        }
        let heard = self.tree.table::<ProcessedEventsOf>().get(&key(id))?;
        let is_known = heard.is_some_and(|heard| heard.seqs.contains(&id.seq));
        if is_known {
            // Whoever handles it beside us may not have committed yet, and the publisher forgets it on our word.
            self.tree.commit().await?;
        }
        Ok(is_known)
    }

    pub(crate) async fn remember(&self, id: &EventId) -> Result<(), MeshError> {
        if !self.is_listed {
            return Ok(self.tree.commit().await?);
        }
        let remembered: Result<(), StorageError> =
            self.tree.table().change(&key(id), |heard: Option<ProcessedEventsOf>| {
                let mut heard = heard.unwrap_or_default();
                Ok(if heard.seqs.insert(id.seq) { Decision::Save(heard, ()) } else { Decision::Keep(()) })
            });
        remembered?;
        Ok(self.tree.commit().await?)
    }
}

fn key(id: &EventId) -> String {
    format!("{}:{}", id.publisher, id.record.replace('/', ":"))
}
