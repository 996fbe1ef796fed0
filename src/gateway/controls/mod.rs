//! The settings that an operator can change while the shop runs. A change stays in force after a
//! restart.
//!
//! Everything that can be changed is a [`Control`]. A control has a name and settings, which are
//! read and changed as JSON. A change is a merge patch (RFC 7396) of the settings: it is validated
//! as a whole, put into force, and stored in the data folder. `null` restores a default.
//!
//! ## Decisions
//!
//! - **Only the merge patches are stored, not the settings.** Context: a new version of the program
//!   may have better defaults. Stored settings would keep the old defaults for ever. Decision: the
//!   sum of all patches of a control is stored, and applied to the defaults at each start.
//!   Consequence: a setting that no operator has changed follows the defaults of the new version. A
//!   stored patch may no longer be valid in a new version: it is skipped, and the log says so.
//! - **A change that cannot be stored is undone.** Context: settings that are in force but not on
//!   disk would be lost at the next restart without notice. Decision: apply, store, and apply the
//!   previous settings again if storing fails. Consequence: requests may see a failed change for a
//!   short time.

pub mod control;
pub mod limit_settings;
pub mod merge_patch;

use super::{
    filters::{
        admission::concurrency_limit::ConcurrencyLimit,
        cache::freshness::MOST_TTL,
        rate_limit::{limiter::RateLimiter, policy::Class},
    },
    respond::Problem,
    routing::{CachePolicy, LiveRoute, Route, RouteSettings},
};
use crate::{
    mesh::{ClientPolicySettings, Mesh, MeshError, PoolSettings},
    types::{Service, UserId},
};
pub use control::Control;
use futures_util::future::LocalBoxFuture;
use limit_settings::LimitSettings;
use merge_patch::{add_to_patch, patched};
use serde_json::{Value, json};
use std::sync::Arc;

/// Stores the patches of the controls, by the names of the controls.
pub trait ControlStore: Send + Sync {
    /// All stored patches, with their names.
    fn all(&self) -> Result<Vec<(String, Value)>, MeshError>;
    /// Replaces the stored patch of a control. Returns when the patch is on disk. `by` is the
    /// operator.
    fn store<'a>(
        &'a self,
        name: &'a str,
        patch: Value,
        by: Option<UserId>,
    ) -> LocalBoxFuture<'a, Result<(), MeshError>>;
}

/// All controls and their current settings.
pub struct Controls {
    store: Box<dyn ControlStore>,
    mesh: Mesh,
    limiter: Arc<RateLimiter>,
    concurrency: Arc<ConcurrencyLimit>,
    table: &'static [Route],
    /// The settings of the routes, in the order of the table.
    routes: Vec<LiveRoute>,
    /// Held during a change, so that two changes never start from the same settings.
    changing: tokio::sync::Mutex<()>,
}

impl Controls {
    /// Controls with the default settings: [`Self::restore`] puts the stored patches into force.
    pub fn new(
        store: Box<dyn ControlStore>,
        mesh: Mesh,
        limiter: Arc<RateLimiter>,
        concurrency: Arc<ConcurrencyLimit>,
        table: &'static [Route],
    ) -> Self {
        Self {
            store,
            mesh,
            limiter,
            concurrency,
            table,
            routes: table.iter().map(|_| LiveRoute::default()).collect(),
            changing: Default::default(),
        }
    }

    /// Puts the stored patches into force. A patch that is no longer valid is skipped, and the log
    /// says so.
    pub async fn restore(&self) -> Result<(), MeshError> {
        let kept = self.store.all()?;
        for (name, patch) in &kept {
            let done = match Control::named(self.table, name) {
                Some(control) => self.apply(control, patch).await.map_err(|problem| problem.to_string()),
                None => Err("the name is unknown".into()),
            };
            if let Err(reason) = done {
                log::warn!(control = name.as_str(); "a stored change of an operator is no longer valid, and is not in force: {reason}");
            }
        }
        if !kept.is_empty() {
            log::info!(controls = kept.len(); "stored changes of operators are in force; --reset-controls removes them");
        }
        Ok(())
    }

    /// Sets the default number of instances of a service. A number that an operator has set stays
    /// in force.
    pub async fn set_default_count(&self, service: Service, count: usize) -> Result<(), MeshError> {
        let pool = self.mesh.pool(service);
        if pool.defaults().count == count {
            return Ok(());
        }
        let _one_after_the_other = self.changing.lock().await;
        pool.set_default_count(count);
        let control = Control::Service(service);
        let kept = self.store.all()?.into_iter().find(|(name, _)| *name == control.name(self.table));
        if let Err(problem) = self.apply(control, &kept.map_or(json!({}), |(_, patch)| patch)).await {
            log::warn!(service = service.name(); "the number of instances from the settings is not in force: {problem}");
        }
        Ok(())
    }

    /// The route table.
    pub fn table(&self) -> &'static [Route] {
        self.table
    }

    /// The current settings of a route of the table. A route that is not in the table has the
    /// defaults.
    pub fn live(&self, route: &'static Route) -> LiveRoute {
        let at = self.table.iter().position(|row| std::ptr::eq(row, route));
        at.map(|at| self.routes[at].clone()).unwrap_or_default()
    }

    /// Changes the settings of a control by a merge patch, and stores the patch. An invalid patch
    /// changes nothing and gives 422. `by` is the operator, for the log.
    pub async fn change(&self, control: Control, patch: Value, by: Option<UserId>) -> Result<(), Problem> {
        if !patch.is_object() {
            return Err(Problem::invalid("", "must be a JSON object with the settings to change"));
        }
        let _one_after_the_other = self.changing.lock().await;
        let name = control.name(self.table);
        let mut kept =
            self.store.all()?.into_iter().find(|(kept, _)| *kept == name).map_or(json!({}), |(_, kept)| kept);
        let before = self.settings(control);
        add_to_patch(&mut kept, &patch);
        self.apply(control, &kept).await?;
        if let Err(error) = self.store.store(&name, kept, by).await {
            // A patch that could not be stored is not in force either.
            self.apply(control, &before).await?;
            return Err(error.into());
        }
        let by = by.map(|id| id.to_string()).unwrap_or_default();
        log::warn!(control = name.as_str(), by = by.as_str(); "an operator changed settings: {patch}");
        Ok(())
    }

    /// The current settings, as JSON.
    pub fn settings(&self, control: Control) -> Value {
        let settings = match control {
            Control::Route(at) => serde_json::to_value(&**self.routes[at].load()),
            Control::Service(service) => serde_json::to_value(&*self.mesh.pool(service).settings()),
            Control::Breaker(caller, service) => {
                serde_json::to_value(self.mesh.client_policy_settings(caller, service))
            }
            Control::Limit(class) => {
                let settings = |rate| LimitSettings::of(rate, self.concurrency.within(class));
                serde_json::to_value(self.limiter.rate(class).map(settings))
            }
        };
        settings.unwrap_or_default()
    }

    /// Puts the settings into force that the patch makes of the defaults.
    async fn apply(&self, control: Control, patch: &Value) -> Result<(), Problem> {
        match control {
            Control::Route(at) => self.set_route(at, patched(&RouteSettings::default(), patch)?),
            Control::Service(service) => {
                let pool = self.mesh.pool(service);
                let settings: PoolSettings = patched(&pool.defaults(), patch)?;
                self.mesh.set_pool(service, settings).await.map_err(invalid_setting)
            }
            Control::Breaker(caller, service) => {
                let settings: ClientPolicySettings = patched(&ClientPolicySettings::default(), patch)?;
                self.mesh.set_client_policy(caller, service, settings).map_err(invalid_setting)
            }
            Control::Limit(class) => self.set_limit(class, patch),
        }
    }

    fn set_route(&self, at: usize, settings: RouteSettings) -> Result<(), Problem> {
        let (route, settings) = (&self.table[at], settings.checked().map_err(invalid_setting)?);
        if !settings.enabled && route.path.starts_with(CONTROL_ROUTES) {
            return Err(Problem::invalid(
                "/enabled",
                "must be true for this route, because operators need the route to enable routes again",
            ));
        }
        let most = MOST_TTL.as_millis() as u64;
        if settings.cache_ttl_ms.is_some_and(|ms| ms > most || route.cache == CachePolicy::Never) {
            let reason = format!("cache_ttl_ms must be from 0 to {most}, and the route must be one that is cached");
            return Err(Problem::invalid("/cache_ttl_ms", reason));
        }
        self.routes[at].store(Arc::new(settings));
        Ok(())
    }

    fn set_limit(&self, class: Class, patch: &Value) -> Result<(), Problem> {
        let default = self.limiter.default_rate(class).unwrap_or(class.default_rate());
        let defaults = LimitSettings::of(default, class.answered_within());
        let settings: LimitSettings = patched(&defaults, patch)?;
        // A window in whole seconds gives some rates only roughly. The default rate itself is
        // exact.
        let rate = match (settings.quota, settings.window_seconds) == (defaults.quota, defaults.window_seconds) {
            true => default,
            false => settings.rate().map_err(invalid_setting)?,
        };
        self.concurrency.set_within(class, settings.within().map_err(invalid_setting)?);
        // A new rate gives all clients a full quota. If the rate is the same, the clients keep
        // their counts.
        if self.limiter.rate(class) != Some(rate) {
            self.limiter.set_rate(class, rate);
        }
        Ok(())
    }
}

/// The prefix of the routes that change controls.
const CONTROL_ROUTES: &str = "/api/v1/gateway/";

/// 422 from the sentence of a validation. The sentence begins with the name of the field:
/// `autoscale.least is …`.
pub fn invalid_setting(reason: String) -> Problem {
    let field = reason.split(' ').next().unwrap_or_default();
    Problem::invalid(format!("/{}", field.replace('.', "/")), reason.as_str())
}
