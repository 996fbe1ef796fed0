//! The audit: it asks every service for its records and compares the two sides of each equation (a
//! reconciliation, as accountants call it).
//!
//! The shop keeps running during an audit. No moment exists at which all trees could be read
//! together, and none is needed:
//!
//! - **One record** (the stock of a product): one read gives both sides, so the equation is always
//!   exact.
//! - **One order across services**: an order whose equation does not hold at the first look is a
//!   suspect. The audit reads the order, then its payment and its shipment, then the order again.
//!   If the order has the same version before and after, all records were read as of one moment,
//!   and only then does the audit report the equation as broken. An order whose saga still runs is
//!   not judged.
//! - **All orders together** (pieces sold by products against pieces bought in orders): the audit
//!   reads the products first. An order that was finished then and has not changed since counts
//!   exactly. An order that changed counts as a range, from none to all of its pieces. So the
//!   result is exact in an idle shop, and a narrow range under load.
//!
//! ## Decisions
//!
//! - **Read records, do not stop the shop.** A global lock or snapshot would contradict one tree a
//!   service. Consequence: the rules above, and up to five looks at a suspect.
//! - **The equations are code of their own, not assertions inside the services.** A fault in a
//!   service cannot hide itself. Consequence: each service has a query for the audit
//!   (`Reconcile…`), which only staff may send.

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
pub use reconciliation::Equation;
pub use sales::{Conversion, Day, Sales};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// The result of an audit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Audit {
    pub balanced: bool,
    pub equations: Vec<Equation>,
    pub checked_at: Timestamp,
}

/// The time between two looks at the suspects.
const NEXT_LOOK: Duration = Duration::from_millis(100);
/// How many times the audit looks at a suspect again.
const LOOKS: u32 = 5;

/// The most suspects that the audit looks at again. If there are more, the audit reports that it
/// did not look at the rest.
const MOST_SUSPECTS: usize = 10_000;
/// A pending event that is older is a fault. Ten failed deliveries take two and a half minutes, and
/// an earlier event of the same record may have taken as long.
const OLDEST_PENDING: Duration = Duration::from_secs(5 * 60);

/// Runs the audit. The context's deadline must leave time for it: some seconds for 100,000 orders.
/// `Err` where a service did not answer.
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
    let pending = mesh.pending_events(env::earlier(now(), OLDEST_PENDING))?;
    reconciliation.add(equations::reconcile_pending_events(&pending, now()));
    let equations = reconciliation.into_equations();
    Ok(Audit { balanced: equations.iter().all(|equation| equation.holds), equations, checked_at: now() })
}
