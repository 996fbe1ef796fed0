//! Reserve, then commit or release, and returns: one decision over many products, through crashes.
//!
//! A reservation has a record of its own, and this record is the decision: placing → held →
//! committed, or released. The first swap wins. Each product holds the orders that its pieces are
//! promised to, and gets the decision afterwards:
//!
//! 1. **Placing.** The record is written before any product is changed. Each product adds the order
//!    to its map, once. If all can, the reservation is held. If one cannot, the reservation is
//!    released with the reason, and the other products take their promises back.
//! 2. **Applying.** A decision can be applied to a product twice without harm: if the order is
//!    still in the product's map, the decision was not applied yet. When every product has it, the
//!    record is closed. Until then the sweeper finds it.
//!
//! A possible race: a second handler of the same request reads the reservation, is delayed, and
//! then promises pieces after the decision was applied. This cannot happen. The handler reads the
//! decision *after* it was given the product and *before* it swaps the product. Applying a decision
//! writes the product, so the swap of the late handler fails, and it reads the decision again
//! ([`Store::change_product`]: the bytes of a product never repeat). A commit writes only products
//! whose map has the order. That is enough: only a held reservation is committed, and a held order
//! was in every map.
//!
//! A return works in the same way: counting → counted → closed. The product's set of returns guards
//! against counting twice.

use super::{
    ProductsResult,
    messages::{ProductsError, ReserveStock, ReturnStock, Shortage},
    records::{Reservation, ReservationState as State, Restock, RestockState},
    rules,
    stock::shown,
    store::{Edit, Store},
};
use crate::{
    storage::StorageError,
    types::{OrderId, RefundId, Timestamp},
};

pub fn reserve(store: &Store, request: ReserveStock) -> ProductsResult<()> {
    rules::check_lines(&request.lines)?;
    let asked = store.change_reservation(request.order_id, |found| {
        found.unwrap_or_else(|| Reservation::asked_for(request.clone()))
    })?;
    Ok(settle(store, asked)?.answer()?)
}

pub fn commit(store: &Store, order: OrderId) -> ProductsResult<()> {
    let Some(found) = store.reservation(order)? else {
        return Err(ProductsError::ReservationNotFound.into());
    };
    settle(store, found)?;
    let decided = decide(store, order, Reservation::commit)?;
    match settle(store, decided)?.state {
        State::Released => Err(ProductsError::ReservationReleased.into()),
        _ => Ok(()),
    }
}

pub fn release(store: &Store, order: OrderId) -> ProductsResult<()> {
    let decided = decide(store, order, Reservation::release)?;
    match settle(store, decided)?.state {
        State::Committed => Err(ProductsError::ReservationCommitted.into()),
        _ => Ok(()),
    }
}

/// Puts pieces back into the warehouse, once per return. Errors: `ProductNotFound`, `Invalid`.
pub fn put_back(store: &Store, request: ReturnStock) -> ProductsResult<()> {
    rules::check_lines(&request.lines)?;
    for line in &request.lines {
        store.product(line.product_id)?.ok_or(ProductsError::ProductNotFound)?;
    }
    let id = request.return_id;
    store.begin_restock(Restock::of(request))?;
    Ok(finish_restock(store, id)?)
}

/// Releases lapsed reservations, and finishes what a crash interrupted.
pub async fn sweep(store: &Store) -> Result<(), StorageError> {
    for order in store.open_reservations()? {
        if let Err(error) = finish_reservation(store, order, store.env().now()) {
            log::error!(order = order.to_string().as_str(); "finishing a reservation failed; trying again: {error}");
        }
        // There may be many, and other tasks need this thread.
        tokio::task::yield_now().await;
    }
    for id in store.open_restocks()? {
        if let Err(error) = finish_restock(store, id) {
            log::error!(return_id = id.to_string().as_str(); "finishing a return failed; trying again: {error}");
        }
        tokio::task::yield_now().await;
    }
    store.commit().await
}

pub(super) fn finish_reservation(store: &Store, order: OrderId, now: Timestamp) -> Result<(), StorageError> {
    let Some(mut found) = store.reservation(order)? else { return Ok(()) };
    if found.has_lapsed(now) {
        found = decide(store, order, Reservation::release)?;
    }
    if found.is_decided() {
        settle(store, found)?;
    }
    Ok(())
}

/// Places and applies the reservation as far as possible, and gives its new state: held, committed
/// or released.
fn settle(store: &Store, mut reservation: Reservation) -> Result<Reservation, StorageError> {
    if reservation.state == State::Placing {
        reservation = place(store, &reservation)?;
    }
    if reservation.is_decided() && !reservation.applied {
        apply(store, &reservation)?;
        reservation = decide(store, reservation.order_id, |reservation| reservation.applied = true)?;
    }
    Ok(reservation)
}

/// One swap of the reservation. A missing reservation counts as one that was released before it was
/// requested.
fn decide(store: &Store, order: OrderId, step: impl Fn(&mut Reservation)) -> Result<Reservation, StorageError> {
    let now = store.env().now();
    store.change_reservation(order, |found| {
        let mut reservation = found.unwrap_or_else(|| Reservation::never(order, now));
        step(&mut reservation);
        reservation
    })
}

/// The answer of one product to an order that asks for pieces.
enum PromiseResult {
    Promised,
    TooFew(u64),
    NotOnSale,
    /// The order was decided meanwhile.
    AlreadyDecided,
}

/// Asks each product to promise its pieces, and decides by the answers.
fn place(store: &Store, reservation: &Reservation) -> Result<Reservation, StorageError> {
    let (mut shortages, mut all_on_sale) = (Vec::new(), true);
    for line in &reservation.lines {
        // After one product has refused, the others are only asked whether they could.
        let is_possible = shortages.is_empty() && all_on_sale;
        let said = store.change_product(line.product_id, |product| {
            if product.stock.is_promised_to(reservation.order_id) {
                return Ok::<_, StorageError>(Edit::Keep(PromiseResult::Promised));
            }
            let decision = store.reservation(reservation.order_id)?;
            if decision.is_none_or(|decision| decision.state != State::Placing) {
                return Ok(Edit::Keep(PromiseResult::AlreadyDecided));
            }
            if product.retired {
                return Ok(Edit::Keep(PromiseResult::NotOnSale));
            }
            Ok(match product.stock.promise(reservation.order_id, line.quantity) {
                Ok(()) if is_possible => Edit::Save(PromiseResult::Promised),
                Ok(()) => Edit::Keep(PromiseResult::Promised),
                Err(available) => Edit::Keep(PromiseResult::TooFew(available)),
            })
        })?;
        match said {
            Some(PromiseResult::Promised) => {}
            Some(PromiseResult::TooFew(available)) => shortages.push(Shortage {
                product_id: line.product_id,
                requested: line.quantity.get(),
                available: shown(available),
            }),
            Some(PromiseResult::NotOnSale) | None => all_on_sale = false,
            // The swap below changes nothing then, and gives the decision.
            Some(PromiseResult::AlreadyDecided) => break,
        }
    }
    decide(store, reservation.order_id, |reservation| match (all_on_sale, shortages.is_empty()) {
        (true, true) => reservation.hold(),
        (true, false) => reservation.refuse(ProductsError::OutOfStock { lines: shortages.clone() }),
        (false, _) => reservation.refuse(ProductsError::ProductNotFound),
    })
}

/// Applies the decision to each product.
fn apply(store: &Store, decided: &Reservation) -> Result<(), StorageError> {
    for line in &decided.lines {
        store.change_product(line.product_id, |product| {
            Ok::<_, StorageError>(if decided.state == State::Released {
                product.stock.release(decided.order_id);
                // Written also if nothing was promised, so that the swap of a late handler fails.
                Edit::Save(())
            } else if product.stock.sell(decided.order_id) {
                Edit::Save(())
            } else {
                Edit::Keep(())
            })
        })?;
    }
    Ok(())
}

pub(super) fn finish_restock(store: &Store, id: RefundId) -> Result<(), StorageError> {
    let Some(restock) = store.restock(id)? else { return Ok(()) };
    if restock.state == RestockState::Counting {
        count(store, &restock)?;
        store.change_restock(id, RestockState::Counting, RestockState::Counted)?;
    }
    if restock.state != RestockState::Closed {
        for line in &restock.lines {
            store.change_product(line.product_id, |product| {
                Ok::<_, StorageError>(if product.stock.forget(id) { Edit::Save(()) } else { Edit::Keep(()) })
            })?;
        }
        store.change_restock(id, RestockState::Counted, RestockState::Closed)?;
    }
    Ok(())
}

fn count(store: &Store, restock: &Restock) -> Result<(), StorageError> {
    let id = restock.return_id;
    for line in &restock.lines {
        store.change_product(line.product_id, |product| {
            // Read between the product and its swap, as above: once all products have counted, no
            // late handler counts again.
            let is_counting = |now: Restock| now.state == RestockState::Counting;
            if product.stock.is_returning(id) || !store.restock(id)?.is_some_and(is_counting) {
                return Ok::<_, StorageError>(Edit::Keep(()));
            }
            product.stock.take_back(id, line.quantity);
            Ok(Edit::Save(()))
        })?;
    }
    Ok(())
}
