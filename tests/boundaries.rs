//! The architecture as rules that are proved: which part of the program may import which. Every
//! `use` and every path in `src/` is read.
//!
//! Each rule is also tried on lines that break it, so that a rule that no longer finds anything is
//! noticed.

#[path = "boundaries/circles.rs"]
mod circles;
#[path = "boundaries/javascript.rs"]
mod javascript;
#[path = "boundaries/map.rs"]
mod map;
#[path = "boundaries/old_names.rs"]
mod old_names;
#[path = "boundaries/source.rs"]
mod source;

use galleria::services::{ALLOWED_CALLS, SUBSCRIPTIONS};
use source::{House, Named, Source};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What each room (a module directly under `src/`) may name besides itself: other rooms, or only
/// the messages of the services.
#[rustfmt::skip]
const ROOMS: &[(&str, &[&str])] = &[
    ("types",     &[]),
    ("env",       &["types"]),
    ("telemetry", &["types", "env"]),
    ("storage",   &["types", "env", "telemetry"]),
    ("mesh",      &["types", "env", "telemetry", "storage"]),
    ("services",  &["types", "env", "storage", "mesh", "telemetry"]),
    ("audit",     &["types", "env", "mesh", "services::messages"]),
    ("lab",       &["types", "env", "mesh", "telemetry", "services::messages"]),
    ("gateway",   &["types", "env", "storage", "mesh", "telemetry", "services::messages", "audit", "lab"]),
    ("demo",      &["types", "services::messages"]),
    ("config",    &["types", "gateway", "services"]),
];
/// The modules that may name every room. No room may name them.
const COMPOSERS: [&str; 3] = ["app", "commands", "main"];

/// Crates that only these rooms may use.
#[rustfmt::skip]
const CRATES: &[(&str, &[&str])] = &[
    ("actix_web", &["gateway", "lab"]),
    ("sled",      &["storage"]),
    ("rand",      &["env"]),
    ("clap",      &["commands"]),
];

/// Functions that make two runs differ. Only `env` may call them.
const CLOCKS: [(&str, &str); 5] =
    [("SystemTime", "now"), ("Timestamp", "now"), ("Zoned", "now"), ("Uuid", "now_v7"), ("Uuid", "new_v4")];

/// The files that every service has.
const SERVICE_ROOMS: [&str; 5] = ["actor.rs", "messages.rs", "mod.rs", "rules.rs", "store.rs"];

type Rule = fn(&House, &Named) -> bool;

#[rustfmt::skip]
const RULES: &[(&str, Rule)] = &[
    ("a room names only the rooms below it",                                     names_rooms_below),
    ("nobody names app but the command line, and nobody the command line",       leaves_app_alone),
    ("of a service, others name only its messages",                              names_messages_only),
    ("a service names the messages of those whom it calls, or whose events it hears", names_those_it_calls),
    ("a crate is used in its own rooms",                                         uses_crates_at_home),
    ("only env asks the clock and draws random numbers",                         asks_env),
    ("only the composers open the data folder; other rooms are handed a tree",   opens_no_folder),
];

fn names_rooms_below(house: &House, named: &Named) -> bool {
    let (from, Some(to)) = (named.room(), named.target_room()) else { return true };
    let below = ROOMS.iter().find(|(room, _)| *room == from).map_or(&[][..], |(_, below)| below);
    let to_messages = to == "services" && named.path.get(3).is_some_and(|room| room == "messages");
    COMPOSERS.contains(&from)
        || from == to
        || from == "lib"
        // An exported macro: its path begins at the root, wherever it is defined.
        || !house.has_room(to)
        || below.contains(&to)
        || (to_messages && below.contains(&"services::messages"))
}

fn leaves_app_alone(_: &House, named: &Named) -> bool {
    match named.target_room() {
        Some("app") => named.room() == "lib" || COMPOSERS.contains(&named.room()),
        Some("main" | "commands") => ["commands", "main"].contains(&named.room()),
        _ => true,
    }
}

/// Only orders and the composers may name `crate::services::orders::store`; for all others,
/// `messages` is the only public part. `config` may also name what a service exports at its top,
/// because a setting of a service has the service's type.
fn names_messages_only(house: &House, named: &Named) -> bool {
    let Some(service) = named.target_service(house) else { return true };
    let own = named.service(house) == Some(service);
    let is_setting =
        named.room() == "config" && named.path.get(3).is_some_and(|item| item.starts_with(char::is_uppercase));
    own || is_setting || COMPOSERS.contains(&named.room()) || named.path.get(3).is_some_and(|room| room == "messages")
}

fn names_those_it_calls(house: &House, named: &Named) -> bool {
    let (Some(from), Some(to)) = (named.service(house), named.target_service(house)) else { return true };
    let calls = ALLOWED_CALLS
        .iter()
        .any(|(caller, callees)| caller.name() == from && callees.iter().any(|callee| callee.name() == to));
    // The name of an event begins with the name of its publisher.
    let tells = |event: &&str| event.split('.').next() == Some(to);
    let hears = SUBSCRIPTIONS.iter().any(|(listener, events)| listener.name() == from && events.iter().any(tells));
    let what = named.path.get(4).map(String::as_str);
    // A service that only subscribes to events needs no requests. A star would hide whether it
    // names any.
    from == to || calls || (hears && what.is_some_and(|what| what != "*" && !house.requests_of(to).contains(what)))
}

fn uses_crates_at_home(_: &House, named: &Named) -> bool {
    let home = CRATES.iter().find(|(name, _)| named.path[0] == *name);
    home.is_none_or(|(_, rooms)| rooms.contains(&named.room()))
}

/// `std::time::Instant` may stand in the signature of a crate's trait, in a file that never asks it
/// for the time.
fn asks_env(house: &House, named: &Named) -> bool {
    let asks = named.path.windows(2).any(|pair| CLOCKS.iter().any(|(a, b)| pair[0] == *a && pair[1] == *b));
    let source = house.sources.iter().find(|source| source.file == named.file);
    let is_signature = named.path.len() == 3
        && source.is_some_and(|source| source.has(&["Instant"]) && !source.text.contains("Instant::now"));
    let std_instant = named.path.starts_with(&["std".into(), "time".into(), "Instant".into()]) && !is_signature;
    named.room() == "env" || !(asks || std_instant)
}

/// The items that open, copy or check the whole data folder. A glob would hide whether one is
/// named.
const WHOLE_FOLDER: [&str; 5] = ["Storage", "backup", "restore", "check", "*"];

fn opens_no_folder(_: &House, named: &Named) -> bool {
    let is_folder = named.path.get(2).is_some_and(|item| WHOLE_FOLDER.contains(&item.as_str()));
    named.target_room() != Some("storage")
        || !is_folder
        || named.room() == "storage"
        || COMPOSERS.contains(&named.room())
}

/// The places that break the rule: file, line, and what is named there.
fn broken(house: &House, named: &[Named], rule: Rule) -> Vec<String> {
    let names = named.iter().filter(|named| !rule(house, named));
    names.map(|named| format!("{}:{} names {}", named.file, named.line, named.path.join("::"))).collect()
}

fn house() -> House {
    House::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn every_arrow_runs_the_way_it_may() {
    let house = house();
    assert!(house.named.len() > 1000, "the house was hardly read: {}", house.named.len());
    for (sentence, rule) in RULES {
        let broken = broken(&house, &house.named, *rule);
        assert!(broken.is_empty(), "{sentence}, but\n  {}", broken.join("\n  "));
    }
}

/// Each line breaks one rule, and the rule finds it, however the import is spelled.
#[test]
fn an_arrow_that_runs_another_way_is_found() {
    #[rustfmt::skip]
    let planted: &[(usize, &str, &str)] = &[
        (0, "types/planted.rs",               "use crate::env::Env;"),
        (0, "env.rs",                         "use crate::storage::Tree;"),
        (0, "storage/planted.rs",             "fn f() { crate::mesh::nothing() }"),
        (0, "mesh/planted.rs",                "use crate::{types::UserId, services::ALLOWED_CALLS};"),
        (0, "mesh/planted.rs",                "use crate::gateway::{self, routes::ROUTES};"),
        (0, "storage/planted.rs",             "use crate::{self as shop}; fn f() { shop::gateway::open() }"),
        (0, "telemetry/planted.rs",           "use super::super::services::users::messages::User;"),
        (0, "services/orders/planted.rs",     "pub(super) use crate::gateway::Route;"),
        (0, "services/carts/planted.rs",      "fn f() -> super::super::super::lab::ServiceReport { todo() }"),
        (0, "lab/planted.rs",                 "use crate::storage::Tree;"),
        (0, "gateway/planted.rs",             "use crate::services::ALLOWED_CALLS;"),
        (0, "lab/planted.rs",                 "use crate::gateway::Gateway;"),
        (0, "demo/planted.rs",                "use crate::mesh::Mesh;"),
        (0, "config.rs",                      "use crate::env;\nfn f() { env::later() }"),
        (1, "gateway/planted.rs",             "use crate::app::Shop;"),
        (1, "services/users/planted.rs",      "fn f() { crate::app::open(); }"),
        (2, "gateway/planted.rs",             "use crate::services::orders::store::Store;"),
        (2, "gateway/planted.rs",             "use crate::services::{products, users::messages::User};\nfn f() { products::rules::check() }"),
        (2, "services/carts/planted.rs",      "use crate::services::products::store::Store;"),
        (2, "config/planted.rs",              "use crate::services::payments::store::Store;"),
        (2, "gateway/planted.rs",             "use crate::services::payments::ProviderFaults;"),
        (2, "audit/planted.rs",               "use crate::services::payments::sandbox;"),
        (2, "services/carts/planted.rs",      "use super::super::*;\nfn f() { products::rules::check() }"),
        (3, "services/products/planted.rs",   "use crate::services::orders::messages::OrderConfirmed;"),
        (3, "services/users/planted.rs",      "mod inner { use super::super::super::carts::messages::GetCart; }"),
        (3, "services/notifications/planted.rs", "use crate::services::orders::messages::PlaceOrder;"),
        (3, "services/notifications/planted.rs", "use crate::services::orders::messages::*;"),
        (3, "services/notifications/planted.rs", "use crate::services::orders::messages;"),
        (3, "services/carts/planted.rs",      "use crate::services::users::messages::GetUser;"),
        (4, "services/users/planted.rs",      "use actix_web::HttpRequest;"),
        (4, "mesh/planted.rs",                "fn f() -> sled::Result<()> { Ok(()) }"),
        (4, "app.rs",                         "use ::sled::Db;"),
        (4, "services/users/planted.rs",      "use rand::random;"),
        (4, "config.rs",                      "use clap::Parser;"),
        (5, "services/users/planted.rs",      "use std::time::SystemTime;\nfn f() { SystemTime::now(); }"),
        (5, "services/users/planted.rs",      "use crate::types::Timestamp as Now;\nfn f() { Now::now(); }"),
        (5, "gateway/planted.rs",             "fn f() { let begun = std::time::Instant::now(); }"),
        (5, "gateway/filters/authentication/token_verifier/mod.rs", "fn f() { std::time::Instant::now(); }"),
        (5, "gateway/filters/authentication/token_verifier/mod.rs", "use std::time::Instant as Clock;\nfn f() { Clock::now(); }"),
        (5, "mesh/planted.rs",                "fn f() { uuid::Uuid::now_v7(); }"),
        (6, "gateway/planted.rs",             "use crate::storage::Storage;"),
        (6, "gateway/planted.rs",             "use crate::storage;\nfn f() { storage::Storage::open() }"),
        (6, "services/carts/planted.rs",      "use crate::storage::*;"),
        (6, "mesh/planted.rs",                "fn f() { crate::storage::backup() }"),
    ];
    let house = house();
    for (rule, file, line) in planted {
        let (sentence, rule) = RULES[*rule];
        let named = house.named_by(&Source::new(file, line));
        assert!(!broken(&house, &named, rule).is_empty(), "not found: {sentence}: {file}: {line}\n{named:#?}");
    }
}

#[test]
fn what_is_only_talked_about_is_no_arrow() {
    #[rustfmt::skip]
    let harmless = [
        ("types/planted.rs", "//! See [`crate::env::Env`].\n/* crate::mesh::x /* crate::lab::y */ crate::app::z */ const A: &str = \"crate::gateway::x\";"),
        ("types/planted.rs", "const A: &str = r#\"use \"crate::env::x\"\"#; const B: &[u8] = b\"crate::env::x\"; const C: char = '\"'; // crate::env::x"),
        ("types/planted.rs", "fn f<'a>(a: &'a str) -> char { 'x' }\n#[cfg(test)]\nmod tests { use crate::env::Env; fn g() { { crate::mesh::x() } } }"),
        ("types/planted.rs", "#[cfg(test)]\n#[allow(unused)]\nuse crate::env::Env;\nuse super::money::Money;"),
        ("services/carts/planted.rs", "use super::super::products::messages::*;\nuse super::rules;\nfn f() { rules::price(); self::g(); }"),
        ("services/notifications/planted.rs", "use crate::services::orders::messages::{OrderConfirmed, OrderFacts};"),
        ("mesh/planted.rs", "use tokio::time::Instant;\nfn f() { Instant::now(); }"),
    ];
    let house = house();
    for (file, text) in harmless {
        let named = house.named_by(&Source::new(file, text));
        for (sentence, rule) in RULES {
            let found = broken(&house, &named, *rule);
            assert!(found.is_empty(), "{sentence}: {text}\n{found:#?}");
        }
    }
}

#[test]
fn every_room_has_its_arrows_and_they_run_in_no_circle() {
    let house = house();
    let rooms: BTreeSet<&str> = house.named.iter().map(Named::room).collect();
    let known: BTreeSet<&str> = ROOMS.iter().map(|(room, _)| *room).chain(COMPOSERS).chain(["lib"]).collect();
    assert_eq!(rooms.difference(&known).collect::<Vec<_>>(), [&""; 0], "a room without a rule");
    // Each room comes after all rooms that it names. So no chain of imports leads back.
    let place = |name: &str| ROOMS.iter().position(|(room, _)| *room == name.trim_end_matches("::messages"));
    for (room, below) in ROOMS {
        assert!(below.iter().all(|other| place(other) < place(room)), "{room} names what stands above it");
    }
}

#[test]
fn every_service_has_the_same_rooms_and_one_public_face() {
    let house = house();
    let mut files: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in &house.sources {
        match source.file.split('/').collect::<Vec<_>>()[..] {
            ["services", service, file] => _ = files.entry(service).or_default().insert(file),
            // A large store is a folder.
            ["services", service, "store", "mod.rs"] => _ = files.entry(service).or_default().insert("store.rs"),
            _ => {}
        }
    }
    let services: BTreeSet<_> = ALLOWED_CALLS.iter().map(|(service, _)| service.name()).collect();
    assert_eq!(files.keys().copied().collect::<BTreeSet<_>>(), services);
    for (service, files) in files {
        let missing: Vec<_> = SERVICE_ROOMS.iter().filter(|room| !files.contains(**room)).collect();
        assert!(missing.is_empty(), "{service} has no {missing:?}");
        let face = house.source(&format!("services/{service}/mod.rs"));
        for room in ["actor", "rules", "store"] {
            assert!(face.has(&["mod", room, ";"]) && !face.has(&["pub", "mod", room]), "{service}: {room} is public");
        }
        assert!(face.has(&["pub", "mod", "messages", ";"]), "{service}'s messages are not public");
        assert!(
            exposes_only_launch(house.source(&format!("services/{service}/actor.rs"))),
            "{service}'s actor can be named"
        );
    }
}

/// An actor's type is private to its file, so that no other code can hold its address.
fn exposes_only_launch(actor: &Source) -> bool {
    let named = ["struct", "enum", "type", "trait", "mod", "use"];
    let hidden = named.iter().all(|kind| !actor.has(&["pub", kind]) && !actor.has(&[")", kind]));
    hidden && actor.has(&["pub", "fn", "launch"])
}

#[test]
fn an_actor_that_can_be_named_is_found() {
    let launch = "pub fn launch(home: Home) {}";
    assert!(exposes_only_launch(&Source::new("services/x/actor.rs", &format!("struct Carts; {launch}"))));
    for exposed in [
        "pub struct Carts;",
        "pub(crate) struct Carts;",
        "pub(super) enum Carts {}",
        "pub type Carts = ();",
        "pub use x::Carts;",
    ] {
        assert!(!exposes_only_launch(&Source::new("services/x/actor.rs", &format!("{exposed} {launch}"))), "{exposed}");
    }
}

/// The first line of a file says what it is for.
#[test]
fn every_file_says_what_it_is_for() {
    for source in &house().sources {
        assert!(source.text.starts_with("//! "), "{} opens without a word", source.file);
    }
}
