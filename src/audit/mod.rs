//! The books: every service is asked for its side, and the two sides of each equation are set against each other.
//!
//! The shop goes on meanwhile. There is no moment at which all trees could be read at once, and none is needed:
//!
//! - An equation within one record (a product's pieces) is read in one look, and is always exact.
//! - An equation about one order is across services. Where it does not hold at the first look, the order is a suspect: it is read, then
//!   its payment and shipment, then the order once more. Only where it is the same before and after, at the same version, was all
//!   between read of one moment, and only then is the equation told broken. While an order's saga runs, its books are open.
//! - What a product sold against what orders bought is a sum over all orders. The product is read first. An order that was at
//!   rest then and has not changed since counts exactly; one that has moved counts for anything from none to all of its pieces.
//!   In a shop at rest that is an equation, under load a bound as narrow as what moves during one look.

mod books;
mod equations;
mod reconciliation;
mod sales;
#[cfg(test)]
mod tests;

use crate::{
    env,
    mesh::{Context, Mesh, MeshError},
    types::Timestamp,
};
use books::{Books, OrderBooks};
pub use sales::{Conversion, Day, Sales};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// What the books say.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Audit {
    pub balanced: bool,
    pub equations: Vec<Equation>,
    pub checked_at: Timestamp,
}

/// `left = right`, about a subject. Those that hold for every one of many subjects are told once, with their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Equation {
    pub name: &'static str,
    pub subject: String,
    pub left: String,
    pub right: String,
    pub holds: bool,
}

/// Before suspects are looked at again.
const NEXT_LOOK: Duration = Duration::from_millis(100);
/// How often a suspect is looked at again. One that still moves then is at work, not at fault.
const LOOKS: u32 = 5;

/// So many suspects are looked at again. Where there are more, the books are told not to balance, and that the rest was not looked at.
const MOST_SUSPECTS: usize = 10_000;
/// An event that is owed for longer is a fault: a subscriber that refuses ten times has had two minutes and a half, and another event of
/// the same record may have been before it.
const MOST_OWED: Duration = Duration::from_secs(5 * 60);

/// Asks every service and reckons. The context's deadline must leave time for it: seconds on 100,000 orders.
pub async fn run(mesh: &Mesh, context: &Context, now: impl Fn() -> Timestamp) -> Result<Audit, MeshError> {
    let began = now();
    let (mut reconciliation, mut suspects) = Books::gather(mesh, context).await?.reconcile(began, now());
    let not_looked_at = suspects.split_off(suspects.len().min(MOST_SUSPECTS)).len();
    reconciliation.same("every suspect is looked at again", "orders", not_looked_at, 0);
    for _ in 0..LOOKS {
        if suspects.is_empty() {
            break;
        }
        tokio::time::sleep(NEXT_LOOK).await;
        for (id, _) in std::mem::take(&mut suspects) {
            let found = OrderBooks::at_one_moment(mesh, context, id).await?.map(|books| books.reconcile(now()));
            match found {
                Some(found) if found.broken.is_empty() => reconciliation.add(found),
                found => suspects.push((id, found.unwrap_or_default())),
            }
        }
    }
    suspects.into_iter().for_each(|(_, found)| reconciliation.add(found));
    let owed = mesh.pending_events(env::earlier(now(), MOST_OWED))?;
    reconciliation.add(equations::reckon_owed(&owed, now()));
    let equations = reconciliation.told();
    Ok(Audit { balanced: equations.iter().all(|equation| equation.holds), equations, checked_at: now() })
}
