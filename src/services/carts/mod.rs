//! Carts: what guests and customers are going to buy.
//!
//! ## Decisions
//!
//! - **A cart stores product ids and quantities only.** Names, prices and stock change. They are
//!   read from products each time the cart is read. Consequence: a customer always sees what they
//!   will pay, and carts can only be read while products answers.
//! - **A guest's cart belongs to a signed cookie.** A guest has no account. The cookie holds the id
//!   of the cart and a signature, so that a client cannot choose the id of another cart.
//!   Consequence: a guest who loses the cookie loses the cart.
//! - **A cart is taken over, never shared.** When a guest signs in, the guest's cart is emptied
//!   first and then added to the user's cart. Consequence: a crash in between loses the guest's
//!   products, and never adds them twice.

mod actor;
pub mod messages;
mod records;
mod rules;
mod store;

pub use actor::launch;
pub use records::tables;
