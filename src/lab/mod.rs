//! The control room: look at the running system, and disturb it.

use crate::{
    mesh::{Caller, Link, Mesh, PoolReport},
    types::Service,
};
use std::{str::FromStr, time::Duration};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

pub fn services(mesh: &Mesh) -> Vec<PoolReport> {
    mesh.pools().iter().map(|pool| pool.report()).collect()
}

/// Makes the instance of that name panic; `false` where there is none.
pub async fn crash(mesh: &Mesh, instance: &str) -> bool {
    for pool in mesh.pools() {
        if pool.crash(instance).await {
            log::warn!(instance; "an operator crashed an instance");
            return true;
        }
    }
    false
}

/// Makes the instance of that name do nothing at all for so long; `false` where there is none.
pub fn pause(mesh: &Mesh, instance: &str, span: Duration) -> bool {
    let paused = mesh.pools().iter().any(|pool| pool.pause(instance, span));
    if paused {
        log::warn!(instance, ms = span.as_millis() as u64; "an operator paused an instance");
    }
    paused
}

/// The way from one caller to a service, such as `gateway.products`. `any` stands for all on either side: `any.products` is every way to
/// it, `any.any` is every way there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSelector {
    /// `None` for all.
    caller: Option<Caller>,
    service: Option<Service>,
}

impl ToSchema for LinkSelector {}

impl PartialSchema for LinkSelector {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z]+\\.[a-z]+$"));
        text.examples(["gateway.products", "any.any"]).into()
    }
}

impl FromStr for LinkSelector {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (caller, service) = text.split_once('.').ok_or(())?;
        let caller = match caller {
            "any" => None,
            "gateway" => Some(Caller::GATEWAY),
            caller => Some(Caller::Service(Service::from_str(caller).map_err(|_| ())?)),
        };
        let service = match service {
            "any" => None,
            service => Some(Service::from_str(service).map_err(|_| ())?),
        };
        Ok(Self { caller, service })
    }
}

/// What goes wrong on that way from now on; `None` for nothing.
pub fn set_link(mesh: &Mesh, selector: LinkSelector, link: Option<Link>) {
    log::warn!(service = selector.service.map_or("any", Service::name); "an operator changed a link: {link:?}");
    for service in Service::ALL.into_iter().filter(|service| selector.service.is_none_or(|one| one == *service)) {
        match selector.caller {
            Some(caller) => mesh.set_link(caller, service, link),
            None => mesh.set_links_to(service, link),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_has_two_ends() {
        let (carts, products) = (Some(Caller::Service(Service::Carts)), Some(Service::Products));
        assert_eq!("any.products".parse(), Ok(LinkSelector { caller: None, service: products }));
        assert_eq!("carts.products".parse(), Ok(LinkSelector { caller: carts, service: products }));
        assert_eq!("carts.any".parse(), Ok(LinkSelector { caller: carts, service: None }));
        assert_eq!("any.any".parse(), Ok(LinkSelector { caller: None, service: None }));
        for bad in ["products", "", ".", "gateway.", "gateway.gateway", "me.products", "any.products.x"] {
            assert!(bad.parse::<LinkSelector>().is_err(), "{bad}");
        }
    }
}
