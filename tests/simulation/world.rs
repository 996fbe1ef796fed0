//! A world: its disk, its faults, the lives of its process, and the final checks.

use crate::{
    journal,
    model::{Card, Model},
    people::{self, Intent},
};
use galleria::{
    app::Shop,
    audit,
    config::Settings,
    env::{Env, later},
    mesh::{CallError, Link, Mesh},
    services::{
        notifications::messages::ListNotifications,
        orders::messages::{GetOrder, ListOrders, Order},
        payments::{
            ProviderFaults,
            messages::{AddMethod, Card as TypedCard, GetPaymentOfOrder},
        },
        products::messages::{CreateProduct, ReconcileStock},
    },
    storage::Disk,
    telemetry::Tracer,
    types::{
        Currency, Id, Limit, Money, OrderId, PaymentMethodId, Principal, Role, Secret, Service, Timestamp, UserId,
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{cell::RefCell, rc::Rc, time::Duration};

/// All state that survives the end of a process, except the disk.
pub struct World {
    /// The random generator of the customers and of the faults. The shop has its own generator.
    pub plan: StdRng,
    pub model: Model,
    pub people: Vec<Person>,
    pub keys: usize,
    /// The faults have ended.
    pub is_calm: bool,
    /// The first violation of the model.
    pub fault: Option<String>,
    now: Timestamp,
    began: Option<(tokio::time::Instant, Timestamp)>,
}

pub struct Person {
    pub name: String,
    pub user: UserId,
    pub principal: Principal,
    pub cards: Vec<(Card, PaymentMethodId)>,
    /// The intent that has no answer yet.
    pub intent: Option<Intent>,
    /// The intents that were refused.
    pub refused: Vec<Intent>,
    /// Orders whose answer the customer did not wait for.
    pub gone: Vec<Intent>,
    /// The number of intents that are still to be drawn.
    pub left: usize,
}

impl Person {
    pub fn is_operator(&self) -> bool {
        self.principal.is_staff()
    }
}

/// The world during one life of the process.
#[derive(Clone)]
pub struct Life {
    world: Rc<RefCell<World>>,
    pub shop: Rc<Shop>,
}

impl Life {
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.borrow_mut())
    }
}

/// The result of a world.
pub struct Run {
    pub outcome: Result<(), String>,
    pub journal: Vec<String>,
}

/// After the end of the faults, all work ends within this time.
const REST_WITHIN: Duration = Duration::from_secs(3 * 3600);

impl World {
    pub fn run(seed: u64, disk: &Disk) -> Run {
        journal::take();
        disk.wipe().expect("an empty disk");
        let mut plan = StdRng::seed_from_u64(seed);
        let lives = plan.random_range(1..=4);
        let world = World {
            plan,
            model: Model::default(),
            people: Vec::new(),
            keys: 0,
            is_calm: false,
            fault: None,
            now: Timestamp::from_second(1_800_000_000).expect("a moment"),
            began: None,
        };
        let world = Rc::new(RefCell::new(world));
        for life in 1..=lives {
            run_life(&world, disk, life == 1, life == lives);
            if world.borrow().fault.is_some() {
                break;
            }
        }
        let outcome = match world.borrow_mut().fault.take() {
            None => Ok(()),
            Some(fault) => Err(fault),
        };
        let journal = journal::take();
        let outcome = outcome.map_err(|fault| {
            let tail = &journal[journal.len().saturating_sub(number_of_lines())..];
            format!("{fault}\n{}", tail.join("\n"))
        });
        Run { outcome, journal }
    }

    pub fn note(&self, line: String) {
        let at = match self.began {
            Some((began, at)) => later(at, began.elapsed()),
            None => self.now,
        };
        journal::note(format!("{at} {line}"));
    }

    /// Called at the end of a life, because the clock ends with the life.
    fn stop_the_clock(&mut self) {
        if let Some((began, at)) = self.began.take() {
            self.now = later(at, began.elapsed());
        }
    }

    pub fn env_id(&mut self) -> OrderId {
        let bytes: u128 = self.plan.random();
        OrderId::from_uuid(uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid())
    }
}

fn number_of_lines() -> usize {
    std::env::var("TEST_LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(60)
}

/// One life of the process, from its start to its end.
fn run_life(world: &Rc<RefCell<World>>, disk: &Disk, is_first: bool, is_last: bool) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let system = actix::System::with_tokio_rt(runtime);
    let mut shops_mesh = None;
    let outcome = system.block_on(async {
        let (seed, now) = {
            let mut world = world.borrow_mut();
            world.began = Some((tokio::time::Instant::now(), world.now));
            world.is_calm = is_last;
            (world.plan.random(), world.now)
        };
        let env = Env::simulated(seed, now);
        let storage = disk.open(&env).map_err(|error| error.to_string())?;
        let settings = Settings { carrier_speed: 36_000.0, demo: false, ..Settings::default() };
        let shop = Rc::new(Shop::over(storage, &settings, env, Tracer::off(), &[]).map_err(|error| error.to_string())?);
        shops_mesh = Some(shop.mesh.clone());
        let life = Life { world: world.clone(), shop };
        life.world(|world| world.note("the process begins".into()));
        if is_first {
            set_up(&life).await;
        }
        let people: Vec<_> = (0..life.world(|world| world.people.len()))
            .map(|who| actix::spawn(people::send_intents(life.clone(), who)))
            .collect();
        let ended = if is_last {
            finish(&life, people).await
        } else {
            let faults = actix::spawn(inject_faults(life.clone(), disk.clone()));
            let (span, in_the_middle) = life.world(|world| {
                // Some lives last longer than the time limit of every saga.
                let longest = if world.plan.random_range(0..100) < 25 { 200_000 } else { 30_000 };
                (Duration::from_millis(world.plan.random_range(100..longest)), world.plan.random_range(0..100) < 80)
            });
            tokio::time::sleep(span).await;
            if in_the_middle {
                // Wait for uncommitted data: the end of an idle process is too easy a case.
                for _ in 0..5000 {
                    if disk.uncommitted() > 0 {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            faults.abort();
            Ok(())
        };
        life.world(|world| world.stop_the_clock());
        ended
    });
    let mut world_now = world.borrow_mut();
    if let Err(fault) = outcome {
        world_now.fault.get_or_insert(fault);
    }
    drop(world_now);
    // All work in progress ends with the actor system.
    drop(system);
    shops_mesh.inspect(Mesh::stop);
    let world = &mut *world.borrow_mut();
    let (mut kept, uncommitted) = (0, disk.uncommitted());
    let crashed = disk.crash(|written| {
        let some = world.plan.random_range(0..=written);
        kept += some;
        some
    });
    crashed.expect("the disk lives on");
    world.note(format!("the process died, {kept} of {uncommitted} writes were kept"));
}

/// Creates the products and the accounts, before the faults begin.
async fn set_up(life: &Life) {
    let context = life.shop.context();
    for number in 0..life.world(|world| world.plan.random_range(1..=3)) {
        let (price, on_hand) =
            life.world(|world| (world.plan.random_range(1..=40) * 100, world.plan.random_range(3..=40)));
        let product = CreateProduct {
            slug: format!("kettle-{number}").parse().expect("a slug"),
            name: "Kettle".parse().expect("a name"),
            description: None,
            category: "kitchen".parse().expect("a slug"),
            category_name: None,
            price: Money::new(price, Currency::EUR).expect("a price"),
            image: None,
            weight_grams: 900,
            tags: Vec::new(),
            featured: false,
            on_hand,
        };
        let product = life.shop.mesh.call(&context, product).await.expect("a product");
        life.world(|world| world.model.prices.insert(product.id, price));
    }
    let customers = life.world(|world| world.plan.random_range(1..=4));
    for number in 0..=customers {
        let user: UserId = life.shop.env.id();
        let is_operator = number == customers;
        let role = if is_operator { Role::Operator } else { Role::Customer };
        let mut cards = Vec::new();
        if !is_operator {
            let kinds = [
                (Card::Good, "4242 4242 4242 4242"),
                (Card::Good, "5555 5555 5555 4444"),
                (Card::Declined, "4000 0000 0000 0002"),
                (Card::LosesRefunds, "4000 0000 0000 5126"),
            ];
            for (kind, number) in kinds {
                let typed = TypedCard {
                    number: Secret::new(number.into()),
                    exp_month: 12,
                    exp_year: 2040,
                    cvc: Secret::new("123".into()),
                    name: "Ada".parse().expect("a name"),
                };
                let added = life.shop.mesh.call(&context, AddMethod { user_id: user, card: typed }).await;
                cards.push((kind, added.expect("a card").id));
            }
        }
        let name = if is_operator { "the operator".to_owned() } else { format!("customer {number}") };
        let principal = Principal::User { id: user, role };
        life.world(|world| {
            let left = world.plan.random_range(5..=15);
            world.people.push(Person {
                name,
                user,
                principal,
                cards,
                intent: None,
                refused: Vec::new(),
                gone: Vec::new(),
                left,
            });
        });
    }
}

/// Draws the faults and their times.
async fn inject_faults(life: Life, disk: Disk) {
    loop {
        let pause = life.world(|world| Duration::from_millis(world.plan.random_range(50..8000)));
        tokio::time::sleep(pause).await;
        let (what, amount) = life.world(|world| {
            // Now and then no message is delivered at all.
            let worst = if world.plan.random_range(0..100) < 10 { 100 } else { 40 };
            (world.plan.random_range(0..100), world.plan.random_range(0..=worst))
        });
        life.world(|world| world.note(format!("fault {what} {amount}")));
        match what {
            0..35 => {
                let service = Service::ALL[amount as usize % Service::COUNT];
                let name = format!("{service}-{}", 1 + amount % 2);
                life.shop.mesh.pool(service).crash(&name).await;
            }
            35..65 => life.shop.mesh.set_links(life.world(|world| {
                let mut some = |most: u64| Duration::from_millis(world.plan.random_range(0..=most));
                let (latency, jitter) = (some(200), some(4000));
                let mut percent = || world.plan.random_range(amount / 2..=amount);
                let (lost_requests, lost_replies, duplicates) = (percent(), percent(), percent());
                // Derived and not drawn: each seed keeps its sequence of faults.
                Some(Link { latency, jitter, serialised: amount % 2 == 1, lost_requests, lost_replies, duplicates })
            })),
            65..75 => life.shop.mesh.set_links(None),
            75..92 => life.shop.provider.set_faults(life.world(|world| ProviderFaults {
                delay: Duration::from_millis(world.plan.random_range(0..8000)),
                fail_rate: world.plan.random_range(amount / 2..=amount),
                lose_rate: world.plan.random_range(amount / 2..=amount),
                twice_rate: world.plan.random_range(0..=amount),
            })),
            92..96 => life.shop.provider.set_faults(ProviderFaults::default()),
            _ => disk.fail_after(amount as usize),
        }
    }
}

/// The faults have ended: every customer gets an answer, all work ends, and the state matches the
/// model.
async fn finish(life: &Life, people: Vec<tokio::task::JoinHandle<()>>) -> Result<(), String> {
    life.world(|world| world.note("the faults end".into()));
    let cleared = tokio::time::Instant::now();
    for person in people {
        let answered = tokio::time::timeout(REST_WITHIN, person).await;
        let faulty = life.world(|world| world.fault.clone());
        if let Some(fault) = faulty {
            return Err(fault);
        }
        answered.map_err(|_| "a customer never gets an answer".to_owned())?.map_err(|error| error.to_string())?;
    }
    loop {
        tokio::time::sleep(Duration::from_secs(30)).await;
        replay_dead_letters(life).await?;
        match check_state(life).await {
            Ok(()) => return Ok(()),
            Err(fault) if cleared.elapsed() > REST_WITHIN => return Err(fault),
            Err(_) => {}
        }
    }
}

async fn replay_dead_letters(life: &Life) -> Result<(), String> {
    let letters = life.shop.mesh.dead_letters(None, 1000).map_err(|error| error.to_string())?;
    for (id, _) in letters {
        life.world(|world| world.note(format!("replays {id}")));
        let replayed = life.shop.mesh.replay(&life.shop.context(), &id, life.shop.env.now()).await;
        replayed.map_err(|error| format!("{id} cannot be delivered: {error}"))?;
    }
    Ok(())
}

async fn check_state(life: &Life) -> Result<(), String> {
    let orders = all_orders(life).await?;
    let context = life.shop.context();
    let mesh = &life.shop.mesh;
    for order in &orders {
        let payment = match mesh.call(&context, GetPaymentOfOrder { order_id: order.id }).await {
            Ok(payment) => Some(payment),
            Err(CallError::Domain(_)) => None,
            Err(CallError::Mesh(error)) => return Err(error.to_string()),
        };
        let notifications = notifications_of(life, order).await?;
        life.world(|world| {
            world.adopt(order)?;
            world.model.check_order(order, payment.as_ref(), &notifications)
        })?;
    }
    let known: Vec<OrderId> = life.world(|world| world.model.sales.keys().copied().collect());
    for id in known {
        if !orders.iter().any(|order| order.id == id) {
            return Err(format!("{id} was acknowledged, and is lost"));
        }
    }
    let stock =
        mesh.call(&context, ReconcileStock { after: None, limit: 100 }).await.map_err(|error| error.to_string())?;
    for tally in &stock {
        life.world(|world| world.model.check_stock(tally))?;
    }
    let audit_result = audit::run(mesh, &context, || life.shop.env.now()).await.map_err(|error| error.to_string())?;
    let owed = mesh.pending_events(Timestamp::MAX).map_err(|error| error.to_string())?;
    if !owed.is_empty() {
        return Err(format!("events are owed: {owed:#?}"));
    }
    let broken: Vec<_> = audit_result.equations.iter().filter(|equation| !equation.holds).collect();
    if broken.is_empty() { Ok(()) } else { Err(format!("{broken:#?}")) }
}

async fn all_orders(life: &Life) -> Result<Vec<Order>, String> {
    let (mut orders, mut cursor) = (Vec::new(), None);
    loop {
        let list = ListOrders { user_id: None, status: None, limit: Limit::MOST, cursor };
        let page = life.shop.mesh.call(&life.shop.context(), list).await.map_err(|error| error.to_string())?;
        for listed in page.items {
            let found = life.shop.mesh.call(&life.shop.context(), GetOrder { order_id: listed.id }).await;
            orders.push(found.map_err(|error| error.to_string())?);
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(orders);
        }
    }
}

/// The notifications of the order in the customer's inbox, without failed refunds.
async fn notifications_of(life: &Life, order: &Order) -> Result<Vec<String>, String> {
    let list = ListNotifications { user_id: order.user_id, limit: Limit::MOST, cursor: None };
    let inbox = life.shop.mesh.call(&life.shop.context(), list).await.map_err(|error| error.to_string())?;
    let page = format!("/orders/{}", order.id);
    let of_order = inbox.items.into_iter().filter(|it| it.link.as_deref() == Some(&page));
    // Whether a refund fails is the decision of the bank.
    Ok(of_order.map(|it| it.title).filter(|title| title != "A refund did not reach you").collect())
}
