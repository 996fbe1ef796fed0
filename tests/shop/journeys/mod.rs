//! The journeys of customers and operators, from beginning to end.

mod accounts;
mod audit;
mod buying;
mod cart;
mod catalogue;
mod events;
mod keys;
mod money;
mod pages;
mod parcels;
mod parts;
