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

/// The way from one caller to a service, such as `gateway.products`, or from all to it: `any.products`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// `None` for all.
    caller: Option<Caller>,
    service: Service,
}

impl ToSchema for Way {}

impl PartialSchema for Way {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z]+\\.[a-z]+$"));
        text.examples(["gateway.products"]).into()
    }
}

impl FromStr for Way {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (caller, service) = text.split_once('.').ok_or(())?;
        let caller = match caller {
            "any" => None,
            "gateway" => Some(Caller::GATEWAY),
            caller => Some(Caller::Service(Service::from_str(caller).map_err(|_| ())?)),
        };
        Ok(Self { caller, service: Service::from_str(service).map_err(|_| ())? })
    }
}

/// What goes wrong on that way from now on; `None` for nothing.
pub fn set_link(mesh: &Mesh, way: Way, link: Option<Link>) {
    let Way { caller, service } = way;
    log::warn!(service = service.name(); "an operator changed a link: {link:?}");
    match caller {
        Some(caller) => mesh.set_link(caller, service, link),
        None => mesh.set_links_to(service, link),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_has_two_ends() {
        assert_eq!("any.products".parse(), Ok(Way { caller: None, service: Service::Products }));
        let carts = Some(Caller::Service(Service::Carts));
        assert_eq!("carts.products".parse(), Ok(Way { caller: carts, service: Service::Products }));
        for bad in ["products", "", ".", "gateway.", "gateway.gateway", "me.products", "any.products.x"] {
            assert!(bad.parse::<Way>().is_err(), "{bad}");
        }
    }
}
