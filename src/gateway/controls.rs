//! What an operator can change while the shop runs, and stays changed until he changes it again.
//!
//! Everything that can be changed is a [`Control`]: it has a name and settings, which are read and changed as JSON. A change is a merge
//! patch (RFC 7396) of the settings: it is checked as a whole, put into force, and kept in the data folder; `null` gives the default back.
//! What is kept are the patches, so that a default that changes with a new version of the shop still reaches who never touched it.

use super::{
    Class, body,
    cache::MOST_TTL,
    duties::throttling::Throttle,
    places::Places,
    problem::Problem,
    route::{CachePolicy, Route},
    routes::ROUTES,
};
use crate::{
    mesh::{Caller, ClientPolicySettings, Mesh, MeshError, PoolSettings},
    types::{Rate, Service, Text, UserId},
};
use arc_swap::ArcSwap;
use futures_util::future::LocalBoxFuture;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, marker::PhantomData, str::FromStr, sync::Arc, time::Duration};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

/// Where the patches are kept.
pub trait Shelf: Send + Sync {
    /// By the control's name.
    fn all(&self) -> Result<Vec<(String, Value)>, MeshError>;
    /// Returns when it is on disk.
    fn keep<'a>(&'a self, name: &'a str, patch: Value, by: Option<UserId>)
    -> LocalBoxFuture<'a, Result<(), MeshError>>;
}

/// How a route is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// Whether it is served at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What is said to who calls it while it is not.
    #[serde(default = "closed_words")]
    pub words: Text<1, 200>,
    /// Covers everything that is done for a request; `null` for what the table says.
    #[serde(default)]
    pub deadline_ms: Option<u64>,
    /// How long answers are kept to be given again, where they are at all; 0 for not, `null` for what the table says.
    #[serde(default)]
    pub cache_ttl_ms: Option<u64>,
}

fn yes() -> bool {
    true
}

fn closed_words() -> Text<1, 200> {
    "This is closed for the moment. Try again later.".parse().expect("these words are short and plain")
}

impl Default for RouteSettings {
    fn default() -> Self {
        Self { enabled: true, words: closed_words(), deadline_ms: None, cache_ttl_ms: None }
    }
}

impl RouteSettings {
    pub fn deadline(&self, route: &Route) -> Duration {
        self.deadline_ms.map_or(route.deadline, Duration::from_millis)
    }

    /// `Err` begins with the field that makes no sense.
    fn checked(self) -> Result<Self, String> {
        match self.deadline_ms {
            Some(ms) if !(10..=120_000).contains(&ms) => Err("deadline_ms is from 10 to 120,000 (two minutes)".into()),
            _ => Ok(self),
        }
    }
}

/// How often a client may send requests of a class: so many at once, and as many again in so many seconds. The numbers are those of the
/// `RateLimit-Policy` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    pub quota: u32,
    pub window_seconds: u64,
    /// When most answers take longer there is too much to do, and fewer are let in at a time; none where that is not
    /// looked at.
    pub answered_within_ms: Option<u64>,
}

impl LimitSettings {
    pub fn of(rate: Rate, answered_within: Option<Duration>) -> Self {
        let answered_within_ms = answered_within.map(|within| within.as_millis() as u64);
        Self { quota: rate.burst().get(), window_seconds: rate.window_seconds(), answered_within_ms }
    }

    fn within(self) -> Result<Option<Duration>, String> {
        match self.answered_within_ms {
            Some(ms) if !(1..=60_000).contains(&ms) => Err("answered_within_ms is from 1 to 60,000".into()),
            ms => Ok(ms.map(Duration::from_millis)),
        }
    }

    /// `Err` begins with the field that makes no sense.
    fn rate(self) -> Result<Rate, String> {
        if !(1..=1_000_000).contains(&self.quota) {
            return Err("quota is from 1 to 1,000,000".into());
        }
        if !(1..=86_400).contains(&self.window_seconds) {
            return Err("window_seconds is from 1 to 86,400 (a day)".into());
        }
        let rate = Rate::new(f64::from(self.quota) / self.window_seconds as f64, self.quota);
        rate.map_err(|_| "quota is at least one an hour".into())
    }
}

/// A merge patch of settings: what is left out stays as it is, `null` gives the default back.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Patch<T>(pub Value, PhantomData<T>);

/// The settings' own schema; that nothing in it is required and all may be `null`, the OpenAPI document adds.
impl<T: ToSchema> ToSchema for Patch<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Patch", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
    }
}

impl<T: ToSchema> PartialSchema for Patch<T> {
    fn schema() -> RefOr<Schema> {
        T::schema()
    }
}

/// The settings of a route, as every worker sees them.
pub type LiveRoute = Arc<ArcSwap<RouteSettings>>;

/// All that can be changed.
pub struct Controls {
    shelf: Box<dyn Shelf>,
    mesh: Mesh,
    throttle: Arc<Throttle>,
    places: Arc<Places>,
    /// In the order of the route table.
    routes: Vec<LiveRoute>,
    /// Held while something is changed, so that no two changes are made of the same settings.
    changing: tokio::sync::Mutex<()>,
}

/// One thing that can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Route(usize),
    Service(Service),
    /// What guards the calls of a caller to a service.
    Breaker(Caller, Service),
    /// How often a client may send requests of a class.
    Limit(Class),
}

impl Control {
    /// The class of that name; one that is not counted has no limit.
    pub fn limit(id: &str) -> Option<Self> {
        Class::ALL.into_iter().find(|class| class.name() == id).map(Self::Limit)
    }

    /// The route whose handler has that name, such as `products.get`.
    pub fn route(id: &str) -> Option<Self> {
        ROUTES.iter().position(|route| route.id() == id).map(Self::Route)
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

    /// Its name on the shelf.
    fn name(self) -> String {
        match self {
            Self::Route(at) => format!("route {}", ROUTES[at].id()),
            Self::Service(service) => format!("service {service}"),
            Self::Breaker(caller, service) => format!("breaker {caller}.{service}"),
            Self::Limit(class) => format!("limit {}", class.name()),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let (kind, id) = name.split_once(' ')?;
        match kind {
            "route" => Self::route(id),
            "service" => Self::service(id),
            "breaker" => Self::breaker(id),
            "limit" => Self::limit(id),
            _ => None,
        }
    }
}

impl Controls {
    pub fn new(shelf: Box<dyn Shelf>, mesh: Mesh, throttle: Arc<Throttle>, places: Arc<Places>) -> Self {
        Self {
            shelf,
            mesh,
            throttle,
            places,
            routes: ROUTES.iter().map(|_| LiveRoute::default()).collect(),
            changing: Default::default(),
        }
    }

    /// Puts what was kept into force. What makes no sense any more is left out, with a word in the log.
    pub async fn restore(&self) -> Result<(), MeshError> {
        let kept = self.shelf.all()?;
        for (name, patch) in &kept {
            let done = match Control::named(name) {
                Some(control) => self.apply(control, patch).await.map_err(|problem| problem.to_string()),
                None => Err("there is nothing by that name".into()),
            };
            if let Err(reason) = done {
                log::warn!(control = name.as_str(); "what an operator changed is not in force: {reason}");
            }
        }
        if !kept.is_empty() {
            log::info!(controls = kept.len(); "what operators changed is in force; --reset-controls forgets it");
        }
        Ok(())
    }

    /// As many instances as the settings say now, where no operator has said otherwise.
    pub async fn set_default_count(&self, service: Service, count: usize) -> Result<(), MeshError> {
        let pool = self.mesh.pool(service);
        if pool.defaults().count == count {
            return Ok(());
        }
        let _one_after_the_other = self.changing.lock().await;
        pool.set_default_count(count);
        let control = Control::Service(service);
        let kept = self.shelf.all()?.into_iter().find(|(name, _)| *name == control.name());
        if let Err(problem) = self.apply(control, &kept.map_or(json!({}), |(_, patch)| patch)).await {
            log::warn!(service = service.name(); "not as many instances as the settings say: {problem}");
        }
        Ok(())
    }

    /// The settings of that row of the table.
    pub fn live(&self, route: &'static Route) -> LiveRoute {
        let at = ROUTES.iter().position(|row| std::ptr::eq(row, route));
        at.map(|at| self.routes[at].clone()).unwrap_or_default()
    }

    /// Changes the settings by a merge patch, for good. A patch that makes no sense changes nothing.
    pub async fn change(&self, control: Control, patch: Value, by: Option<UserId>) -> Result<(), Problem> {
        if !patch.is_object() {
            return Err(Problem::invalid("", "must be an object that says what is to be changed"));
        }
        let _one_after_the_other = self.changing.lock().await;
        let name = control.name();
        let mut kept =
            self.shelf.all()?.into_iter().find(|(kept, _)| *kept == name).map_or(json!({}), |(_, kept)| kept);
        let before = self.settings(control);
        add_to_patch(&mut kept, &patch);
        self.apply(control, &kept).await?;
        if let Err(error) = self.shelf.keep(&name, kept, by).await {
            // What is not kept is not in force either.
            self.apply(control, &before).await?;
            return Err(error.into());
        }
        let by = by.map(|id| id.to_string()).unwrap_or_default();
        log::warn!(control = name.as_str(), by = by.as_str(); "an operator changed it: {patch}");
        Ok(())
    }

    /// The settings as they are.
    pub fn settings(&self, control: Control) -> Value {
        let settings = match control {
            Control::Route(at) => serde_json::to_value(&**self.routes[at].load()),
            Control::Service(service) => serde_json::to_value(&*self.mesh.pool(service).settings()),
            Control::Breaker(caller, service) => {
                serde_json::to_value(self.mesh.client_policy_settings(caller, service))
            }
            Control::Limit(class) => {
                let settings = |rate| LimitSettings::of(rate, self.places.within(class));
                serde_json::to_value(self.throttle.rate(class).map(settings))
            }
        };
        settings.unwrap_or_default()
    }

    /// Puts into force what the patch makes of the defaults.
    async fn apply(&self, control: Control, patch: &Value) -> Result<(), Problem> {
        match control {
            Control::Route(at) => {
                let settings: RouteSettings = patched(&RouteSettings::default(), patch)?;
                let settings = settings.checked().map_err(senseless)?;
                if !settings.enabled && ROUTES[at].path.starts_with(OWN) {
                    return Err(Problem::invalid("/enabled", "cannot be false here: nobody could open it again"));
                }
                let most = MOST_TTL.as_millis() as u64;
                if settings.cache_ttl_ms.is_some_and(|ms| ms > most || ROUTES[at].cache == CachePolicy::Never) {
                    let words = format!("cache_ttl_ms is from 0 to {most}, and for routes that are cached");
                    return Err(Problem::invalid("/cache_ttl_ms", words));
                }
                self.routes[at].store(Arc::new(settings));
            }
            Control::Service(service) => {
                let pool = self.mesh.pool(service);
                let settings: PoolSettings = patched(&pool.defaults(), patch)?;
                pool.set(settings).await.map_err(senseless)?;
            }
            Control::Breaker(caller, service) => {
                let settings: ClientPolicySettings = patched(&ClientPolicySettings::default(), patch)?;
                self.mesh.set_client_policy(caller, service, settings).map_err(senseless)?;
            }
            Control::Limit(class) => {
                let default = self.throttle.default_rate(class).unwrap_or(class.default_rate());
                let defaults = LimitSettings::of(default, class.answered_within());
                let settings: LimitSettings = patched(&defaults, patch)?;
                // In whole seconds a rate is told only roughly: the default itself is not.
                let rate = match (settings.quota, settings.window_seconds) == (defaults.quota, defaults.window_seconds)
                {
                    true => default,
                    false => settings.rate().map_err(senseless)?,
                };
                self.places.set_within(class, settings.within().map_err(senseless)?);
                // Who is at it already keeps his count.
                if self.throttle.rate(class) != Some(rate) {
                    self.throttle.set_rate(class, rate);
                }
            }
        }
        Ok(())
    }
}

/// The routes by which the controls are changed.
const OWN: &str = "/api/v1/gateway/";

/// Settings' own words begin with the field: `autoscale.least is …`.
pub fn senseless(words: String) -> Problem {
    let field = words.split(' ').next().unwrap_or_default();
    Problem::invalid(format!("/{}", field.replace('.', "/")), words.as_str())
}

fn patched<T: Serialize + DeserializeOwned>(defaults: &T, patch: &Value) -> Result<T, Problem> {
    let mut settings = serde_json::to_value(defaults).unwrap_or_default();
    lay_over(&mut settings, patch);
    body::from_json(settings.to_string().as_bytes())
}

/// RFC 7396 §2, with the defaults for a target: taking a member away leaves it as it is there.
fn lay_over(defaults: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *defaults = patch.clone();
        return;
    };
    let defaults = object(defaults);
    for (name, value) in patch.iter().filter(|(_, value)| !value.is_null()) {
        lay_over(defaults.entry(name.clone()).or_insert(Value::Null), value);
    }
}

/// The patch that does what the one and then the other does: the same merge, but a `null` stays.
fn add_to_patch(first: &mut Value, then: &Value) {
    let Value::Object(then) = then else {
        *first = then.clone();
        return;
    };
    let first = object(first);
    for (name, value) in then {
        add_to_patch(first.entry(name.clone()).or_insert(Value::Null), value);
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one in the line before")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_patch_is_laid_over_the_defaults_member_by_member() {
        // After the cases of RFC 7396, appendix A.
        for (defaults, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"a": "b", "b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c", "d": 1}}), json!({"a": {"b": "e", "d": null}}), json!({"a": {"b": "e", "d": 1}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"e": {"f": 1}}), json!({"e": {"f": 1}})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = defaults.clone();
            lay_over(&mut merged, &patch);
            assert_eq!(merged, result, "{defaults} and {patch}");
        }
    }

    /// Of settings with two fields, and a group of two more.
    fn patch() -> impl Strategy<Value = Value> {
        let leaf = || prop_oneof![Just(Value::Null), (0..9).prop_map(Value::from)];
        let group = prop::collection::btree_map("[ab]", leaf(), 0..3);
        (prop::collection::btree_map("[ab]", leaf(), 0..3), group).prop_map(|(fields, group)| {
            let group = Value::Object(group.into_iter().collect());
            Value::Object(fields.into_iter().chain([("group".to_owned(), group)]).collect())
        })
    }

    proptest! {
        /// What was said last of each setting counts.
        #[test]
        fn two_patches_added_up_do_what_they_do_one_after_the_other(first in patch(), then in patch()) {
            let defaults = json!({"a": 10, "b": 11, "group": {"a": 12, "b": 13}});
            let (mut sum, mut at_once) = (first.clone(), defaults.clone());
            add_to_patch(&mut sum, &then);
            lay_over(&mut at_once, &sum);
            for place in ["/a", "/b", "/group/a", "/group/b"] {
                let said = then.pointer(place).or(first.pointer(place)).filter(|value| !value.is_null());
                prop_assert_eq!(at_once.pointer(place), said.or(defaults.pointer(place)));
            }
        }
    }

    #[test]
    fn every_control_is_found_by_its_own_name() {
        let routes = (0..ROUTES.len()).map(Control::Route);
        let services = Service::ALL.map(Control::Service);
        let breakers = Service::ALL.map(|service| Control::Breaker(Caller::GATEWAY, service));
        let limits = Class::ALL.map(Control::Limit);
        for control in routes.chain(services).chain(breakers).chain(limits) {
            assert_eq!(Control::named(&control.name()), Some(control));
        }
        for name in
            ["route nothing.get", "service shop", "breaker gateway", "breaker me.products", "limit", "limit free", ""]
        {
            assert_eq!(Control::named(name), None);
        }
    }
}
