//! Settings that operators can read and change while the shop runs. See
//! [`crate::gateway::controls`].

use super::paging::whole_list;
use crate::{
    gateway::{
        context::RequestContext,
        controls::{Control, Controls, invalid_setting, limit_settings::LimitSettings, merge_patch::Patch},
        extract::{Body, PathId},
        filters::rate_limit::policy::Class,
        respond::{Problem, ReplyResult, reply::ok},
        routing::{CachePolicy, RouteSettings},
    },
    mesh::{
        Caller, ClientPolicyReport, ClientPolicySettings, InstanceReport, InstanceSettings, InstanceState, Pool,
        PoolReport, PoolSettings,
    },
    types::{Page, Service},
};
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{str::FromStr, sync::Arc};
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
    /// The deadline of the route table, in milliseconds. It applies if `settings.deadline_ms` is
    /// `null`.
    deadline_ms: u64,
    /// How the responses are cached; `null` if they are not.
    cache: Option<CacheView>,
    #[schema(value_type = RouteSettings)]
    settings: Value,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RouteCache)]
pub struct CacheView {
    /// For how many milliseconds.
    ttl_ms: u64,
    /// Whether all callers share one copy. If `false`, each user has a copy.
    shared: bool,
}

fn route_view(controls: &Controls, at: usize) -> RouteView {
    let route = &controls.table()[at];
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
        settings: controls.settings(Control::Route(at)),
    }
}

pub async fn list_routes(controls: Data<Controls>) -> ReplyResult<Page<RouteView>> {
    whole_list((0..controls.table().len()).map(|at| route_view(&controls, at)).collect())
}

/// Disables a route with a message, or changes its deadline or its cache time.
pub async fn change_route(
    context: RequestContext,
    controls: Data<Controls>,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<RouteSettings>>,
) -> ReplyResult<RouteView> {
    let control = change(&context, &controls, Control::route(controls.table(), &id), patch.0).await?;
    match control {
        Control::Route(at) => ok(route_view(&controls, at)),
        _ => Err(Problem::not_found()),
    }
}

pub async fn list_services(context: RequestContext) -> ReplyResult<Page<PoolReport>> {
    whole_list(context.gateway.mesh.pools().iter().map(|pool| pool.report()).collect())
}

/// Changes the number of instances, the load balancing, or the ejection of instances. See
/// [`PoolSettings`](crate::mesh::PoolSettings).
pub async fn change_service(
    context: RequestContext,
    controls: Data<Controls>,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<PoolSettings>>,
) -> ReplyResult<PoolReport> {
    let service = Service::from_str(&id).map_err(|_| Problem::not_found())?;
    change(&context, &controls, Some(Control::Service(service)), patch.0).await?;
    ok(context.gateway.mesh.pool(service).report())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstancePatch {
    /// The share of the calls, relative to the other instances: 0 to 10,000. The default is 100.
    weight: Option<u64>,
    /// The most calls that the instance handles at one time.
    capacity: Option<usize>,
    state: Option<WantedState>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WantedState {
    /// Takes calls.
    Ready,
    /// Finishes its calls, and takes no new ones.
    Draining,
    /// Takes no calls for a while, as after too many failures.
    Ejected,
}

/// Drains, ejects or readmits an instance, or changes its weight or its capacity. All changes are
/// stored, except for an ejection, which ends by itself.
pub async fn change_instance(
    context: RequestContext,
    controls: Data<Controls>,
    PathId(name): PathId<String>,
    Body(wanted): Body<InstancePatch>,
) -> ReplyResult<InstanceReport> {
    let pools = context.gateway.mesh.pools();
    let contains = |pool: &&Arc<Pool>| pool.report().instances.iter().any(|it| *it.name == *name);
    let pool = pools.iter().find(contains).ok_or_else(Problem::not_found)?;
    let mut settings = pool.settings().instances.get(&name).copied().unwrap_or_default();
    let InstanceSettings { weight, capacity, draining } = &mut settings;
    *weight = wanted.weight.unwrap_or(*weight);
    *capacity = wanted.capacity.unwrap_or(*capacity);
    *draining = wanted.state.map_or(*draining, |state| state == WantedState::Draining);
    let settings = settings.checked().map_err(invalid_setting)?;
    if wanted.state == Some(WantedState::Ejected) && !pool.eject(&name) {
        return Err(Problem::conflict(
            "last_instance",
            "Too few instances would be left without this one. Add an instance, then try again.",
        ));
    }
    if wanted.state == Some(WantedState::Ready) {
        pool.readmit(&name);
    }
    if pool.settings().instances.get(&name).copied().unwrap_or_default() != settings {
        let patch = json!({"instances": {name.clone(): settings}});
        change(&context, &controls, Some(Control::Service(pool.service())), patch).await?;
    }
    let report = pool.report().instances.into_iter().find(|it| *it.name == *name && it.state != InstanceState::Dead);
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

pub async fn list_breakers(context: RequestContext) -> ReplyResult<Page<BreakerView>> {
    whole_list(context.gateway.mesh.client_policies().into_iter().map(BreakerView::of).collect())
}

/// Forces a breaker open or closed, or changes when it opens.
pub async fn change_breaker(
    context: RequestContext,
    controls: Data<Controls>,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<ClientPolicySettings>>,
) -> ReplyResult<BreakerView> {
    let policy = |caller: Caller, service: Service| {
        let policies = context.gateway.mesh.client_policies();
        policies.into_iter().find(|policy| policy.caller == caller && policy.service == service)
    };
    match Control::breaker(&id) {
        // A caller that may not call the service has no breaker for it.
        Some(Control::Breaker(caller, service)) if policy(caller, service).is_some() => {
            change(&context, &controls, Control::breaker(&id), patch.0).await?;
            ok(BreakerView::of(policy(caller, service).ok_or_else(Problem::not_found)?))
        }
        _ => Err(Problem::not_found()),
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Limits)]
pub struct LimitView {
    #[schema(example = "browse")]
    id: &'static str,
    /// The problem's `detail` for a client above the limit.
    message: &'static str,
    #[schema(value_type = LimitSettings)]
    settings: Value,
}

fn limit_view(controls: &Controls, class: Class) -> LimitView {
    LimitView { id: class.name(), message: class.message(), settings: controls.settings(Control::Limit(class)) }
}

/// The rate limits of all classes of requests.
pub async fn list_limits(controls: Data<Controls>) -> ReplyResult<Page<LimitView>> {
    whole_list(Class::ALL.map(|class| limit_view(&controls, class)).into())
}

/// Changes a rate limit. If the rate changes, all clients start again with a full quota.
pub async fn change_limit(
    context: RequestContext,
    controls: Data<Controls>,
    PathId(id): PathId<String>,
    Body(patch): Body<Patch<LimitSettings>>,
) -> ReplyResult<LimitView> {
    match change(&context, &controls, Control::limit(&id), patch.0).await? {
        Control::Limit(class) => ok(limit_view(&controls, class)),
        _ => Err(Problem::not_found()),
    }
}

async fn change(
    context: &RequestContext,
    controls: &Controls,
    control: Option<Control>,
    patch: Value,
) -> Result<Control, Problem> {
    let control = control.ok_or_else(Problem::not_found)?;
    controls.change(control, patch, context.principal.get().user_id()).await?;
    Ok(control)
}
