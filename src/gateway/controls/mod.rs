//! What an operator can change while the shop runs. It stays changed after a restart.
//!
//! Everything that can be changed is a [`Control`]: it has a name and settings, which are read and changed
//! as JSON. A change is a merge patch (RFC 7396) of the settings. The patch is checked as a whole, put into
//! force, and stored in the data folder; `null` restores the default. Only the patches are stored. So
//! settings that nobody changed follow the defaults of a new version.

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
    mesh::{Caller, ClientPolicySettings, Mesh, MeshError, PoolSettings},
    types::{Service, UserId},
};
use futures_util::future::LocalBoxFuture;
use limit_settings::LimitSettings;
use merge_patch::{add_to_patch, patched};
use serde_json::{Value, json};
use std::{str::FromStr, sync::Arc};

/// Stores the patches.
pub trait ControlStore: Send + Sync {
    /// By the control's name.
    fn all(&self) -> Result<Vec<(String, Value)>, MeshError>;
    /// Returns when the patch is on disk.
    fn store<'a>(
        &'a self,
        name: &'a str,
        patch: Value,
        by: Option<UserId>,
    ) -> LocalBoxFuture<'a, Result<(), MeshError>>;
}

/// Everything that operators can change, and its settings.
pub struct Controls {
    store: Box<dyn ControlStore>,
    mesh: Mesh,
    limiter: Arc<RateLimiter>,
    concurrency: Arc<ConcurrencyLimit>,
    table: &'static [Route],
    /// In the order of the table.
    routes: Vec<LiveRoute>,
    /// Held during a change, so that two changes never start from the same settings.
    changing: tokio::sync::Mutex<()>,
}

/// One thing that an operator can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Route(usize),
    Service(Service),
    /// The circuit breaker of a caller for a service.
    Breaker(Caller, Service),
    /// How often a client may send requests of a class.
    Limit(Class),
}

impl Control {
    /// The class of that name; one that is not counted has no limit.
    pub fn limit(id: &str) -> Option<Self> {
        Class::ALL.into_iter().find(|class| class.name() == id).map(Self::Limit)
    }

    /// The route of the table whose handler has that name, such as `products.get`.
    pub fn route(table: &[Route], id: &str) -> Option<Self> {
        table.iter().position(|route| route.id() == id).map(Self::Route)
    }

    pub fn service(id: &str) -> Option<Self> {
        Service::from_str(id).ok().map(Self::Service)
    }

    /// Such as `gateway.products`.
    pub fn breaker(id: &str) -> Option<Self> {
        let (caller, service) = id.split_once('.')?;
        let caller = match caller {
            "gateway" => Caller::GATEWAY,
            caller => Caller::Service(Service::from_str(caller).ok()?),
        };
        Some(Self::Breaker(caller, Service::from_str(service).ok()?))
    }

    /// The name that its patch is stored under.
    fn name(self, table: &[Route]) -> String {
        match self {
            Self::Route(at) => format!("route {}", table[at].id()),
            Self::Service(service) => format!("service {service}"),
            Self::Breaker(caller, service) => format!("breaker {caller}.{service}"),
            Self::Limit(class) => format!("limit {}", class.name()),
        }
    }

    fn named(table: &[Route], name: &str) -> Option<Self> {
        let (kind, id) = name.split_once(' ')?;
        match kind {
            "route" => Self::route(table, id),
            "service" => Self::service(id),
            "breaker" => Self::breaker(id),
            "limit" => Self::limit(id),
            _ => None,
        }
    }
}

impl Controls {
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

    /// Puts the stored patches into force. A patch that is no longer valid is skipped, and the log says so.
    pub async fn restore(&self) -> Result<(), MeshError> {
        let kept = self.store.all()?;
        for (name, patch) in &kept {
            let done = match Control::named(self.table, name) {
                Some(control) => self.apply(control, patch).await.map_err(|problem| problem.to_string()),
                None => Err("nothing has that name".into()),
            };
            if let Err(reason) = done {
                log::warn!(control = name.as_str(); "the change of an operator is not in force: {reason}");
            }
        }
        if !kept.is_empty() {
            log::info!(controls = kept.len(); "the changes of operators are in force; --reset-controls removes them");
        }
        Ok(())
    }

    /// Sets the number of instances that the settings give, unless an operator has set another.
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

    pub fn table(&self) -> &'static [Route] {
        self.table
    }

    /// The current settings of a route of the table; the defaults for another route.
    pub fn live(&self, route: &'static Route) -> LiveRoute {
        let at = self.table.iter().position(|row| std::ptr::eq(row, route));
        at.map(|at| self.routes[at].clone()).unwrap_or_default()
    }

    /// Changes the settings by a merge patch, and stores it. A patch that is not valid changes nothing.
    pub async fn change(&self, control: Control, patch: Value, by: Option<UserId>) -> Result<(), Problem> {
        if !patch.is_object() {
            return Err(Problem::invalid("", "must be an object that says what is to be changed"));
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
        log::warn!(control = name.as_str(), by = by.as_str(); "an operator changed it: {patch}");
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
        if !settings.enabled && route.path.starts_with(OWN) {
            return Err(Problem::invalid("/enabled", "cannot be false here: no operator could enable it again"));
        }
        let most = MOST_TTL.as_millis() as u64;
        if settings.cache_ttl_ms.is_some_and(|ms| ms > most || route.cache == CachePolicy::Never) {
            let reason = format!("cache_ttl_ms is from 0 to {most}, and for routes that are cached");
            return Err(Problem::invalid("/cache_ttl_ms", reason));
        }
        self.routes[at].store(Arc::new(settings));
        Ok(())
    }

    fn set_limit(&self, class: Class, patch: &Value) -> Result<(), Problem> {
        let default = self.limiter.default_rate(class).unwrap_or(class.default_rate());
        let defaults = LimitSettings::of(default, class.answered_within());
        let settings: LimitSettings = patched(&defaults, patch)?;
        // Whole seconds give a rate only roughly; the default itself is exact.
        let rate = match (settings.quota, settings.window_seconds) == (defaults.quota, defaults.window_seconds) {
            true => default,
            false => settings.rate().map_err(invalid_setting)?,
        };
        self.concurrency.set_within(class, settings.within().map_err(invalid_setting)?);
        // If the rate is the same, clients keep their counts.
        if self.limiter.rate(class) != Some(rate) {
            self.limiter.set_rate(class, rate);
        }
        Ok(())
    }
}

/// The routes by which the controls are changed.
const OWN: &str = "/api/v1/gateway/";

/// A problem from the sentence of a check, which begins with the name of the field: `autoscale.least is …`.
pub fn invalid_setting(reason: String) -> Problem {
    let field = reason.split(' ').next().unwrap_or_default();
    Problem::invalid(format!("/{}", field.replace('.', "/")), reason.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::routes::ROUTES;

    #[test]
    fn every_control_is_found_by_its_own_name() {
        let routes = (0..ROUTES.len()).map(Control::Route);
        let services = Service::ALL.map(Control::Service);
        let breakers = Service::ALL.map(|service| Control::Breaker(Caller::GATEWAY, service));
        let limits = Class::ALL.map(Control::Limit);
        for control in routes.chain(services).chain(breakers).chain(limits) {
            assert_eq!(Control::named(ROUTES, &control.name(ROUTES)), Some(control));
        }
        for name in
            ["route nothing.get", "service shop", "breaker gateway", "breaker me.products", "limit", "limit free", ""]
        {
            assert_eq!(Control::named(ROUTES, name), None);
        }
    }
}
