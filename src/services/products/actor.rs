//! The actor: its handler table, one short handler per request, and `launch`.

use super::{
    listings,
    messages::*,
    records::Reservation,
    reservations, rules,
    search::CatalogueQuery,
    store::{Edit, Store},
};
use crate::{
    mesh::{Context, Failure, HandlerResult, service},
    services::ServiceDeps,
    storage::StorageError,
    types::{Cursor, Page, Service},
};
use std::time::Duration;

/// The state that every instance shares.
#[derive(Clone)]
struct Products {
    store: Store,
}

service! { Products,
    handles {
        FindProducts          => find,
        GetProduct            => get,
        GetProducts           => get_many,
        ListCategories        => list_categories,
        CreateProduct         => create,
        UpdateProduct         => update,
        RetireProduct         => retire,
        SetStock              => set_stock,
        ReserveStock          => reserve_stock,
        ReleaseStock          => release_stock,
        CommitStock           => commit_stock,
        ReturnStock           => return_stock,
        StockCatalogue        => stock_catalogue,
        ReconcileStock        => reconcile_stock,
        ReconcileReservations => reconcile_reservations,
    }
}

/// The pause between two sweeps: a lapsed reservation keeps its pieces at most this much longer.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// The most rows of one reconciliation reply.
const MOST_RECONCILED: usize = 1_000;

pub fn launch(deps: ServiceDeps) -> Result<(), StorageError> {
    let ServiceDeps { env, mesh, tree, instances } = deps;
    let listeners = mesh.clone();
    let store = Store::open(&tree, &env, move |changed| listeners.notify_listeners(changed))?;
    let products = Products { store: store.clone() };
    mesh.launch(Service::Products, instances, move |on| start(&products, on));
    mesh.background(Service::Products, move || sweep(store.clone()));
    Ok(())
}

async fn sweep(store: Store) {
    loop {
        if let Err(error) = reservations::sweep(&store).await {
            log::error!(service = Service::Products.name(); "sweeping reservations failed; trying again: {error}");
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

impl Products {
    async fn find(&self, _: Context, request: FindProducts) -> HandlerResult<FindProducts> {
        let search = CatalogueQuery::new(&request)?;
        let list = search.list();
        let after = request.cursor.map(|cursor| cursor.position(&list)).transpose().map_err(ProductsError::from)?;
        let found = self.store.catalogue().find(&search, after.as_ref(), request.limit.get());
        let mut items = Vec::with_capacity(found.ids.len());
        for id in found.ids {
            // Products that were sold out or retired since the catalogue was searched are left out.
            let product = self.store.product(id)?.map(|product| product.to_product());
            items.extend(product.filter(|p| !p.retired && (!request.in_stock || p.stock.available > 0)));
        }
        Ok(Page { items, next_cursor: found.next.map(|position| Cursor::after(&list, &position)) })
    }

    async fn get(&self, _: Context, request: GetProduct) -> HandlerResult<GetProduct> {
        let found = match request.product {
            ProductRef::Id(id) => self.store.product(id)?,
            ProductRef::Slug(slug) => self.store.product_of_slug(&slug)?,
        };
        Ok(found.ok_or(ProductsError::ProductNotFound)?.to_product())
    }

    async fn get_many(&self, _: Context, request: GetProducts) -> HandlerResult<GetProducts> {
        let found = request.ids.into_iter().filter_map(|id| self.store.product(id).transpose());
        Ok(found.map(|product| Ok(product?.to_product())).collect::<Result<_, StorageError>>()?)
    }

    async fn list_categories(&self, _: Context, _: ListCategories) -> HandlerResult<ListCategories> {
        Ok(self.store.catalogue().categories())
    }

    async fn create(&self, _: Context, request: CreateProduct) -> HandlerResult<CreateProduct> {
        self.on_disk(listings::create(&self.store, request)).await
    }

    async fn update(&self, _: Context, request: UpdateProduct) -> HandlerResult<UpdateProduct> {
        self.on_disk(listings::update(&self.store, request)).await
    }

    async fn retire(&self, _: Context, request: RetireProduct) -> HandlerResult<RetireProduct> {
        self.on_disk(listings::retire(&self.store, request)).await
    }

    async fn set_stock(&self, _: Context, request: SetStock) -> HandlerResult<SetStock> {
        let level = self.store.change_product(request.product_id, |product| {
            rules::check_seen(request.seen, product.version, product.stock.level().available)?;
            product.stock.set(request.change)?;
            Ok::<_, Failure<ProductsError>>(Edit::Save(product.stock.level()))
        })?;
        self.on_disk(level.ok_or(ProductsError::ProductNotFound.into())).await
    }

    async fn reserve_stock(&self, _: Context, request: ReserveStock) -> HandlerResult<ReserveStock> {
        self.on_disk(reservations::reserve(&self.store, request)).await
    }

    async fn release_stock(&self, _: Context, request: ReleaseStock) -> HandlerResult<ReleaseStock> {
        self.on_disk(reservations::release(&self.store, request.order_id)).await
    }

    async fn commit_stock(&self, _: Context, request: CommitStock) -> HandlerResult<CommitStock> {
        self.on_disk(reservations::commit(&self.store, request.order_id)).await
    }

    async fn return_stock(&self, _: Context, request: ReturnStock) -> HandlerResult<ReturnStock> {
        self.on_disk(reservations::put_back(&self.store, request)).await
    }

    async fn stock_catalogue(&self, _: Context, request: StockCatalogue) -> HandlerResult<StockCatalogue> {
        self.on_disk(listings::stock_catalogue(&self.store, request.products).await).await
    }

    async fn reconcile_stock(&self, _: Context, request: ReconcileStock) -> HandlerResult<ReconcileStock> {
        let products = self.store.products_after(request.after).take(request.limit.min(MOST_RECONCILED));
        let reconciled = products.map(|found| found.map(|product| product.stock.reconcile(product.id)));
        Ok(reconciled.collect::<Result<_, StorageError>>()?)
    }

    async fn reconcile_reservations(
        &self,
        _: Context,
        request: ReconcileReservations,
    ) -> HandlerResult<ReconcileReservations> {
        let open = self.store.open_reservations()?.into_iter();
        let asked_for = open.filter(|order| request.after.is_none_or(|after| *order > after));
        let found = asked_for.map(|order| self.store.reservation(order));
        let undecided = found.filter_map(|found| found.map(|it| it.filter(|it| !it.is_decided())).transpose());
        let reconcile = |it: Reservation| ReservationReconciliation { order_id: it.order_id, until: it.until };
        let reconciled = undecided.map(|found| found.map(reconcile)).take(request.limit.min(MOST_RECONCILED));
        Ok(reconciled.collect::<Result<_, StorageError>>()?)
    }

    /// Gives the answer after everything that it depends on is on disk. This includes refusals,
    /// because a refusal reports a decision.
    async fn on_disk<T>(&self, answer: Result<T, Failure<ProductsError>>) -> Result<T, Failure<ProductsError>> {
        self.store.commit().await?;
        answer
    }
}
