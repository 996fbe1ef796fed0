//! Reservations and returns under every interleaving and crash: afterwards every piece is accounted
//! for, and nothing is left to do.

use super::super::{
    ProductsResult,
    interleavings::{Schedule, interleave, schedule},
    listings,
    messages::*,
    records::{ReservationState, RestockState},
    reservations::{commit, finish_reservation, finish_restock, put_back, release, reserve},
    rules::tests::kettle,
    search::CatalogueQuery,
    store::{Edit, Store},
};
use crate::{
    env::Env,
    mesh::Failure,
    storage::{Storage, Tree},
    types::{OrderId, ProductId, RefundId, Service, Timestamp},
};
use proptest::prelude::*;

/// By number: an order, a return, a product with a quantity.
#[derive(Debug, Clone)]
enum Op {
    Reserve(usize, Vec<(usize, u32)>),
    Commit(usize),
    Release(usize),
    /// The sweeper finds the lapsed reservation.
    Expire(usize),
    Return(usize, Vec<(usize, u32)>),
    Sweep(usize),
    Adjust(usize, i64),
}

/// Operations that run at the same time.
#[derive(Debug, Clone)]
struct Round {
    ops: Vec<Op>,
    schedule: Schedule,
}

const PRODUCTS: usize = 2;
const ORDERS: usize = 2;
const RETURNS: usize = 1;

fn lines() -> impl Strategy<Value = Vec<(usize, u32)>> {
    (1u32..4, 1u32..4).prop_flat_map(|(a, b)| {
        prop::sample::select(vec![vec![(0, a)], vec![(1, b)], vec![(0, a), (1, b)], vec![(1, b), (0, a)]])
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..ORDERS, lines()).prop_map(|(order, lines)| Op::Reserve(order, lines)),
        3 => (0..ORDERS).prop_map(Op::Commit),
        3 => (0..ORDERS).prop_map(Op::Release),
        1 => (0..ORDERS).prop_map(Op::Expire),
        2 => (0..RETURNS, lines()).prop_map(|(id, lines)| Op::Return(id, lines)),
        1 => (0..RETURNS).prop_map(Op::Sweep),
        1 => (0..PRODUCTS, -3i64..4).prop_map(|(product, pieces)| Op::Adjust(product, pieces)),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    (prop::collection::vec(op(), 1..5), schedule()).prop_map(|(ops, schedule)| Round { ops, schedule })
}

/// A shop with two products, and the ids that the numbers of the operations stand for.
struct World {
    _folder: tempfile::TempDir,
    tree: Tree,
    env: Env,
    store: Store,
    products: Vec<ProductId>,
    orders: Vec<OrderId>,
    returns: Vec<RefundId>,
    answers: Vec<(Op, ProductsResult<()>)>,
}

impl World {
    fn new(on_hand: [u32; PRODUCTS]) -> Self {
        let env = Env::system();
        let folder = tempfile::tempdir().unwrap();
        let tree = Storage::open(folder.path(), &env).unwrap().tree(Service::Products).unwrap();
        let store = Store::open(&tree, &env, |_| ()).unwrap();
        let delivered = on_hand.map(|pieces| {
            let slug = env.id::<ProductId>().to_string().replace('_', "-").parse().unwrap();
            listings::create(&store, CreateProduct { slug, on_hand: pieces, ..kettle() }).unwrap().id
        });
        let orders = (0..ORDERS).map(|_| env.id()).collect();
        let returns = (0..RETURNS).map(|_| env.id()).collect();
        Self { _folder: folder, tree, store, products: delivered.to_vec(), orders, returns, answers: Vec::new(), env }
    }

    fn run(&mut self, Round { ops, schedule }: &Round) {
        let perform = |store: &Store, op: &Op| (op.clone(), self.perform(store, op));
        let answers = interleave(&self.store, ops, schedule, perform, || self.check_products());
        self.answers.extend(answers);
        if schedule.end_after.is_some() {
            self.store = Store::open(&self.tree, &self.env, |_| ()).unwrap();
        }
    }

    fn perform(&self, store: &Store, op: &Op) -> ProductsResult<()> {
        match op {
            Op::Reserve(order, lines) => {
                let (lines, until) = (self.lines(lines), Timestamp::UNIX_EPOCH);
                reserve(store, ReserveStock { order_id: self.orders[*order], lines, until })
            }
            Op::Commit(order) => commit(store, self.orders[*order]),
            Op::Release(order) => release(store, self.orders[*order]),
            Op::Expire(order) => Ok(finish_reservation(store, self.orders[*order], THE_END)?),
            Op::Return(id, lines) => {
                let (return_id, lines) = (self.returns[*id], self.lines(lines));
                put_back(store, ReturnStock { return_id, lines })
            }
            Op::Sweep(id) => Ok(finish_restock(store, self.returns[*id])?),
            Op::Adjust(product, pieces) => {
                let adjusted = store.change_product(self.products[*product], |product| {
                    product.stock.set(StockChange::AdjustBy(*pieces))?;
                    Ok::<_, Failure<ProductsError>>(Edit::Save(()))
                });
                adjusted.map(|_| ())
            }
        }
    }

    fn lines(&self, lines: &[(usize, u32)]) -> Vec<StockLine> {
        let line = |(product, pieces): &(usize, u32)| StockLine {
            product_id: self.products[*product],
            quantity: (*pieces).try_into().unwrap(),
        };
        lines.iter().map(line).collect()
    }

    fn reconcile(&self, id: ProductId) -> StockReconciliation {
        self.store.product(id).unwrap().unwrap().stock.reconcile(id)
    }

    /// What must hold at every moment.
    fn check_products(&self) {
        for reconcile in self.products.iter().map(|id| self.reconcile(*id)) {
            assert_eq!(
                reconcile.available + reconcile.reserved + reconcile.sold - reconcile.returned,
                reconcile.received,
                "{reconcile:?}"
            );
            assert!(reconcile.available >= 0 && reconcile.reserved >= 0, "{reconcile:?}");
        }
    }

    /// What must hold after the sweeper has run.
    fn check_rest(&self) {
        let reservation = |order: &OrderId| self.store.reservation(*order).unwrap();
        let is_at_rest = |order: &OrderId| reservation(order).is_none_or(|r| r.is_decided() && r.applied);
        let is_closed =
            |id: &RefundId| self.store.restock(*id).unwrap().is_none_or(|r| r.state == RestockState::Closed);
        let found = self.store.open_reservations().unwrap();
        assert!(
            self.orders.iter().all(|order| is_at_rest(order) || found.contains(order)),
            "a sweeper would not find it"
        );
        let found = self.store.open_restocks().unwrap();
        assert!(self.returns.iter().all(|id| is_closed(id) || found.contains(id)), "a sweeper would not find it");
        for order in &self.orders {
            finish_reservation(&self.store, *order, THE_END).unwrap();
        }
        for id in &self.returns {
            finish_restock(&self.store, *id).unwrap();
        }
        assert!(self.orders.iter().all(is_at_rest) && self.returns.iter().all(is_closed));
        let is_sold = |order: &&OrderId| reservation(order).is_some_and(|r| r.state == ReservationState::Committed);
        let sold: Vec<StockLine> =
            self.orders.iter().filter(is_sold).flat_map(|o| reservation(o).unwrap().lines).collect();
        let returned = self.returns.iter().filter_map(|id| self.store.restock(*id).unwrap());
        let returned: Vec<StockLine> = returned.flat_map(|restock| restock.lines).collect();
        for id in &self.products {
            let pieces = |lines: &[StockLine]| -> i64 {
                lines.iter().filter(|line| line.product_id == *id).map(|line| i64::from(line.quantity.get())).sum()
            };
            let reconcile = self.reconcile(*id);
            assert_eq!((reconcile.reserved, reconcile.sold, reconcile.returned), (0, pieces(&sold), pieces(&returned)));
            let product = self.store.product(*id).unwrap().unwrap();
            assert!(self.returns.iter().all(|id| !product.stock.is_returning(*id)), "a return is remembered");
            self.check_catalogue(*id, reconcile.available > 0);
        }
    }

    fn check_catalogue(&self, id: ProductId, in_stock: bool) {
        let search = CatalogueQuery::new(&FindProducts { in_stock: true, ..FindProducts::default() }).unwrap();
        assert_eq!(self.store.catalogue().find(&search, None, usize::MAX - 1).ids.contains(&id), in_stock);
    }

    /// Every answer must agree with the final state.
    fn check_answers(&self) {
        let refusals = [ProductsError::ReservationReleased, ProductsError::ReservationCommitted];
        for (number, order) in self.orders.iter().enumerate() {
            let state = self.store.reservation(*order).unwrap().map(|r| r.state);
            let mut shortages = Vec::new();
            let mut was_held = false;
            for (op, answer) in &self.answers {
                match (op, answer) {
                    (Op::Commit(n), Ok(())) if *n == number => assert_eq!(state, Some(ReservationState::Committed)),
                    (Op::Release(n), Ok(())) if *n == number => assert_eq!(state, Some(ReservationState::Released)),
                    (Op::Reserve(n, _), Ok(())) if *n == number => was_held = true,
                    (Op::Reserve(n, _), Err(Failure::Domain(error))) if *n == number && !refusals.contains(error) => {
                        shortages.push(error.clone())
                    }
                    _ => {}
                }
            }
            assert!(!was_held || shortages.is_empty(), "held, and out of stock");
            assert!(shortages.windows(2).all(|pair| pair[0] == pair[1]), "{shortages:?}");
        }
    }
}

const THE_END: Timestamp = Timestamp::MAX;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn under_every_interleaving_and_crash_every_piece_is_accounted_for(
        on_hand in [0u32..7, 0u32..7], rounds in prop::collection::vec(round(), 1..5),
    ) {
        let mut world = World::new(on_hand);
        for round in &rounds {
            world.run(round);
        }
        world.check_rest();
        world.check_answers();
    }
}
