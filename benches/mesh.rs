//! Measures the cost of a call through the mesh, compared with a bare actix message. The receiver
//! is an idle actor on another thread.

mod kit;

use actix::{Actor, Arbiter, Handler, MessageResult, Recipient, ResponseFuture};
use galleria::{
    env::Env,
    mesh::{Audience, Context, Envelope, HandlerResult, Handlers, InjectedFault, Kind, Mesh, Ping, Request, TraceId},
    services::{ALLOWED_CALLS, SUBSCRIPTIONS},
    telemetry::Tracer,
    types::{Principal, Service},
};
use kit::{Args, Table, median, ratio, spread};
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{
    alloc::System,
    time::{Duration, Instant},
};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CALLS_A_ROUND: usize = 20_000;

/// A query whose reply is its own number.
#[derive(Clone, Serialize, Deserialize)]
struct Echo(u64);

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("nothing can be said against it")]
struct Never;

impl Request for Echo {
    const SERVICE: Service = Service::Carts;
    const NAME: &'static str = "bench.echo";
    const KIND: Kind = Kind::Query;
    const AUDIENCE: Audience = Audience::Anyone;
    type Reply = u64;
    type Error = Never;
}

struct Bare(u64);

impl actix::Message for Bare {
    type Result = u64;
}

struct Idle;

impl Actor for Idle {
    type Context = actix::Context<Self>;
}

impl Handler<Bare> for Idle {
    type Result = MessageResult<Bare>;

    fn handle(&mut self, Bare(number): Bare, _: &mut Self::Context) -> Self::Result {
        MessageResult(number)
    }
}

/// The handler returns a future, as the handlers of the services do.
impl Handler<Envelope<Echo>> for Idle {
    type Result = ResponseFuture<HandlerResult<Echo>>;

    fn handle(&mut self, envelope: Envelope<Echo>, _: &mut Self::Context) -> Self::Result {
        Box::pin(async move {
            let Some((_, Echo(number), _, _place)) = envelope.open() else {
                return Err(galleria::mesh::MeshError::TimedOut.into());
            };
            Ok(number)
        })
    }
}

impl Handler<Ping> for Idle {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<InjectedFault> for Idle {
    type Result = ();

    fn handle(&mut self, _: InjectedFault, _: &mut Self::Context) {}
}

fn main() {
    let args = Args::read();
    actix::System::new().block_on(async {
        let elsewhere = Arbiter::new();
        let actor = Idle::start_in_arbiter(&elsewhere.handle(), |_| Idle);
        let bare: Recipient<Bare> = actor.clone().recipient();
        let mesh = Mesh::new(Env::system(), ALLOWED_CALLS, SUBSCRIPTIONS);
        mesh.register(Service::Carts, Handlers::of(&actor).handles::<Echo>(actor.recipient()));
        let context = Context::new(Principal::System, Duration::from_secs(3600), TraceId([7; 16]));

        let traced = mesh.clone().traced(Tracer::new(&Env::system(), 16 << 20, Duration::from_secs(900), None));
        let (mut by_hand, mut by_mesh, mut by_traced) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            by_hand.push(round(async |number| bare.send(Bare(number)).await.ok()).await);
            by_mesh.push(round(async |number| mesh.call(&context, Echo(number)).await.ok()).await);
            by_traced.push(round(async |number| traced.call(&context, Echo(number)).await.ok()).await);
        }
        let mut table = Table::new(["what", "ns a call", "spread", "∶ bare", "allocations a call", "bytes a call"]);
        let time = |rounds: &[Cost]| rounds.iter().map(|cost| cost.nanos).collect::<Vec<_>>();
        for (what, rounds) in
            [("Recipient::send", &by_hand), ("mesh.call", &by_mesh), ("mesh.call, seen and counted", &by_traced)]
        {
            table.row([
                what.to_owned(),
                format!("{:.0}", median(&time(rounds))),
                spread(&time(rounds)),
                format!("{:.2}", ratio(&time(rounds), &time(&by_hand))),
                format!("{:.1}", median(&rounds.iter().map(|cost| cost.allocations).collect::<Vec<_>>())),
                format!("{:.0}", median(&rounds.iter().map(|cost| cost.bytes).collect::<Vec<_>>())),
            ]);
        }
        table.print();
        elsewhere.stop();
    });
}

/// The cost of one call: time, allocations, bytes allocated.
struct Cost {
    nanos: f64,
    allocations: f64,
    bytes: f64,
}

async fn round(call: impl AsyncFn(u64) -> Option<u64>) -> Cost {
    let region = Region::new(COUNTING);
    let begun = Instant::now();
    for number in 0..CALLS_A_ROUND as u64 {
        assert_eq!(call(number).await, Some(number));
    }
    let (took, change) = (begun.elapsed(), region.change());
    let each = |sum: f64| sum / CALLS_A_ROUND as f64;
    Cost {
        nanos: each(took.as_secs_f64() * 1e9),
        allocations: each((change.allocations + change.reallocations) as f64),
        bytes: each(change.bytes_allocated as f64),
    }
}
