//! What runs behind the door and how, to look at and to change, for whoever runs the shop. See [`crate::gateway::controls`].

use super::{Answer, ok, whole_list};
use crate::{
    gateway::{
        Class,
        body::{Body, PathId},
        controls::{Control, LimitSettings, Patch, RouteSettings, senseless},
        problem::Problem,
        route::CachePolicy,
        routes::ROUTES,
        visit::Visit,
    },
    mesh::{
        Caller, ClientPolicyReport, ClientPolicySettings, InstanceReport, InstanceSettings, PoolReport, PoolSettings,
        State,
    },
    types::{Page, Service},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::str::FromStr;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = Route)]
pub struct RouteView {
    #[schema(example = "products.get")]
    id: String,
    #[schema(example = "GET")]
    method: &'static str,
    #[schema(example = "/api/v1/products/{id}")]
    path: &'static str,
    #[schema(example = "public")]
    access: &'static str,
    #[schema(example = "browse")]
    class: &'static str,
    idempotency_key: &'static str,
    /// What holds where the settings say `null`.
    deadline_ms: u64,
    /// How long answers are kept, and for whom: `null` where they are not.
    cache: Option<CacheView>,
    #[schema(value_type = RouteSettings)]
    settings: Value,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RouteCache)]
pub struct CacheView {
    ttl_ms: u64,
    shared: bool,
}

fn route_view(visit: &Visit, at: usize) -> RouteView {
    let route = &ROUTES[at];
    RouteView {
        id: route.id(),
        method: match route.method.as_str() {
            "GET" => "GET",
            "POST" => "POST",
            "PUT" => "PUT",
            "PATCH" => "PATCH",
            _ => "DELETE",
        },
        path: route.path,
        access: route.access.name(),
        class: route.class.name(),
        idempotency_key: route.key.name(),
        deadline_ms: route.deadline.as_millis() as u64,
        cache: match route.cache {
            CachePolicy::Never => None,
            CachePolicy::Shared(seconds) => Some(CacheView { ttl_ms: u64::from(seconds) * 1000, shared: true }),
            CachePolicy::Private(seconds) => Some(CacheView { ttl_ms: u64::from(seconds) * 1000, shared: false }),
        },
        settings: visit.gateway.controls.settings(Control::Route(at)),
    }
}

pub async fn list_routes(visit: Visit) -> Answer<Page<RouteView>> {
    whole_list((0..ROUTES.len()).map(|at| route_view(&visit, at)).collect())
}

/// Closes a route with words of one's own, or gives it another deadline.
pub async fn change_route(
    visit: Visit,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<RouteSettings>>,
) -> Answer<RouteView> {
    let control = change(&visit, Control::route(&id), patch.0).await?;
    match control {
        Control::Route(at) => ok(route_view(&visit, at)),
        _ => Err(Problem::not_found()),
    }
}

pub async fn list_services(visit: Visit) -> Answer<Page<PoolReport>> {
    whole_list(visit.gateway.mesh.pools().iter().map(|pool| pool.report()).collect())
}

/// Scales a service, or spreads its calls in another way, or …: see [`PoolSettings`](crate::mesh::PoolSettings).
pub async fn change_service(
    visit: Visit,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<PoolSettings>>,
) -> Answer<PoolReport> {
    let service = Service::from_str(&id).map_err(|_| Problem::not_found())?;
    change(&visit, Some(Control::Service(service)), patch.0).await?;
    ok(visit.gateway.mesh.pool(service).report())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstancePatch {
    weight: Option<u64>,
    capacity: Option<usize>,
    state: Option<WantedState>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WantedState {
    Ready,
    Draining,
    Ejected,
}

/// Drains or ejects an instance or lets it back, or makes it a canary. All but the ejection, which is over in a while, is kept.
pub async fn change_instance(
    visit: Visit,
    PathId(name): PathId<String>,
    Body(wanted): Body<InstancePatch>,
) -> Answer<InstanceReport> {
    let pools = visit.gateway.mesh.pools();
    let has_it = |pool: &&std::sync::Arc<crate::mesh::Pool>| pool.report().instances.iter().any(|it| *it.name == *name);
    let pool = pools.iter().find(has_it).ok_or_else(Problem::not_found)?;
    let mut settings = pool.settings().instances.get(&name).copied().unwrap_or_default();
    let InstanceSettings { weight, capacity, draining } = &mut settings;
    *weight = wanted.weight.unwrap_or(*weight);
    *capacity = wanted.capacity.unwrap_or(*capacity);
    *draining = wanted.state.map_or(*draining, |state| state == WantedState::Draining);
    let settings = settings.checked().map_err(senseless)?;
    if wanted.state == Some(WantedState::Ejected) && !pool.eject(&name) {
        return Err(Problem::conflict("last_instance", "The others could not do without this instance."));
    }
    if wanted.state == Some(WantedState::Ready) {
        pool.readmit(&name);
    }
    if pool.settings().instances.get(&name).copied().unwrap_or_default() != settings {
        let patch = json!({"instances": {name.clone(): settings}});
        change(&visit, Some(Control::Service(pool.service())), patch).await?;
    }
    let report = pool.report().instances.into_iter().find(|it| *it.name == *name && it.state != State::Dead);
    ok(report.ok_or_else(Problem::not_found)?)
}

#[derive(Serialize, ToSchema)]
#[schema(as = Breaker)]
pub struct BreakerView {
    #[schema(example = "gateway.products")]
    id: String,
    #[serde(flatten)]
    report: ClientPolicyReport,
}

impl BreakerView {
    fn of(report: ClientPolicyReport) -> Self {
        Self { id: format!("{}.{}", report.caller, report.service), report }
    }
}

pub async fn list_breakers(visit: Visit) -> Answer<Page<BreakerView>> {
    whole_list(visit.gateway.mesh.client_policies().into_iter().map(BreakerView::of).collect())
}

/// Forces a breaker open or closed, or changes when it opens.
pub async fn change_breaker(
    visit: Visit,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<ClientPolicySettings>>,
) -> Answer<BreakerView> {
    let edge = |caller: Caller, service: Service| {
        visit.gateway.mesh.client_policies().into_iter().find(|edge| edge.caller == caller && edge.service == service)
    };
    match Control::breaker(&id) {
        // There is none where nobody may call.
        Some(Control::Breaker(caller, service)) if edge(caller, service).is_some() => {
            change(&visit, Control::breaker(&id), patch.0).await?;
            ok(BreakerView::of(edge(caller, service).ok_or_else(Problem::not_found)?))
        }
        _ => Err(Problem::not_found()),
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Limits)]
pub struct LimitView {
    #[schema(example = "browse")]
    id: &'static str,
    words: &'static str,
    #[schema(value_type = LimitSettings)]
    settings: Value,
}

fn limit_view(visit: &Visit, class: Class) -> LimitView {
    LimitView {
        id: class.name(),
        words: class.words(),
        settings: visit.gateway.controls.settings(Control::Limit(class)),
    }
}

/// How often a client may call: for each class of requests.
pub async fn list_limits(visit: Visit) -> Answer<Page<LimitView>> {
    whole_list(Class::ALL.map(|class| limit_view(&visit, class)).into())
}

/// Everybody begins anew with a full quota.
pub async fn change_limit(
    visit: Visit,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<LimitSettings>>,
) -> Answer<LimitView> {
    match change(&visit, Control::limit(&id), patch.0).await? {
        Control::Limit(class) => ok(limit_view(&visit, class)),
        _ => Err(Problem::not_found()),
    }
}

async fn change(visit: &Visit, control: Option<Control>, patch: Value) -> Result<Control, Problem> {
    let control = control.ok_or_else(Problem::not_found)?;
    visit.gateway.controls.change(control, patch, visit.principal.get().user_id()).await?;
    Ok(control)
}
