//! A service's actor, made from one list of the requests and events that it handles.

use super::{Failure, Request};
use actix::{
    Actor, Message,
    dev::{MessageResponse, OneshotSender},
};
use futures_util::future::LocalBoxFuture;

/// What the handler of a request gives.
pub type HandlerResult<R> = Result<<R as Request>::Reply, Failure<<R as Request>::Error>>;

/// The answer of a handler that runs beside the other handlers of its actor.
///
/// It does what [`actix::ResponseFuture`] does. The difference is that all tasks have one type:
/// tokio's code for a task is long and is compiled for each type of task, which was an eighth of
/// all the code that the compiler translated for this program.
pub struct HandlerFuture<T>(LocalBoxFuture<'static, T>);

impl<T: 'static> HandlerFuture<T> {
    /// An answer that `work` gives.
    pub fn new(work: impl Future<Output = T> + 'static) -> Self {
        Self(Box::pin(work))
    }
}

impl<A: Actor, M: Message<Result: 'static>> MessageResponse<A, M> for HandlerFuture<M::Result> {
    fn handle(self, _: &mut A::Context, reply_to: Option<OneshotSender<M::Result>>) {
        let task: LocalBoxFuture<'static, ()> = Box::pin(async move {
            let answer = self.0.await;
            // The caller may have stopped waiting.
            let _ = reply_to.map(|reply_to| reply_to.send(answer));
        });
        actix::spawn(task);
    }
}

/// Makes the private actor of a service from the list of requests and events that it handles.
///
/// The first word is the type that all instances share: the service's store, its environment, its
/// handle on the mesh. It is `Clone + Send`. It has an async method for each request and each
/// event. A handler that needs more of the [`Delivery`](super::Delivery) names the fields:
/// `OrderShipped => order_shipped(id, at)`. A service that subscribes to events also has `fn
/// processed_events(&self) -> &ProcessedEvents`; an event that was handled is not handled again.
///
/// The handlers of an instance run on one thread and interleave at each `.await`: what a handler
/// read before an `.await` may have changed after it. A handler that panics crashes its instance.
/// Calls to other instances are not affected.
///
/// The macro makes `fn start(core, on) -> Handlers`, which starts one instance on a thread.
///
/// ```
/// use galleria::{
///     env::Env,
///     mesh::{Context, HandlerResult, Mesh, TraceId, requests, service},
///     types::{Principal, Service},
/// };
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct GetPrice { isbn: String }
///
/// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
/// #[error("there is no such book")]
/// struct NoSuchBook;
///
/// requests! { Service::Products, NoSuchBook,
///     query anyone GetPrice "prices.get" by isbn -> u32,
/// }
///
/// #[derive(Clone)]
/// struct Prices;
///
/// service! { Prices,
///     handles {
///         GetPrice => price,
///     }
/// }
///
/// impl Prices {
///     async fn price(&self, _: Context, request: GetPrice) -> HandlerResult<GetPrice> {
///         if request.isbn == "9780262033848" { Ok(9900) } else { Err(NoSuchBook.into()) }
///     }
/// }
///
/// actix::System::new().block_on(async {
///     let mesh = Mesh::new(Env::system(), &[], &[]);
///     mesh.launch(Service::Products, 2, |on| start(&Prices, on));
///     let context = Context::new(Principal::Anonymous, Duration::from_secs(5), TraceId([1; 16]));
///     let price = mesh.call(&context, GetPrice { isbn: "9780262033848".into() }).await;
///     assert_eq!(price.unwrap(), 9900);
///     mesh.stop();
/// });
/// ```
#[macro_export]
macro_rules! service {
    (
        $core:ident,
        handles { $($request:ident => $handler:ident,)* }
        $(subscribes { $($event:ident => $on_event:ident $(($($part:ident),*))?,)* })?
    ) => {
        struct Instance(std::rc::Rc<$core>);

        impl actix::Actor for Instance {
            type Context = actix::Context<Self>;

            fn started(&mut self, context: &mut Self::Context) {
                // The pool bounds the calls in flight, so the mailbox need not.
                context.set_mailbox_capacity(1024);
            }
        }

        impl actix::Handler<$crate::mesh::Ping> for Instance {
            type Result = ();
            fn handle(&mut self, _: $crate::mesh::Ping, _: &mut Self::Context) {}
        }

        impl actix::Handler<$crate::mesh::InjectedFault> for Instance {
            type Result = ();
            fn handle(&mut self, fault: $crate::mesh::InjectedFault, context: &mut Self::Context) {
                use actix::{AsyncContext, WrapFuture};
                match fault {
                    $crate::mesh::InjectedFault::Crash => panic!("asked to crash"),
                    $crate::mesh::InjectedFault::Pause(span) => context.wait(tokio::time::sleep(span).into_actor(self)),
                }
            }
        }

        $(impl actix::Handler<$crate::mesh::Envelope<$request>> for Instance {
            type Result = $crate::mesh::HandlerFuture<$crate::mesh::HandlerResult<$request>>;
            fn handle(&mut self, envelope: $crate::mesh::Envelope<$request>, _: &mut Self::Context) -> Self::Result {
                let core = self.0.clone();
                $crate::mesh::HandlerFuture::new(async move {
                    // The caller has cancelled the call and reads no answer.
                    let Some((context, request, span, _permit)) = envelope.open() else {
                        return Err($crate::mesh::MeshError::TimedOut.into());
                    };
                    <$request as $crate::mesh::Request>::authorize(&context.principal)?;
                    span.run(core.$handler(context, request)).await
                })
            }
        })*

        $($(impl actix::Handler<$crate::mesh::Delivery<$event>> for Instance {
            type Result = $crate::mesh::HandlerFuture<Result<(), $crate::mesh::MeshError>>;
            fn handle(&mut self, delivery: $crate::mesh::Delivery<$event>, _: &mut Self::Context) -> Self::Result {
                let core = self.0.clone();
                $crate::mesh::HandlerFuture::new(delivery.span.clone().run(async move {
                    if core.processed_events().already(&delivery.id).await? {
                        return Ok(());
                    }
                    core.$on_event(delivery.context, delivery.event $($(, delivery.$part.clone())*)?).await?;
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
pub use service;
