//! The router: makes an actix-web app from the route table, with the filter chain around each
//! route.

use crate::gateway::{
    api::operation::OpenApiDocument,
    controls::Controls,
    filters::{
        admission::open_streams::OpenStreams,
        authentication::cookies::CartKey,
        chain::{self, FILTERS, FilterState},
        rate_limit::policy::Class,
    },
    openapi,
    respond::Problem,
    routes::ROUTES,
    routing::{Accepts, Access, CachePolicy, Handler, KeyUse, Route, Signature},
    state::Gateway,
    statics,
};
use actix_web::{
    App, HttpResponse, Resource,
    dev::{ServiceFactory, ServiceRequest, ServiceResponse},
    guard,
    http::{Method, StatusCode},
    middleware::from_fn,
    web::{self, Data},
};
use std::sync::Arc;

/// Everything that a worker needs to serve requests. All workers share it.
pub struct Router {
    /// What filters and handlers share.
    pub gateway: Arc<Gateway>,
    /// What the filters keep from one request to the next.
    pub filters: Arc<FilterState>,
    /// What an operator has changed, and the settings of each route.
    pub controls: Arc<Controls>,
    /// The streams that are open.
    pub open_streams: Arc<OpenStreams>,
    /// The key of the guest cart's cookie.
    pub cart_key: Arc<CartKey>,
}

/// The names of the filters, in the order in which a request meets them.
pub fn filter_names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|(name, _)| *name)
}

impl Router {
    /// The app of one worker.
    pub fn app(
        self: &Arc<Self>,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
        > + use<>,
    > {
        App::new()
            .configure(|app| self.add_data(app))
            .configure(|app| self.add_routes(app))
            .default_service(self.behind_filters(web::to(statics::serve), &FILES))
    }

    /// Registers what handlers take as `Data<…>`.
    fn add_data(&self, app: &mut web::ServiceConfig) {
        app.app_data(Data::from(self.controls.clone()))
            .app_data(Data::from(self.open_streams.clone()))
            .app_data(Data::from(self.cart_key.clone()))
            .app_data(Data::from(self.filters.verifier.clone()))
            .app_data(Data::from(self.filters.cache.clone()))
            .app_data(Data::from(self.filters.concurrency.clone()))
            .app_data(Data::from(self.filters.in_flight.clone()))
            .app_data(Data::new(OpenApiDocument(openapi::document)));
    }

    /// Adds one resource for each path, so that a wrong method gets 405 with the right ones in
    /// `Allow` (RFC 9110 §15.5.6).
    fn add_routes(self: &Arc<Self>, app: &mut web::ServiceConfig) {
        let mut paths: Vec<&'static str> = Vec::new();
        for route in ROUTES {
            if !paths.contains(&route.path) {
                paths.push(route.path);
            }
        }
        for path in paths {
            app.service(self.resource(path));
        }
    }

    fn resource(self: &Arc<Self>, path: &'static str) -> Resource {
        let rows = || ROUTES.iter().filter(move |route| route.path == path);
        let mut resource = web::resource(path);
        for route in rows() {
            // A route for GET also answers HEAD.
            let method = match route.method {
                Method::GET => guard::Any(guard::Get()).or(guard::Head()),
                _ => guard::Any(guard::Method(route.method.clone())),
            };
            resource = resource.route(self.behind_filters((route.handler.route)().guard(method), route));
        }
        let mut allowed: Vec<&str> = rows().map(|route| route.method.as_str()).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        let allowed = allowed.join(", ");
        let refuse = web::to(move || {
            let detail = format!("This path takes {allowed}.");
            let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
            std::future::ready(Err::<HttpResponse, _>(problem.with_header("Allow", allowed.clone())))
        });
        resource.default_service(self.behind_filters(refuse, &REFUSED))
    }

    fn behind_filters(self: &Arc<Self>, handler: actix_web::Route, route: &'static Route) -> actix_web::Route {
        let (router, live) = (self.clone(), self.controls.live(route));
        handler.wrap(from_fn(move |request, next| {
            let (gateway, filters) = (router.gateway.clone(), router.filters.clone());
            chain::run(gateway, filters, route, live.load_full(), request, next)
        }))
    }
}

/// The route of static files, and of paths that do not exist.
static FILES: Route = internal("(files)");
/// The route of a wrong method.
static REFUSED: Route = internal("(refused)");

const fn internal(path: &'static str) -> Route {
    Route {
        method: Method::GET,
        path,
        access: Access::Public,
        class: Class::Browse,
        key: KeyUse::Ignored,
        cache: CachePolicy::Never,
        deadline: std::time::Duration::from_secs(10),
        handler: Handler { name: path, route: web::get, accepts: || Accepts::ANYTHING, signature: Signature::default },
    }
}
