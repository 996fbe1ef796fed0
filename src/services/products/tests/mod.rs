//! The service through the mesh, on a data folder of its own.

mod catalogue;
mod listings;
mod records;
mod reservations;
mod stock;

use super::{launch, messages::*, records::ProductRecord, rules::tests::kettle};
use crate::{
    env::{Env, later},
    mesh::{CallError, Caller, Context, Mesh, Request, TraceId},
    services::{ALLOWED_CALLS, SUBSCRIPTIONS, ServiceDeps},
    storage::{Record, Storage, Table},
    types::{Cursor, Limit, Money, OrderId, Page, Principal, ProductId, Quantity, Role, Service, Timestamp, UserId},
};
use futures_util::future::join_all;
use std::{path::Path, time::Duration};

struct Shop {
    folder: tempfile::TempDir,
    storage: Storage,
    env: Env,
    mesh: Mesh,
}

impl Shop {
    fn open(env: Env, instances: usize) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), env, instances)
    }

    fn open_in(folder: tempfile::TempDir, env: Env, instances: usize) -> Self {
        let storage = Storage::open(folder.path(), &env).unwrap();
        let mesh = Mesh::new(env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS);
        let shop = Self { folder, storage, env, mesh };
        shop.launch(instances);
        shop
    }

    fn launch(&self, instances: usize) {
        let mesh = self.mesh.for_caller(Caller::Service(Service::Products));
        let tree = self.storage.tree(Service::Products).unwrap();
        launch(ServiceDeps { env: self.env.clone(), mesh, tree, instances }).unwrap();
    }

    /// The same data folder with a new process.
    fn restarted(self, instances: usize) -> Self {
        self.mesh.stop();
        let shop = Self { mesh: Mesh::new(self.env.clone(), ALLOWED_CALLS, SUBSCRIPTIONS), ..self };
        shop.launch(instances);
        shop
    }

    fn table<R: Record>(&self) -> Table<R> {
        self.storage.tree(Service::Products).unwrap().table()
    }

    async fn ask<R: Request>(&self, request: R) -> Result<R::Reply, R::Error> {
        self.ask_as(Principal::System, request).await
    }

    async fn ask_as<R: Request>(&self, principal: Principal, request: R) -> Result<R::Reply, R::Error> {
        let context = Context::new(principal, Duration::from_secs(20), TraceId([1; 16]));
        self.mesh.call(&context, request).await.map_err(|error| match error {
            CallError::Domain(error) => error,
            CallError::Mesh(error) => panic!("{error}"),
        })
    }

    async fn create(&self, slug: &str) -> Result<Product, ProductsError> {
        self.ask(CreateProduct { slug: slug.parse().unwrap(), ..kettle() }).await
    }

    async fn rename(&self, product: &Product, slug: &str) -> Result<Product, ProductsError> {
        self.update(product, ProductChanges { slug: Some(slug.parse().unwrap()), ..ProductChanges::default() }).await
    }

    async fn update(&self, product: &Product, changes: ProductChanges) -> Result<Product, ProductsError> {
        self.ask(UpdateProduct { product_id: product.id, expected_version: Some(product.version), changes }).await
    }

    async fn by_slug(&self, slug: &str) -> Result<Product, ProductsError> {
        self.ask(GetProduct { product: ProductRef::Slug(slug.parse().unwrap()) }).await
    }

    async fn reserve(&self, order_id: OrderId, lines: Vec<StockLine>) -> Result<(), ProductsError> {
        let until = later(self.env.now(), Duration::from_secs(60));
        self.ask(ReserveStock { order_id, lines, until }).await
    }

    async fn reconcile(&self, id: ProductId) -> StockReconciliation {
        let reconciled = self.ask(ReconcileStock { after: None, limit: 100 }).await.unwrap();
        let reconcile = reconciled.into_iter().find(|reconcile| reconcile.product_id == id).unwrap();
        assert_eq!(reconcile.available + reconcile.reserved + reconcile.sold - reconcile.returned, reconcile.received);
        reconcile
    }

    async fn find(&self, request: FindProducts) -> Result<Page<Product>, ProductsError> {
        self.ask(request).await
    }
}

fn pieces(product_id: ProductId, pieces: u32) -> Vec<StockLine> {
    vec![StockLine { product_id, quantity: Quantity::try_from(pieces).unwrap() }]
}

fn slugs(page: &Page<Product>) -> Vec<&str> {
    page.items.iter().map(|product| product.slug.as_str()).collect()
}

#[actix::test]
async fn of_200_orders_for_50_pieces_at_the_same_time_50_succeed() {
    let shop = Shop::open(Env::system(), 4);
    let product = shop.ask(CreateProduct { on_hand: 50, ..kettle() }).await.unwrap();
    let orders: Vec<OrderId> = (0..200).map(|_| shop.env.id()).collect();
    let answers = join_all(orders.iter().map(|order| shop.reserve(*order, pieces(product.id, 1))));
    let (held, refused): (Vec<_>, Vec<_>) = answers.await.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (50, 150));
    let shortage = Shortage { product_id: product.id, requested: 1, available: 0 };
    assert!(refused.iter().all(|answer| *answer == Err(ProductsError::OutOfStock { lines: vec![shortage.clone()] })));
    // A repeated request gets the same answer. Then all are committed or released.
    let again = join_all(orders.iter().map(|order| shop.reserve(*order, pieces(product.id, 1)))).await;
    assert_eq!(again.iter().filter(|answer| answer.is_ok()).count(), 50);
    let ended = join_all(orders.iter().map(|order_id| shop.ask(CommitStock { order_id: *order_id }))).await;
    assert_eq!(ended.iter().filter(|answer| answer.is_ok()).count(), 50);
    let reconcile = shop.reconcile(product.id).await;
    assert_eq!((reconcile.available, reconcile.reserved, reconcile.sold), (0, 0, 50));
    shop.mesh.stop();
}

#[actix::test]
async fn a_shortage_names_every_line_and_takes_nothing() {
    let shop = Shop::open(Env::system(), 2);
    let mut ids = Vec::new();
    for (slug, on_hand) in [("a", 5), ("b", 1), ("c", 0)] {
        let request = CreateProduct { slug: slug.parse().unwrap(), on_hand, ..kettle() };
        ids.push(shop.ask(request).await.unwrap().id);
    }
    let order = shop.env.id();
    let short = |id, available| Shortage { product_id: id, requested: 2, available };
    let expected = Err(ProductsError::OutOfStock { lines: vec![short(ids[1], 1), short(ids[2], 0)] });
    let lines: Vec<StockLine> = ids.iter().flat_map(|id| pieces(*id, 2)).collect();
    assert_eq!(shop.reserve(order, lines.clone()).await, expected);
    assert_eq!(shop.reconcile(ids[0]).await.reserved, 0);
    shop.ask(SetStock { product_id: ids[1], seen: None, change: StockChange::OnHand(9) }).await.unwrap();
    assert_eq!(shop.reserve(order, lines.clone()).await, expected, "the first answer is repeated");
    shop.mesh.stop();
}

#[actix::test]
async fn each_request_reports_the_state_of_the_reservation() {
    let shop = Shop::open(Env::system(), 2);
    let id = shop.create("kettle").await.unwrap().id;
    let [held, released, sold, unknown]: [OrderId; 4] = std::array::from_fn(|_| shop.env.id());
    shop.reserve(held, pieces(id, 1)).await.unwrap();
    shop.ask(ReleaseStock { order_id: released }).await.unwrap();
    assert_eq!(shop.reserve(released, pieces(id, 1)).await, Err(ProductsError::ReservationReleased));
    assert_eq!(shop.ask(CommitStock { order_id: released }).await, Err(ProductsError::ReservationReleased));
    assert_eq!(shop.ask(CommitStock { order_id: unknown }).await, Err(ProductsError::ReservationNotFound));
    shop.reserve(sold, pieces(id, 2)).await.unwrap();
    for _ in 0..2 {
        shop.ask(CommitStock { order_id: sold }).await.unwrap();
        shop.reserve(sold, pieces(id, 2)).await.unwrap();
    }
    assert_eq!(shop.ask(ReleaseStock { order_id: sold }).await, Err(ProductsError::ReservationCommitted));
    let return_id = shop.env.id();
    for _ in 0..2 {
        shop.ask(ReturnStock { return_id, lines: pieces(id, 1) }).await.unwrap();
    }
    let reconcile = shop.reconcile(id).await;
    assert_eq!(
        (reconcile.available, reconcile.reserved, reconcile.sold, reconcile.returned, reconcile.received),
        (3, 1, 2, 1, 5)
    );
    let level = shop.ask(SetStock { product_id: id, seen: None, change: StockChange::OnHand(0) }).await;
    assert_eq!(level, Err(ProductsError::BelowReserved { reserved: 1 }));
    shop.ask(RetireProduct { product_id: id, expected_version: None }).await.unwrap();
    assert_eq!(shop.reserve(unknown, pieces(id, 1)).await, Err(ProductsError::ProductNotFound));
    shop.ask(CommitStock { order_id: held }).await.unwrap();
    shop.mesh.stop();
}

#[actix::test]
async fn a_lapsed_reservation_is_released_by_itself() {
    tokio::time::pause();
    let shop = Shop::open(Env::simulated(1, Timestamp::UNIX_EPOCH), 2);
    let (id, order) = (shop.create("kettle").await.unwrap().id, shop.env.id());
    shop.reserve(order, pieces(id, 2)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(shop.reconcile(id).await.reserved, 2);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(shop.reconcile(id).await.reserved, 0);
    assert_eq!(shop.ask(CommitStock { order_id: order }).await, Err(ProductsError::ReservationReleased));
    shop.mesh.stop();
}

#[test]
fn a_reservation_that_lapses_while_the_shop_is_stopped_is_released_at_the_next_start() {
    let (folder, left_behind) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let morning = Timestamp::UNIX_EPOCH;
    let (id, held, sold) = on_paused_clock(async {
        let shop = Shop::open_in(folder, Env::simulated(1, morning), 2);
        let (id, held, sold) = (shop.create("kettle").await.unwrap().id, shop.env.id(), shop.env.id());
        shop.reserve(held, pieces(id, 2)).await.unwrap();
        shop.reserve(sold, pieces(id, 3)).await.unwrap();
        shop.ask(CommitStock { order_id: sold }).await.unwrap();
        // The folder as a kill leaves it: the order that reserved never comes back.
        copy(shop.folder.path(), left_behind.path());
        (id, held, sold)
    });
    for (days, reserved) in [(0, 2), (1, 0)] {
        let again = tempfile::tempdir().unwrap();
        copy(left_behind.path(), again.path());
        on_paused_clock(async {
            let now = later(morning, Duration::from_secs(days * 24 * 60 * 60 + 10));
            let shop = Shop::open_in(again, Env::simulated(2, now), 2);
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(shop.reconcile(id).await.reserved, reserved, "after {days} days");
            tokio::time::sleep(Duration::from_secs(60)).await;
            let reconcile = shop.reconcile(id).await;
            assert_eq!((reconcile.reserved, reconcile.sold), (0, 3));
            assert_eq!(shop.ask(CommitStock { order_id: held }).await, Err(ProductsError::ReservationReleased));
            assert_eq!(shop.ask(CommitStock { order_id: sold }).await, Ok(()));
        });
    }
}

fn on_paused_clock<T>(test: impl Future<Output = T>) -> T {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(test)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[actix::test]
async fn a_product_is_added_changed_and_retired() {
    let shop = Shop::open(Env::system(), 2);
    let product = shop.create("kettle").await.unwrap();
    assert_eq!((product.version, product.stock.available), (1, 5));
    assert_eq!(shop.create("kettle").await, Err(ProductsError::SlugTaken));
    shop.ask(SetStock { product_id: product.id, seen: None, change: StockChange::AdjustBy(-1) }).await.unwrap();
    assert_eq!(shop.by_slug("kettle").await.unwrap().version, 1, "the stock is no part of the version");
    let featured = ProductChanges { featured: Some(true), ..ProductChanges::default() };
    let changed = shop.update(&product, featured.clone()).await.unwrap();
    assert_eq!((changed.version, changed.featured), (2, true));
    assert_eq!(
        shop.update(&changed, featured.clone()).await.unwrap().version,
        2,
        "a change without a difference makes no version"
    );
    assert_eq!(shop.update(&product, featured).await, Err(ProductsError::VersionConflict { actual: 2 }));
    let garden = ProductChanges { category: Some("garden-tools".parse().unwrap()), ..ProductChanges::default() };
    shop.update(&changed, garden).await.unwrap();
    let categories = shop.ask(ListCategories {}).await.unwrap();
    assert_eq!(categories.len(), 1);
    assert_eq!((categories[0].name.as_str(), categories[0].product_count), ("Garden tools", 1));
    for _ in 0..2 {
        shop.ask(RetireProduct { product_id: product.id, expected_version: None }).await.unwrap();
    }
    let retired = shop.by_slug("kettle").await.unwrap();
    assert_eq!((retired.retired, retired.version), (true, 4));
    assert_eq!(shop.find(FindProducts::default()).await.unwrap().items, []);
    assert_eq!(shop.ask(ListCategories {}).await.unwrap(), []);
    assert_eq!(shop.create("kettle").await, Err(ProductsError::SlugTaken), "a retired product keeps its slug");
    shop.mesh.stop();
}

#[actix::test]
async fn a_slug_belongs_to_one_product_and_is_free_after_a_rename() {
    let shop = Shop::open(Env::system(), 2);
    let (a, b) = (shop.create("a").await.unwrap(), shop.create("b").await.unwrap());
    assert_eq!(shop.rename(&a, "b").await, Err(ProductsError::SlugTaken));
    assert_eq!(shop.rename(&b, "b").await.unwrap().version, 1);
    let renamed = shop.rename(&a, "c").await.unwrap();
    assert_eq!(shop.by_slug("a").await, Err(ProductsError::ProductNotFound));
    assert_eq!(shop.by_slug("c").await.unwrap().id, a.id);
    let new = shop.create("a").await.unwrap();
    assert_eq!(shop.by_slug("a").await.unwrap().id, new.id);
    assert_eq!(shop.rename(&renamed, "a").await, Err(ProductsError::SlugTaken));
    shop.mesh.stop();
}

#[actix::test]
async fn after_many_concurrent_renames_each_slug_has_one_product() {
    let shop = Shop::open(Env::system(), 4);
    let products = join_all((0..6).map(|n| shop.create(["a", "b", "c", "d", "e", "f"][n]))).await;
    let products: Vec<Product> = products.into_iter().map(Result::unwrap).collect();
    for round in 0..20 {
        let wanted = |n: usize| ["a", "b", "x", "y", "z"][(n * 7 + round) % 5];
        let renames = products.iter().cycle().take(30).enumerate().map(|(n, product)| {
            let slug = Some(wanted(n).parse().unwrap());
            let changes = ProductChanges { slug, ..ProductChanges::default() };
            shop.ask(UpdateProduct { product_id: product.id, expected_version: None, changes })
        });
        join_all(renames).await;
        let now = shop.ask(GetProducts { ids: products.iter().map(|product| product.id).collect() }).await.unwrap();
        for product in now {
            assert_eq!(shop.by_slug(product.slug.as_str()).await.unwrap().id, product.id, "two with {}", product.slug);
        }
    }
    shop.mesh.stop();
}

#[actix::test]
async fn a_slug_is_free_again_after_a_crash_before_its_product_was_visible() {
    let shop = Shop::open(Env::system(), 1);
    let other = shop.create("other").await.unwrap();
    let store = super::store::Store::open(&shop.storage.tree(Service::Products).unwrap(), &shop.env, |_| ()).unwrap();
    // Both stop after the claim and before the product is visible under the slug.
    let listing = super::rules::Listing::new(kettle()).unwrap();
    let (draft, aim) = store.draft(listing, Default::default()).unwrap();
    assert!(store.claim(draft, &aim).unwrap());
    let aim = store.aim(other.id, &"pot".parse().unwrap()).unwrap();
    assert!(store.claim(other.id, &aim).unwrap());
    assert_eq!(shop.create("kettle").await, Err(ProductsError::SlugTaken));
    assert_eq!(shop.create("pot").await, Err(ProductsError::SlugTaken));
    let shop = shop.restarted(1);
    assert!(shop.table::<ProductRecord>().get(&draft).unwrap().is_none());
    assert_eq!(shop.by_slug("pot").await, Err(ProductsError::ProductNotFound));
    shop.create("kettle").await.unwrap();
    shop.create("pot").await.unwrap();
    assert_eq!(shop.by_slug("other").await.unwrap().id, other.id);
    shop.mesh.stop();
}

#[actix::test]
async fn the_stock_is_not_set_if_the_product_has_changed_since_it_was_seen() {
    let shop = Shop::open(Env::system(), 2);
    let product = shop.create("kettle").await.unwrap();
    let count =
        |seen, pieces| SetStock { product_id: product.id, seen: Some(seen), change: StockChange::OnHand(pieces) };
    let seen = Seen { version: product.version, available: product.stock.available };
    shop.ask(count(seen, 77)).await.unwrap();
    assert!(matches!(shop.ask(count(seen, 78)).await, Err(ProductsError::VersionConflict { .. })));
    let another = Seen { version: seen.version + 1, available: 77 };
    assert!(matches!(shop.ask(count(another, 78)).await, Err(ProductsError::VersionConflict { .. })));
    shop.ask(count(Seen { available: 77, ..seen }, 78)).await.unwrap();
    shop.mesh.stop();
}

#[actix::test]
async fn customers_cannot_change_the_catalogue_or_the_stock() {
    let shop = Shop::open(Env::system(), 1);
    let id = shop.create("kettle").await.unwrap().id;
    let customer = Principal::User { id: shop.env.id::<UserId>(), role: Role::Customer };
    for principal in [Principal::Anonymous, customer] {
        assert_eq!(shop.ask_as(principal, kettle()).await, Err(ProductsError::Forbidden));
        let stock = SetStock { product_id: id, seen: None, change: StockChange::OnHand(1) };
        assert_eq!(shop.ask_as(principal, stock).await, Err(ProductsError::Forbidden));
        let retire = RetireProduct { product_id: id, expected_version: None };
        assert_eq!(shop.ask_as(principal, retire).await, Err(ProductsError::Forbidden));
        let release = ReleaseStock { order_id: shop.env.id() };
        assert_eq!(shop.ask_as(principal, release).await, Err(ProductsError::Forbidden));
        assert!(shop.ask_as(principal, FindProducts::default()).await.is_ok());
    }
    shop.mesh.stop();
}

#[actix::test]
async fn a_cursor_leads_to_the_next_page_of_its_own_list_only() {
    let shop = Shop::open(Env::system(), 2);
    for (slug, price) in [("a", 3), ("b", 1), ("c", 2)] {
        let price = Money::new(price, super::rules::CURRENCY).unwrap();
        shop.ask(CreateProduct { slug: slug.parse().unwrap(), price, ..kettle() }).await.unwrap();
    }
    let by_price = FindProducts { sort: Sort::Price, limit: Limit::try_from(2).unwrap(), ..FindProducts::default() };
    let first = shop.find(by_price.clone()).await.unwrap();
    assert_eq!(slugs(&first), ["b", "c"]);
    let cursor: Option<Cursor> = first.next_cursor;
    let second = shop.find(FindProducts { cursor: cursor.clone(), ..by_price.clone() }).await.unwrap();
    assert_eq!((slugs(&second), second.next_cursor.clone()), (vec!["a"], None));
    for other in [
        FindProducts { sort: Sort::PriceDescending, ..by_price.clone() },
        FindProducts { q: Some("kettle".into()), ..by_price.clone() },
        FindProducts { in_stock: true, ..by_price.clone() },
    ] {
        assert_eq!(shop.find(FindProducts { cursor: cursor.clone(), ..other }).await, Err(ProductsError::BadCursor));
    }
    let endless = shop.find(FindProducts { q: Some("é".repeat(201)), ..by_price.clone() }).await;
    assert!(matches!(endless, Err(ProductsError::Invalid { field, .. }) if field == "q"));
    let id = first.items[0].id;
    shop.ask(SetStock { product_id: id, seen: None, change: StockChange::OnHand(0) }).await.unwrap();
    let in_stock = shop.find(FindProducts { in_stock: true, ..by_price }).await.unwrap();
    assert_eq!(slugs(&in_stock), ["c", "a"]);
    shop.mesh.stop();
}

#[actix::test]
async fn a_catalogue_is_added_once_and_completely() {
    let shop = Shop::open(Env::system(), 2);
    let products: Vec<CreateProduct> =
        (0..1000).map(|n| CreateProduct { slug: format!("p{n}").parse().unwrap(), ..kettle() }).collect();
    // The state after a crash: begun, with the first ten products.
    let store = super::store::Store::open(&shop.storage.tree(Service::Products).unwrap(), &shop.env, |_| ()).unwrap();
    assert!(store.begin_stocking().unwrap());
    for product in &products[..10] {
        shop.ask(product.clone()).await.unwrap();
    }
    let started = std::time::Instant::now();
    assert_eq!(shop.ask(StockCatalogue { products: products.clone() }).await, Ok(990));
    println!("990 products in {:?}", started.elapsed());
    assert_eq!(shop.ask(StockCatalogue { products: products.clone() }).await, Ok(0));
    let shop = shop.restarted(2);
    assert_eq!(shop.ask(StockCatalogue { products }).await, Ok(0));
    assert_eq!(shop.ask(ListCategories {}).await.unwrap()[0].product_count, 1000);
    shop.mesh.stop();
}

#[actix::test]
async fn a_shop_with_products_gets_no_catalogue() {
    let shop = Shop::open(Env::system(), 1);
    shop.create("mine").await.unwrap();
    let products = vec![kettle(), CreateProduct { weight_grams: 0, ..kettle() }];
    assert!(matches!(shop.ask(StockCatalogue { products }).await, Err(ProductsError::Invalid { .. })));
    assert_eq!(shop.ask(StockCatalogue { products: vec![kettle()] }).await, Ok(0));
    shop.mesh.stop();
}

#[actix::test]
async fn a_product_with_many_reservations_is_closed_in_the_end() {
    let shop = Shop::open(Env::system(), 2);
    let id = shop.ask(CreateProduct { on_hand: 100, ..kettle() }).await.unwrap().id;
    let orders: Vec<OrderId> = (0..50).map(|_| shop.env.id()).collect();
    join_all(orders.iter().map(|order| shop.reserve(*order, pieces(id, 1)))).await;
    for _ in 0..200 {
        if shop.table::<ProductRecord>().open_keys().unwrap().is_empty() {
            return shop.mesh.stop();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the product is still open");
}
