//! Which links a fault is injected into.

use crate::{mesh::Caller, types::Service};
use std::str::FromStr;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// The links from one caller to one service, such as `gateway.products`. `any` on either side
/// stands for all: `any.products` selects the links of all callers to products, `any.any` all
/// links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkSelector {
    /// `None` for all callers.
    pub(super) caller: Option<Caller>,
    /// `None` for all services.
    pub(super) service: Option<Service>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_names_a_caller_and_a_service() {
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
