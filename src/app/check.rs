//! `galleria check`: every record, then the equations across all services.

use super::{
    Shop,
    fatal::{Fatal, not_ready},
    gateway_tree,
};
use crate::{
    audit,
    mesh::{Context, DeadLetter},
    services,
    storage::{self, KnownTable},
    types::Service,
};
use std::time::Duration;

/// The longest time of an audit: enough for a million orders.
const AUDIT_TIMEOUT: Duration = Duration::from_secs(600);

/// The most dead letters that a check lists.
const MOST_DEAD_LETTERS: usize = 20;

/// The result of a check.
pub struct CheckReport {
    pub records: u64,
    /// Equations that hold.
    pub holding: usize,
    /// One line each.
    pub faults: Vec<String>,
    /// Dead letters: no faults, but an operator should look at them. One line each.
    pub notes: Vec<String>,
}

/// Every table of every service and of the gateway, with the types of its records.
fn tables() -> Vec<KnownTable> {
    let services = [
        services::users::tables(),
        services::products::tables(),
        services::carts::tables(),
        services::orders::tables(),
        services::payments::tables(),
        services::shipping::tables(),
        services::notifications::tables(),
        gateway_tree::tables(),
    ];
    let dead_letters = Service::ALL.map(|service| KnownTable::of::<DeadLetter>(service.name()));
    services.into_iter().flatten().chain(dead_letters).collect()
}

impl Shop {
    /// Checks every record, then runs the audit. `Err` if a service does not answer.
    pub async fn check(&self) -> Result<CheckReport, Fatal> {
        let mut faults = Vec::new();
        let report = storage::check(&self.storage, &tables(), |finding| {
            faults.push(format!("{} {}: {}", finding.tree, finding.key, finding.what));
        });
        let context = Context { deadline: self.context().deadline + AUDIT_TIMEOUT, ..self.context() };
        let audit = audit::run(&self.mesh, &context, || self.env.now()).await.map_err(not_ready)?;
        let (holding, broken): (Vec<_>, Vec<_>) = audit.equations.into_iter().partition(|equation| equation.holds);
        faults.extend(broken.iter().map(|it| format!("{} ({}): {} is not {}", it.name, it.subject, it.left, it.right)));
        let dead_letters = self.mesh.dead_letters(None, MOST_DEAD_LETTERS + 1)?;
        let mut notes: Vec<_> = dead_letters
            .iter()
            .take(MOST_DEAD_LETTERS)
            .map(|(id, it)| format!("dead letter {id} ({}): {}", it.event.name, it.error))
            .collect();
        if dead_letters.len() > MOST_DEAD_LETTERS {
            notes.push("there are more dead letters; GET /api/v1/events/dead lists them all".into());
        }
        Ok(CheckReport {
            notes,
            records: report.tables.iter().map(|table| table.records).sum(),
            holding: holding.len(),
            faults,
        })
    }
}
