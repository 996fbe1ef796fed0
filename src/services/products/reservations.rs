//! Reserve → commit or release, and returns: one decision, many products, and a crash at any moment.
//!
//! A reservation is a record of its own, and that record is the decision: placing → held → committed, or released; the first swap
//! wins. Each product holds the orders that its pieces are promised to, and is listener of the decision one after the other:
//!
//! 1. **Placing** the record is written before any product is touched. Each product takes the order into its map, once. When all
//!    have, it is held; if one cannot, it is released, with the reason, and all others give back what they promised.
//! 2. **Applying** a decision to a product twice does no harm: that the order is in the product's map says that it was not applied
//!    yet. When every product knows, the record is closed; until then a sweeper finds it.
//!
//! What could go wrong is a latecomer: a second handler of the same request, held up between its look at the reservation and its swap of the
//! product, that promises pieces after the decision was applied. It cannot: it reads the decision *after* it was given the product and
//! *before* it swaps it, and whoever applies a decision writes the product, so that the latecomer's swap fails and it looks again.
//! ([`Store::change_product`]: no state comes twice.) A commit writes only where the order is in the map, which is enough: nothing is committed
//! but what is held, and what is held was in every map.
//!
//! A return goes the same way: counting → counted → closed, with the product's set of returns as the guard.

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

/// Puts pieces back on the shelf, once per return.
pub fn put_back(store: &Store, request: ReturnStock) -> ProductsResult<()> {
    rules::check_lines(&request.lines)?;
    for line in &request.lines {
        store.product(line.product_id)?.ok_or(ProductsError::ProductNotFound)?;
    }
    let id = request.return_id;
    store.begin_restock(Restock::of(request))?;
    Ok(finish_restock(store, id)?)
}

/// Releases the reservations whose time is over, and finishes what a crash left half done.
pub async fn sweep(store: &Store) -> Result<(), StorageError> {
    for order in store.open_reservations()? {
        if let Err(error) = finish_reservation(store, order, store.env().now()) {
            log::error!(order = order.to_string().as_str(); "a reservation cannot be finished: {error}");
        }
        // There may be many, and others wait for this thread.
        tokio::task::yield_now().await;
    }
    for id in store.open_restocks()? {
        if let Err(error) = finish_restock(store, id) {
            log::error!(return_id = id.to_string().as_str(); "a return cannot be finished: {error}");
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

/// Does what is left to do for the reservation as it is, and gives it as it is then: held, committed or released.
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

/// One swap of the reservation. One that is not known stands for one that will never be.
fn decide(store: &Store, order: OrderId, step: impl Fn(&mut Reservation)) -> Result<Reservation, StorageError> {
    let now = store.env().now();
    store.change_reservation(order, |found| {
        let mut reservation = found.unwrap_or_else(|| Reservation::never(order, now));
        step(&mut reservation);
        reservation
    })
}

/// What a product says to an order that wants pieces of it.
enum PromiseResult {
    Promised,
    TooFew(u64),
    NotOnSale,
    /// The decision about the order has been made meanwhile.
    AlreadyDecided,
}

/// Has each product promise its pieces, and decides by what they say.
fn place(store: &Store, reservation: &Reservation) -> Result<Reservation, StorageError> {
    let (mut shortages, mut all_on_sale) = (Vec::new(), true);
    for line in &reservation.lines {
        // Once one has too few, the others are only asked.
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
            // The next swap changes nothing, and reads how it was decided.
            Some(PromiseResult::AlreadyDecided) => break,
        }
    }
    decide(store, reservation.order_id, |reservation| match (all_on_sale, shortages.is_empty()) {
        (true, true) => reservation.hold(),
        (true, false) => reservation.refuse(ProductsError::OutOfStock { lines: shortages.clone() }),
        (false, _) => reservation.refuse(ProductsError::ProductNotFound),
    })
}

/// Tells each product what was decided.
fn apply(store: &Store, decided: &Reservation) -> Result<(), StorageError> {
    for line in &decided.lines {
        store.change_product(line.product_id, |product| {
            Ok::<_, StorageError>(if decided.state == State::Released {
                product.stock.release(decided.order_id);
                // Written also where nothing was promised: it keeps a latecomer from promising something now.
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
            // Read between the product and its swap, as above: once all have counted, nobody counts again.
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
