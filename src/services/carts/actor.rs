//! The actor: its handler table, one short handler per request, and `launch`.

use super::{messages::*, records::CartRecord, rules, store::Store};
use crate::{
    env::Env,
    mesh::{CallError, Context, Failure, HandlerResult, Mesh, service},
    services::{
        ServiceDeps,
        products::messages::{GetProducts, Product, ProductsError},
    },
    storage::StorageError,
    types::{CartId, Id, ProductId, Service},
};

/// The state that every instance shares.
#[derive(Clone)]
struct Carts {
    env: Env,
    mesh: Mesh,
    store: Store,
}

service! { Carts,
    handles {
        GetCart    => get,
        SetItem    => set_item,
        ClearCart  => clear,
        MergeCarts => merge,
        CheckOut   => check_out,
        CountCarts => count,
    }
}

pub fn launch(deps: ServiceDeps) -> Result<(), StorageError> {
    let carts = Carts { store: Store::new(&deps.tree), env: deps.env.clone(), mesh: deps.mesh.clone() };
    deps.mesh.launch(Service::Carts, deps.instances, move |on| start(&carts, on));
    Ok(())
}

/// How many orders a cart remembers, so that each is checked out once. A customer does not place
/// more orders while one of them is in progress.
const REMEMBERED_ORDERS: usize = 32;

impl Carts {
    async fn get(&self, context: Context, request: GetCart) -> HandlerResult<GetCart> {
        let cart = self.store.cart(request.owner)?.unwrap_or_else(|| self.empty(request.owner));
        self.priced(&context, cart).await
    }

    async fn set_item(&self, context: Context, request: SetItem) -> HandlerResult<SetItem> {
        // Only products on sale can be added. Removing one needs no check.
        if request.quantity.is_some() {
            let found = self.products(&context, vec![request.product_id]).await?;
            if !found.iter().any(|product| !product.retired) {
                return Err(CartsError::ProductNotFound.into());
            }
        }
        let cart = self.change(request.owner, |cart| rules::set(&mut cart.lines, request.product_id, request.quantity));
        self.priced(&context, cart.await?).await
    }

    async fn clear(&self, context: Context, request: ClearCart) -> HandlerResult<ClearCart> {
        let cart = self.change(request.owner, |cart| {
            cart.lines.clear();
            Ok(())
        });
        self.priced(&context, cart.await?).await
    }

    async fn merge(&self, context: Context, request: MergeCarts) -> HandlerResult<MergeCarts> {
        let user = CartOwner::User(request.user_id);
        // The guest's cart is emptied first. After a crash in between, no product is added twice.
        let mut gathered = Vec::new();
        self.change(CartOwner::Guest(request.guest), |guest| {
            gathered = std::mem::take(&mut guest.lines);
            Ok(())
        })
        .await?;
        let merged = self.change(user, |cart| {
            rules::merge(&mut cart.lines, &gathered);
            Ok(())
        });
        self.priced(&context, merged.await?).await
    }

    async fn check_out(&self, _: Context, request: CheckOut) -> HandlerResult<CheckOut> {
        self.change(CartOwner::User(request.user_id), |cart| {
            if !cart.checked_out.contains(&request.order_id) {
                rules::check_out(&mut cart.lines, &request.lines);
                cart.checked_out.push(request.order_id);
                let old = cart.checked_out.len().saturating_sub(REMEMBERED_ORDERS);
                cart.checked_out.drain(..old);
            }
            Ok(())
        })
        .await?;
        Ok(())
    }

    async fn count(&self, _: Context, CountCarts { since }: CountCarts) -> HandlerResult<CountCarts> {
        let mut counts = CartCounts { filled: 0, ordered: 0 };
        for cart in self.store.all() {
            let cart = cart?;
            let is_ordered = !cart.checked_out.is_empty();
            if cart.changed_at >= since && (is_ordered || !cart.lines.is_empty()) {
                counts.filled += 1;
                counts.ordered += u64::from(is_ordered);
            }
        }
        Ok(counts)
    }

    async fn change(
        &self,
        owner: CartOwner,
        mut decide: impl FnMut(&mut CartRecord) -> Result<(), CartsError>,
    ) -> Result<CartRecord, Failure<CartsError>> {
        let now = self.env.now();
        self.store
            .change(owner, self.empty(owner), |cart| {
                cart.changed_at = now;
                decide(cart)
            })
            .await
    }

    fn empty(&self, owner: CartOwner) -> CartRecord {
        let id = match owner {
            CartOwner::Guest(id) => id,
            // The same each time, also before the cart is stored.
            CartOwner::User(id) => CartId::from_uuid(id.uuid()),
        };
        CartRecord { id, lines: Vec::new(), changed_at: self.env.now(), checked_out: Vec::new() }
    }

    async fn priced(&self, context: &Context, cart: CartRecord) -> Result<Cart, Failure<CartsError>> {
        let products = self.products(context, cart.lines.iter().map(|(id, _)| *id).collect()).await?;
        Ok(rules::price(cart.id, &cart.lines, &products)?)
    }

    async fn products(&self, context: &Context, ids: Vec<ProductId>) -> Result<Vec<Product>, Failure<CartsError>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.mesh.call(context, GetProducts { ids }).await;
        found.map_err(|error: CallError<ProductsError>| error.into_mesh().into())
    }
}
