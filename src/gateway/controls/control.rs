//! The things that an operator can change, and their names.

use crate::{
    gateway::{filters::rate_limit::policy::Class, routing::Route},
    mesh::Caller,
    types::Service,
};
use std::str::FromStr;

/// One thing that an operator can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// The route at this index of the route table.
    Route(usize),
    /// A service: its instances and its load balancing.
    Service(Service),
    /// The circuit breaker of a caller for a service.
    Breaker(Caller, Service),
    /// The rate limit of a class of requests.
    Limit(Class),
}

impl Control {
    /// The rate limit of the class with this name; `None` for a class without one.
    pub fn limit(id: &str) -> Option<Self> {
        Class::ALL.into_iter().find(|class| class.name() == id).map(Self::Limit)
    }

    /// The route of the table with this id, such as `products.get`.
    pub fn route(table: &[Route], id: &str) -> Option<Self> {
        table.iter().position(|route| route.id() == id).map(Self::Route)
    }

    /// The service with this name.
    pub fn service(id: &str) -> Option<Self> {
        Service::from_str(id).ok().map(Self::Service)
    }

    /// The breaker with this id: `gateway.products` is that of the gateway for `products`.
    pub fn breaker(id: &str) -> Option<Self> {
        let (caller, service) = id.split_once('.')?;
        let caller = match caller {
            "gateway" => Caller::GATEWAY,
            caller => Caller::Service(Service::from_str(caller).ok()?),
        };
        Some(Self::Breaker(caller, Service::from_str(service).ok()?))
    }

    /// The name under which the patch of the control is stored.
    pub(super) fn name(self, table: &[Route]) -> String {
        match self {
            Self::Route(at) => format!("route {}", table[at].id()),
            Self::Service(service) => format!("service {service}"),
            Self::Breaker(caller, service) => format!("breaker {caller}.{service}"),
            Self::Limit(class) => format!("limit {}", class.name()),
        }
    }

    /// The control with this stored name; `None` if the name is unknown.
    pub(super) fn named(table: &[Route], name: &str) -> Option<Self> {
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
