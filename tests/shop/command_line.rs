//! The program as a shell starts it: its arguments, its output and its exit codes.

use crate::harness::{GOOD_PASSWORD, OPERATOR_PASSWORD, Program, Ran, Shop, fresh};
use std::{
    net::TcpListener,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};
use tempfile::TempDir;

/// An empty folder in which the program starts.
fn home() -> TempDir {
    tempfile::tempdir().expect("a folder that goes away")
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    Program::new(folder, arguments).run()
}

#[test]
fn the_program_prints_its_version_and_its_help() {
    let home = home();
    let version = run(home.path(), &["--version"]).succeeded();
    assert_eq!(version.out, format!("galleria {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(home.path(), &["--help"]).succeeded();
    for word in [
        "serve",
        "routes",
        "openapi",
        "backup",
        "restore",
        "check",
        "config",
        "operator",
        "completions",
        "--listen",
        "--data-dir",
        "Exit codes",
    ] {
        assert!(help.out.contains(word), "{word} is not in\n{}", help.out);
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(home.path(), &["completions", shell]).succeeded();
        assert!(script.out.contains("galleria") && script.out.contains("carrier-speed"), "{shell}");
    }
    assert_eq!(home.path().read_dir().expect("a folder").count(), 0, "none of this leaves anything behind");
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let home = home();
    for arguments in [
        &["--colour", "red"][..],
        &["sell"],
        &["backup"],
        &["restore"],
        &["operator"],
        &["operator", "create"],
        &["completions", "cmd"],
    ] {
        let refused = run(home.path(), arguments);
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        assert!(refused.err.contains("Usage") || refused.err.contains("possible values"), "{refused:#?}");
    }
    #[rustfmt::skip]
    let wrong = [
        ("--listen",        "nowhere"),
        ("--listen",        "127.0.0.1:99999"),
        ("--instances",     "orders"),
        ("--instances",     "orders=0"),
        ("--instances",     "lawyers=2"),
        ("--carrier-speed", "-1"),
        ("--carrier-speed", "soon"),
        ("--throttling",    "perhaps"),
        ("--throttling",    "browse.rate=0"),
        ("--throttling",    "haste.rate=1"),
        ("--trusted-proxies", "proxy.example"),
        ("--workers",       "0"),
        ("--data-dir",      ""),
    ];
    for (flag, value) in wrong {
        run(home.path(), &[&format!("{flag}={value}")]).refused(2, flag);
    }
    run(home.path(), &["--config", "not-there.toml"]).refused(2, "not-there.toml");
}

#[test]
fn an_unknown_setting_is_named_with_its_source() {
    let home = home();
    Program::new(home.path(), &["config"]).env("GALLERIA_LISTNE", "127.0.0.1:1").run().refused(2, "GALLERIA_LISTNE");
    std::fs::write(home.path().join("galleria.toml"), "listne = \"127.0.0.1:1\"\n").unwrap();
    run(home.path(), &["config"]).refused(2, "galleria.toml").refused(2, "listne");
    std::fs::write(home.path().join("galleria.toml"), "listen = \n").unwrap();
    run(home.path(), &["config"]).refused(2, "galleria.toml");
    std::fs::write(home.path().join("galleria.toml"), "operator_password = \"keys to every till\"\n").unwrap();
    let refused = run(home.path(), &["config"]).refused(2, "operator_password");
    assert!(!refused.err.contains("every till"), "{refused:#?}");
    std::fs::remove_file(home.path().join("galleria.toml")).unwrap();
    Program::new(home.path(), &["config"])
        .env("GALLERIA_OPERATOR_EMAIL", "a@example.com")
        .run()
        .refused(2, "GALLERIA_OPERATOR_PASSWORD");
}

#[test]
fn flags_override_the_environment_and_the_environment_overrides_the_file() {
    let home = home();
    std::fs::write(
        home.path().join("galleria.toml"),
        "listen = \"127.0.0.1:1001\"\ndata_dir = \"from-file\"\nworkers = 3\n",
    )
    .unwrap();
    let config = |flags: &[&str]| {
        let arguments: Vec<_> = ["config"].iter().chain(flags).copied().collect();
        let program = Program::new(home.path(), &arguments)
            .env("GALLERIA_LISTEN", "127.0.0.1:1002")
            .env("GALLERIA_CARRIER_SPEED", "7");
        program.run().succeeded().out
    };
    let told = config(&["--listen", "127.0.0.1:1003"]);
    for word in ["127.0.0.1:1003", "from-file", "7.0"] {
        assert!(told.contains(word), "{word} is not in\n{told}");
    }
    assert!(config(&[]).contains("127.0.0.1:1002"));
    let elsewhere = home.path().join("elsewhere.toml");
    std::fs::write(&elsewhere, "data_dir = \"from-elsewhere\"\n").unwrap();
    assert!(config(&["--config", "elsewhere.toml"]).contains("from-elsewhere"));
    let secret = Program::new(home.path(), &["config"])
        .env("GALLERIA_OPERATOR_EMAIL", "a@example.com")
        .env("GALLERIA_OPERATOR_PASSWORD", OPERATOR_PASSWORD);
    assert!(!secret.run().succeeded().out.contains(OPERATOR_PASSWORD));
}

#[test]
fn an_address_in_use_is_reported_and_the_data_is_not_touched() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    run(home.path(), &["serve", "--listen", &address]).refused(9, &address);
    assert!(!home.path().join("data").exists());
}

#[test]
fn an_operators_account_is_made_with_a_password_from_a_pipe() {
    let mut shop = Shop::options().without_operator().open();
    let customer = shop.shopper();
    let create = |shop: &Shop, email: &str, input: &str| {
        Program::new(shop.home(), &["operator", "create", "--email", email, "--data-dir", "data"]).run_with(input)
    };
    create(&shop, "boss@example.com", OPERATOR_PASSWORD).refused(3, "in use");
    shop.stop();
    create(&shop, "boss@example.com", "short\n").refused(1, "12");
    create(&shop, "boss@example.com", "").refused(1, "password");
    let made = create(&shop, "boss@example.com", &format!("{OPERATOR_PASSWORD}\n")).succeeded();
    assert!(!made.out.contains(OPERATOR_PASSWORD) && !made.err.contains(OPERATOR_PASSWORD), "{made:#?}");
    // An existing customer becomes an operator, and gets this password.
    create(&shop, &customer.email, &format!("{OPERATOR_PASSWORD}\r\n")).succeeded();
    create(&shop, "not an address", "x").code.filter(|code| *code == 2).expect("a mistake of the caller's");
    shop.start();
    assert_eq!(shop.setup_token, None, "there is an operator now");
    for email in ["boss@example.com", customer.email.as_str()] {
        let mut operator = shop.anonymous();
        assert_eq!(operator.sign_in(email, OPERATOR_PASSWORD).created()["user"]["role"], "operator");
        operator.audit();
    }
    shop.anonymous().sign_in(&customer.email, GOOD_PASSWORD).problem(401, "invalid_credentials");
}

#[test]
fn the_demo_is_for_a_shop_without_products_and_can_be_left_out() {
    let mut shop = Shop::open();
    assert!(shop.anonymous().get("/api/v1/products").ok().items().is_empty());
    let operator = shop.operator();
    operator.stock_up(100, 1);
    shop.stop();
    let mut with_demo = shop;
    with_demo.change(|options| options.demo());
    with_demo.start();
    let count = with_demo.anonymous().get("/api/v1/products").ok().items().len();
    assert_eq!(count, 1, "a shop that has products is left alone");
}

#[test]
fn the_banner_goes_to_standard_output_and_the_log_to_standard_error() {
    let mut shop = Shop::open();
    let email = format!("{}@example.com", fresh("quiet"));
    shop.anonymous().register(&email).created();
    shop.stop();
    let log = shop.log();
    assert!(log.contains("POST /api/v1/users") && log.contains("status=201"), "{log}");
    assert!(!log.contains("Shop      http"), "the banner is no log line");
    assert!(!log.contains(&email), "nor does the log name customers by their address");
}

/// `galleria routes | head -1`
#[test]
fn a_closed_output_pipe_causes_no_panic() {
    let home = home();
    for arguments in ["routes", "openapi", "config", "completions bash", "--help"] {
        // The pipe is closed before the first read: the worst case.
        let ran =
            Program::in_words(home.path(), &format!("{{ \"$0\" {arguments}; echo \"code $?\" >&2; }} | true")).run();
        assert!(!ran.err.contains("panicked") && ran.err.ends_with("code 0\n"), "{arguments}: {ran:#?}");
    }
}

#[test]
fn the_top_command_shows_a_running_shop_in_a_terminal() {
    let shop = Shop::open();
    let guest = shop.anonymous();
    let (stop, asking) = (AtomicBool::new(false), &guest);
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                asking.get("/api/v1/products").ok();
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        let seen = shop.command(&["top", "--once", "--url", &format!("http://{}", shop.address())]);
        stop.store(true, Ordering::Relaxed);
        seen.succeeded()
    });
    let line = |begins: &str| seen.out.lines().find(|line| line.starts_with(begins)).map(str::to_owned);
    let route = line("GET /api/v1/products").unwrap_or_else(|| panic!("{}", seen.out));
    let rate: f64 = route.split_whitespace().nth(2).and_then(|it| it.parse().ok()).expect("a rate");
    assert!(rate > 1.0 && rate < 200.0, "{route}");
    assert!(line("orders ").is_some() && seen.out.contains("2/2 ready"), "{}", seen.out);
    assert!(!seen.out.contains('\u{1b}'), "this is no terminal");
    shop.command(&["top", "--once", "--url", "http://127.0.0.1:9"]).refused(1, "no shop answers at");
}
