//! Tests of the whole mesh, with doubles in the place of services.

mod balancing;
mod breakers;
mod calls;
mod crashes;
mod doubles;
mod events;
mod fixture;
mod links;
mod nodes;
mod retries;
mod scaling;
