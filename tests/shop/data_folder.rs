//! The data folder: one process at a time, backup and restore, and no damage by a process that
//! cannot use it.

use crate::harness::{Customer, Options, Program, Ran, Shop, eventually, fresh, within};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

/// A shop with a record of each kind, a customer, and the id of an order.
fn used_shop() -> (Shop, Customer, String) {
    let shop = Shop::options().fast_carrier().open();
    let operator = shop.operator();
    let kettle = operator.stock_up(4990, 50);
    let customer = shop.customer();
    let order = customer.buys(&kettle, 3).created().id();
    customer.buys(&kettle, 1000).is(422);
    let cancelled = customer.buys(&kettle, 1).created().id();
    customer.cancel(&cancelled).ok();
    operator.fulfil(&order, "packed").ok();
    operator.fulfil(&order, "shipped").ok();
    eventually("it arrives", || (customer.order(&order).ok()["status"] == "delivered").then_some(()));
    customer.return_items(&order, &kettle, 1).created();
    (shop, customer, order)
}

/// The bytes of every file below the folder.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        match entry.is_dir() {
            true => found.extend(contents(&entry)),
            false => _ = found.insert(entry.clone(), fs::read(&entry).expect("a file")),
        }
    }
    found
}

fn put_back(contents: &BTreeMap<PathBuf, Vec<u8>>) {
    for (path, bytes) in contents {
        fs::write(path, bytes).expect("written");
    }
}

fn serve(shop: &Shop) -> Ran {
    shop.command(&["serve", "--listen", "127.0.0.1:0", "--no-demo"])
}

#[test]
fn two_shops_cannot_have_one_folder() {
    let shop = Shop::open();
    let second = serve(&shop).refused(3, "in use");
    assert!(second.err.contains("--data-dir"), "it says what to do: {second:#?}");
    for arguments in [&["check"][..], &["backup", "file"]] {
        shop.command(arguments).refused(3, "in use");
    }
    shop.command(&["restore", "/dev/null"]).refused(7, "not empty");
    assert!(!shop.home().join("file").exists());
    shop.anonymous().get("/readyz").ok();
}

#[test]
fn a_folder_that_cannot_be_written_to_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("data"), "not a folder").unwrap();
    let start =
        |folder: &str| Program::new(home.path(), &["serve", "--listen", "127.0.0.1:0", "--data-dir", folder]).run();
    start("data").refused(4, "data");
    assert_eq!(fs::read(home.path().join("data")).unwrap(), b"not a folder");
    // Not even root can create this folder; root would ignore permission bits.
    start("/proc/galleria").refused(4, "/proc/galleria");
}

/// Only the owner may read a folder with keys and addresses.
#[test]
fn only_the_owner_can_read_the_data_folder() {
    let mut shop = Shop::open();
    let (folder, backup) = (shop.folder(), shop.home().join("backup"));
    shop.stop();
    shop.command(&["backup", "backup"]).succeeded();
    let others = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(others(&folder), 0);
    assert_eq!(others(&backup), 0);
}

#[test]
fn a_used_shop_passes_the_check_and_leaves_it_as_it_was() {
    let (mut shop, customer, order) = used_shop();
    let before = customer.order(&order).ok();
    assert_eq!(shop.stop(), Some(0));
    let told = shop.command(&["check"]).succeeded();
    assert!(told.out.contains("0 faults"), "{told:#?}");
    shop.start();
    assert_eq!(customer.order(&order).ok().body, before.body);
    shop.kill();
    shop.command(&["check"]).succeeded();
    let empty = tempfile::tempdir().unwrap();
    Program::new(empty.path(), &["check"]).run().refused(1, "no data");
    assert!(!empty.path().join("data").exists());
}

#[test]
fn a_restored_backup_is_a_working_shop() {
    let (mut shop, customer, order) = used_shop();
    let before = customer.order(&order).ok();
    shop.stop();
    shop.command(&["backup", "backup"]).succeeded();
    shop.command(&["backup", "backup"]).refused(1, "backup");
    shop.command(&["restore", "backup"]).refused(7, "not empty");

    fs::rename(shop.folder(), shop.home().join("old")).unwrap();
    shop.command(&["restore", "backup"]).succeeded();
    shop.command(&["check"]).succeeded();
    // A second backup of the restored shop equals the first: no record was lost.
    shop.command(&["backup", "again"]).succeeded();
    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(shop.home().join(name)).unwrap();
        let mut lines: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
        lines.pop();
        lines
    };
    assert_eq!(lines("backup"), lines("again"));

    shop.start();
    assert_eq!(customer.order(&order).ok().body, before.body);
    let product = before["items"][0]["product_id"].as_str().unwrap();
    customer.buys(product, 1).created();
    shop.operator().audit();
}

#[test]
fn a_backup_that_is_cut_short_or_altered_is_refused_and_leaves_no_folder() {
    let (mut shop, ..) = used_shop();
    shop.stop();
    shop.command(&["backup", "backup"]).succeeded();
    let whole = fs::read(shop.home().join("backup")).unwrap();
    let restore = |bytes: &[u8]| {
        fs::write(shop.home().join("bad"), bytes).unwrap();
        let ran = Program::new(shop.home(), &["restore", "bad", "--data-dir", "new"]).run();
        let left = fs::read_dir(shop.home().join("new")).map_or(0, |entries| entries.count());
        assert_eq!(left, 0, "half a shop is no shop: {ran:#?}");
        ran
    };
    let last_line = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in [0, 10, whole.len() / 2, last_line, whole.len() - 2] {
        restore(&whole[..cut]).refused(5, "cannot be restored");
    }
    let digit = whole.iter().enumerate().skip(whole.len() / 2).find(|(_, byte)| byte.is_ascii_digit()).unwrap().0;
    let mut altered = whole.clone();
    altered[digit] = if altered[digit] == b'1' { b'2' } else { b'1' };
    restore(&altered).refused(5, "cannot be restored");
    restore(b"this is no backup\n").refused(5, "cannot be restored");
    Program::new(shop.home(), &["restore", "not-there", "--data-dir", "new"]).run().refused(1, "not-there");
}

#[test]
fn damage_is_reported_in_one_line_and_the_files_stay_as_they_are() {
    let (mut shop, ..) = used_shop();
    shop.stop();
    let good = contents(&shop.folder());
    let (largest, bytes) = good.iter().max_by_key(|(_, bytes)| bytes.len()).expect("a file");
    let mut damaged: Vec<(String, Vec<u8>)> =
        vec![("cut in half".into(), bytes[..bytes.len() / 2].to_vec()), ("emptied".into(), Vec::new())];
    for part in 1..8 {
        let mut flipped = bytes.clone();
        flipped[bytes.len() * part / 8] ^= 0x10;
        damaged.push((format!("a bit flipped at {part}/8"), flipped));
    }
    for (how, bytes) in damaged {
        put_back(&good);
        fs::write(largest, &bytes).unwrap();
        for arguments in [&["serve", "--listen", "127.0.0.1:0", "--no-demo"][..], &["check"], &["backup", "rescued"]] {
            let refused = shop.command(arguments);
            assert_eq!(refused.code, Some(5), "{how}: {refused:#?}");
            let refused = refused.refused(5, "damaged");
            assert!(refused.err.contains("restore"), "it says what to do: {refused:#?}");
            assert_eq!(fs::read(largest).unwrap(), bytes, "{how}: {arguments:?} changed it");
        }
    }
    put_back(&good);
    shop.command(&["check"]).succeeded();
    shop.start();
    shop.operator().audit();
}

#[test]
fn a_missing_file_is_reported_as_damage() {
    let (mut shop, ..) = used_shop();
    shop.stop();
    let whole = shop.command(&["check"]).succeeded();
    let good = contents(&shop.folder());
    for path in good.keys() {
        fs::remove_file(path).unwrap();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let ran = shop.command(&["check"]);
        // Each start creates these files again, so no record is missing.
        if ["lock", "commits", "shutdown_manifest"].contains(&name) {
            assert_eq!(ran.succeeded().out, whole.out, "without {name}");
        } else {
            ran.refused(5, name);
        }
        for left in contents(&shop.folder()).keys().filter(|left| !good.contains_key(*left)) {
            fs::remove_file(left).unwrap();
        }
        put_back(&good);
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_is_reported_and_does_no_harm() {
    let (mut shop, customer, order) = used_shop();
    let before = customer.order(&order).ok();
    shop.stop();
    let largest = contents(&shop.folder()).values().map(Vec::len).max().unwrap();
    let full = format!("trap '' XFSZ; ulimit -f {}", largest / 1024);
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--no-demo", "--data-dir", "data"];
    Program::in_shell(shop.home(), &full, &arguments).run().refused(8, "the disk refused");
    shop.command(&["check"]).succeeded();
    shop.start();
    assert_eq!(customer.order(&order).ok().body, before.body);
    shop.operator().audit();
}

/// The disk has room again while the shop runs.
#[test]
fn a_shop_whose_disk_was_full_serves_again_when_there_is_room_without_being_started_again() {
    let mut shop = Shop::options().file_size(2 * 1024 * 1024).open();
    let operator = shop.operator();
    let kettle = operator.stock_up(100, 900_000);
    let customer = shop.customer();
    let mut acknowledged = Vec::new();
    while let answer = customer.buys(&kettle, 1)
        && answer.status == 201
    {
        acknowledged.push(answer.id());
    }
    let is_ready = || shop.readyz().contains(" 200 ");
    assert!(!is_ready());
    // Reads succeed. The check for free space changes nothing while the disk is full.
    std::thread::sleep(Duration::from_secs(3));
    assert!(!is_ready() && !shop.log().contains("opening the folder anew"), "{}", shop.log());
    // Except for pages that sled was about to split.
    let can_be_read = acknowledged.iter().filter(|order| customer.order(order).status == 200).count();
    assert!(can_be_read > acknowledged.len() / 2, "{can_be_read} of {}", acknowledged.len());

    shop.lift_file_size();
    within(Duration::from_secs(60), "it is ready again", || is_ready().then_some(()));
    assert!(shop.log().contains("open again"), "{}", shop.log());
    acknowledged.push(customer.buys(&kettle, 1).created().id());
    for order in &acknowledged {
        assert_eq!(customer.order(order).ok()["status"], "confirmed");
    }
    eventually("the audit balances", || (operator.get("/api/v1/audit").ok()["balanced"] == true).then_some(()));
    assert!(!shop.log().contains("panicked"), "{}", shop.log());
    assert_eq!(shop.stop(), Some(0));
    shop.command(&["check"]).succeeded();
}

/// A write that does not fit is refused, every acknowledged record is there, and the readiness
/// probe reports the full disk.
#[test]
fn a_disk_that_becomes_full_loses_nothing_that_was_acknowledged() {
    let mut shop = Shop::options().file_size(2 * 1024 * 1024).open();
    let operator = shop.operator();
    let kettle = operator.stock_up(100, 900_000);
    let customer = shop.customer();
    let mut acknowledged = Vec::new();
    let refused = loop {
        let answer = customer.try_send(
            "POST",
            "/api/v1/orders",
            &[("idempotency-key", &fresh("key"))],
            Some(&customer.order_of(&[(&kettle, 1)])),
        );
        match answer {
            Ok(answer) if answer.status == 201 => acknowledged.push(answer.id()),
            other => break other.expect("an answer, though it is no"),
        }
        assert!(acknowledged.len() < 20_000, "the disk never becomes full");
    };
    assert!([202, 503, 504].contains(&refused.status), "{refused:#?}");
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    let readyz = shop.readyz();
    assert!(readyz.contains(" 503 ") && readyz.contains("[-] storage"), "{readyz}");
    assert!(!shop.log().contains("panicked"), "{}", shop.log());
    shop.kill();
    shop.change(Options::unlimited);
    shop.start();
    for order in &acknowledged {
        assert_eq!(customer.order(order).ok()["status"], "confirmed");
    }
    eventually("the audit balances", || (shop.operator().get("/api/v1/audit").ok()["balanced"] == true).then_some(()));
}

#[test]
fn data_of_another_version_is_refused_and_left_unchanged() {
    let (mut shop, ..) = used_shop();
    shop.stop();
    let before = contents(&shop.folder());
    for (version, words) in [(1, "older"), (2, "older"), (4, "newer")] {
        fs::write(shop.folder().join("format"), format!(r#"{{"galleria_data":{version}}}"#)).unwrap();
        serve(&shop).refused(6, words);
        shop.command(&["check"]).refused(6, words);
    }
    fs::write(shop.folder().join("format"), "{}").unwrap();
    serve(&shop).refused(5, "damaged");
    fs::write(shop.folder().join("format"), &before[&shop.folder().join("format")]).unwrap();
    assert_eq!(contents(&shop.folder()), before, "it was not touched");
    shop.command(&["check"]).succeeded();
}

#[test]
fn a_folder_with_foreign_files_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("letter.txt"), "Dear Ada").unwrap();
    Program::new(home.path(), &["serve", "--listen", "127.0.0.1:0", "--data-dir", "."])
        .run()
        .refused(7, "something other than");
    assert_eq!(contents(home.path()).len(), 1);
}

/// Each record is valid by itself, but the records contradict each other.
#[test]
fn manipulated_records_fail_the_check() {
    let (mut shop, ..) = used_shop();
    shop.edit_data(|lines| {
        let stock = lines.iter_mut().find(|line| line.contains(r#""on_hand":"#)).expect("a product's pieces");
        *stock = stock.replacen(r#""on_hand":"#, r#""on_hand":9"#, 1);
    });
    let found = shop.command(&["check"]);
    assert_eq!(found.code, Some(1), "{found:#?}");
    assert!(found.out.contains("FAULT") && found.out.contains("received"), "{found:#?}");
}
