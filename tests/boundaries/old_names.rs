//! Names that this code once had and must not get again: each has the field's name now.
//!
//! A name is refused as an identifier, in the sense that it had. An ordinary English word stays
//! free everywhere else: `mod places` in the gateway is refused, "two places" in a comment is not.

use super::source::without_words;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// In what form a name is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    /// As an identifier, in code and in backticks.
    Identifier,
    /// As the name of a type, where it is declared.
    Type,
    /// As the name of a function, where it is declared.
    Function,
    /// As the name of a module or of its file.
    Module,
    /// As a field of a type.
    Field,
}
use Form::{Field, Function, Identifier, Module, Type};

/// An old name, its new name, and the files in which it had the meaning: all whose path begins so.
#[rustfmt::skip]
const OLD_NAMES: &[(&str, Form, &str, &str)] = &[
    ("Visit",           Identifier, "src/gateway",          "RequestContext"),
    ("visit",           Module,     "src/gateway",          "context"),
    ("Duty",            Identifier, "src/gateway",          "Filter"),
    ("DUTIES",          Identifier, "",                     "FILTERS"),
    ("duties",          Module,     "",                     "filters"),
    ("duty_names",      Identifier, "",                     "filter_names"),
    ("behind_duties",   Identifier, "",                     "behind_filters"),
    ("enter",           Function,   "src/gateway",          "on_request"),
    ("leave",           Function,   "src/gateway",          "on_response"),
    ("AnswerAndGoOn",   Identifier, "",                     "RespondAndRevalidate"),
    ("pass",            Function,   "src/gateway",          "run"),
    ("go_through",      Identifier, "",                     "run"),
    ("unasked",         Module,     "",                     "unexpected_input"),
    ("closed",          Module,     "",                     "disabled_routes"),
    ("limits",          Module,     "src/gateway",          "allowed_hosts, cross_site, body, admission"),
    ("places",          Module,     "",                     "admission"),
    ("Place",           Type,       "",                     "Permit (gateway), WriteStage (storage)"),
    ("Room",            Type,       "src/gateway",          "Permit"),
    ("readers",         Module,     "",                     "body_reads"),
    ("Told",            Identifier, "src/gateway",          "Reply"),
    ("Takes",           Type,       "src",                  "Accepts"),
    ("Given",           Type,       "src/gateway",          "Extracted"),
    ("Refusal",         Type,       "src/gateway",          "ValidationError"),
    ("KeyRing",         Identifier, "",                     "TokenVerifier"),
    ("keys",            Module,     "src/gateway",          "token_verifier"),
    ("keys",            Module,     "src/services/orders",  "the gateway's idempotency store"),
    ("client",          Module,     "src/gateway",          "client_address"),
    ("Door",            Identifier, "",                     "Gateway, HttpServer, Listener"),
    ("DoorSettings",    Identifier, "",                     "GatewaySettings"),
    ("Doorway",         Identifier, "",                     "Listener"),
    ("door_secret",     Identifier, "",                     "gateway_secret"),
    ("open_door",       Identifier, "",                     "open_gateway"),
    ("of_the_door",     Identifier, "",                     "of_the_gateway"),
    ("senseless",       Identifier, "",                     "invalid_setting"),
    ("Shelf",           Type,       "src",                  "…Store"),
    ("ControlShelf",    Identifier, "",                     "ControlStore"),
    ("words",           Module,     "",                     "inverted_index, operation_docs, labels"),
    ("words",           Function,   "src/gateway",          "message"),
    ("words",           Function,   "src/types",            "message"),
    ("words",           Field,      "src",                  "message"),
    ("Answers",         Identifier, "src/mesh",             "Handlers"),
    ("answers",         Module,     "src/mesh",             "handlers"),
    ("CALLS",           Identifier, "",                     "ALLOWED_CALLS"),
    ("HEARS",           Identifier, "",                     "SUBSCRIPTIONS"),
    ("hears",           Function,   "src",                  "subscribes"),
    ("Heard",           Identifier, "",                     "ProcessedEvents"),
    ("Owing",           Identifier, "",                     "Outbox"),
    ("Owed",            Identifier, "",                     "OutboxEntry"),
    ("owes",            Function,   "",                     "has_pending_events"),
    ("Edge",            Identifier, "src/mesh",             "ClientPolicy"),
    ("edge",            Module,     "",                     "client_policy"),
    ("Way",             Type,       "src",                  "LinkSelector"),
    ("Weather",         Identifier, "src",                  "LinkFaults"),
    ("Watchman",        Identifier, "",                     "Autoscaler"),
    ("bury",            Function,   "",                     "mark_dead"),
    ("Home",            Type,       "src",                  "ServiceDeps"),
    ("Seats",           Identifier, "",                     "OrderLocks"),
    ("Seat",            Identifier, "",                     "OrderLock"),
    ("seats",           Module,     "",                     "order_locks"),
    ("Errand",          Identifier, "src",                  "Participants"),
    ("Unwritten",       Identifier, "",                     "UnsavedProgress"),
    ("Drive",           Type,       "src/services/orders",  "SagaExecution"),
    ("Driver",          Type,       "src/services/orders",  "Orchestrator"),
    ("driver",          Module,     "src/services/orders",  "orchestrator"),
    ("way_back",        Identifier, "",                     "compensations"),
    ("guesses",         Module,     "",                     "login_throttle"),
    ("Guesser",         Identifier, "",                     "LoginThrottle"),
    ("Standing",        Type,       "src",                  "the state of a login throttle"),
    ("Recent",          Identifier, "src/storage",          "RecordCache"),
    ("recent",          Module,     "src/storage",          "record_cache"),
    ("Seal",            Identifier, "src/storage",          "Manifest"),
    ("seal",            Module,     "src/storage",          "shutdown_manifest"),
    ("come_to",         Identifier, "",                     "failpoint::reach"),
    ("Disturb",         Identifier, "",                     "InjectedFault"),
    ("Hands",           Type,       "src",                  "CallState"),
    ("Sent",            Type,       "src/mesh",             "CallState"),
    ("go_to",           Function,   "src/mesh",             "a method of CallState"),
    ("What",            Type,       "src",                  "SpanKind"),
    ("Here",            Type,       "src",                  "SpanContext"),
    ("Open",            Type,       "src/telemetry",        "ActiveSpan"),
    ("Begun",           Type,       "src",                  "ActiveSpan"),
    ("Reckoning",       Identifier, "",                     "Reconciliation"),
    ("TallyOrders",     Identifier, "",                     "Reconcile…"),
    ("TallyPayments",   Identifier, "",                     "Reconcile…"),
    ("TallyStock",      Identifier, "",                     "Reconcile…"),
];

/// Names that had several meanings. At most one type of `src/` may have each.
const ONCE: [&str; 9] = ["Outcome", "Parts", "Answer", "Given", "Open", "Found", "Turn", "Step", "Entry"];

/// A text of this repository.
struct Text {
    /// From the repository: `src/mesh/mod.rs`.
    file: String,
    text: String,
}

impl Text {
    /// The code, without comments; of Rust also without strings. Markdown has no code.
    fn code(&self) -> String {
        match self.extension() {
            "rs" => without_words(&self.text),
            "js" => super::javascript::without_comments(&self.text),
            _ => String::new(),
        }
    }

    fn extension(&self) -> &str {
        self.file.rsplit('.').next().unwrap_or_default()
    }

    /// The spans in backticks of comments and of Markdown, each with the number of its line. What
    /// the README says about changes may use old names.
    fn backticks(&self) -> Vec<(usize, &str)> {
        let is_markdown = self.extension() == "md";
        let changes = |line: &&str| is_markdown && line.starts_with('#') && line.to_uppercase().contains("CHANGES");
        let lines = self.text.lines().take_while(|line| !changes(line)).enumerate();
        let comments = lines.filter_map(|(number, line)| match (is_markdown, line.find("//")) {
            (true, _) => Some((number + 1, line)),
            (false, Some(at)) => Some((number + 1, &line[at..])),
            (false, None) => None,
        });
        comments.flat_map(|(line, text)| text.split('`').skip(1).step_by(2).map(move |span| (line, span))).collect()
    }

    /// The uses of the old names: file, line, old name, new name.
    fn old_names(&self) -> Vec<String> {
        let code = self.code();
        let tokens: Vec<(usize, &str)> = code.lines().enumerate().flat_map(|(n, line)| words(n + 1, line)).collect();
        let spans = self.backticks();
        let quoted: Vec<(usize, &str)> = spans.iter().flat_map(|(line, span)| words(*line, span)).collect();
        let mut found = Vec::new();
        for (old, form, within, new) in OLD_NAMES {
            if !self.file.starts_with(within) {
                continue;
            }
            let lines = lines_of(old, *form, &tokens, &quoted);
            found.extend(lines.into_iter().map(|line| format!("{}:{line} `{old}`: now {new}", self.file)));
            if *form == Module && is_file_of(&self.file, old) {
                found.push(format!("{}: the file `{old}`: now {new}", self.file));
            }
        }
        found
    }

    /// The types that this file declares, outside of tests.
    fn types(&self) -> Vec<String> {
        let code = self.code();
        let tokens: Vec<_> = code.lines().enumerate().flat_map(|(n, line)| words(n + 1, line)).collect();
        let declared = tokens.windows(2).filter(|pair| TYPES.contains(&pair[0].1));
        declared.map(|pair| pair[1].1.to_owned()).collect()
    }
}

const TYPES: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// The lines in which a name has this form.
fn lines_of(old: &str, form: Form, tokens: &[(usize, &str)], quoted: &[(usize, &str)]) -> Vec<usize> {
    let after = |keywords: &[&str]| {
        let pairs = tokens.windows(2).filter(|pair| pair[1].1 == old && keywords.contains(&pair[0].1));
        pairs.map(|pair| pair[1].0).collect::<Vec<_>>()
    };
    match form {
        Identifier => tokens.iter().chain(quoted).filter(|(_, word)| *word == old).map(|(line, _)| *line).collect(),
        Type => after(&TYPES),
        Function => after(&["fn"]),
        Module => after(&["mod"]),
        Field => {
            let fields =
                tokens.windows(3).filter(|three| three[0].1 == "pub" && three[1].1 == old && three[2].1 == ":");
            fields.map(|three| three[1].0).collect()
        }
    }
}

/// Whether the path has a folder or a file of this name.
fn is_file_of(file: &str, name: &str) -> bool {
    file.split('/').any(|part| part.split('.').next() == Some(name))
}

/// The words of a line, and the single colons between them.
fn words(line: usize, text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !is_part(c) && c != ':');
        let first = rest.chars().next()?;
        let length = match first {
            ':' => rest.find(|c| c != ':').unwrap_or(rest.len()),
            _ => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some((line, word))
    })
}

/// All texts that the rule reads.
fn texts(root: &Path) -> Vec<Text> {
    let mut paths = vec![root.join("README.md")];
    let mut folders: Vec<PathBuf> =
        ["src", "tests", "benches", "static/js"].iter().map(|path| root.join(path)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let is_read =
                path.extension().is_some_and(|extension| ["rs", "js", "md"].iter().any(|known| extension == *known));
            match path.is_dir() {
                true => folders.push(path),
                false if is_read => paths.push(path),
                false => {}
            }
        }
    }
    paths.sort();
    let text = |path: PathBuf| Text {
        file: path.strip_prefix(root).expect("within").to_string_lossy().into_owned(),
        text: fs::read_to_string(&path).expect("a text"),
    };
    paths.into_iter().map(text).collect()
}

mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn no_name_is_one_that_was_given_up() {
        let texts = texts(root());
        assert!(texts.len() > 300, "the tree was hardly read: {}", texts.len());
        let found: Vec<_> = texts.iter().flat_map(Text::old_names).collect();
        assert!(found.is_empty(), "{} old names:\n  {}", found.len(), found.join("\n  "));
    }

    #[test]
    fn a_type_name_that_had_many_meanings_has_one_at_most() {
        let mut declared: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for text in texts(root()).iter().filter(|text| text.file.starts_with("src/") && !text.file.contains("tests")) {
            for name in text.types().into_iter().filter(|name| ONCE.contains(&name.as_str())) {
                declared.entry(name).or_default().push(text.file.clone());
            }
        }
        declared.retain(|_, files| files.len() > 1);
        assert!(declared.is_empty(), "{declared:#?}");
    }

    #[test]
    fn an_old_name_is_found_in_each_form() {
        #[rustfmt::skip]
        let planted = [
            ("src/gateway/x.rs",      "pub struct Visit;"),
            ("src/gateway/x.rs",      "fn f(visit: &Visit) {}"),
            ("src/gateway/x.rs",      "/// See `Duty::enter`.\nstruct X;"),
            ("src/gateway/x.rs",      "fn enter(&self) {}"),
            ("src/gateway/mod.rs",    "pub mod places;"),
            ("src/gateway/places.rs", "//! How much at once."),
            ("src/gateway/x.rs",      "pub struct Settings { pub words: String }"),
            ("src/services/x.rs",     "use crate::services::{self as all, HEARS};"),
            ("tests/shop/x.rs",       "let ring = KeyRing::new();"),
            ("benches/x.rs",          "way_back(&order);"),
            ("static/js/words.js",    "export const x = 1;"),
            ("static/js/x.js",        "const x = DUTIES.length;"),
            ("README.md",             "The list is `DUTIES`.\n\n# Changes\n\n`HEARS` is `SUBSCRIPTIONS`."),
        ];
        for (file, text) in planted {
            let text = Text { file: file.into(), text: text.into() };
            assert_eq!(text.old_names().len(), 1, "{file}: {} {:?}", text.text, text.old_names());
        }
    }

    #[test]
    fn an_ordinary_word_is_no_old_name() {
        #[rustfmt::skip]
        let harmless = [
            ("src/gateway/x.rs",   "/// Two places, closed on the edge; a visit's duty.\nlet place = places[0];"),
            ("src/gateway/x.rs",   "const TEXT: &str = \"Visit `Duty` KeyRing\";"),
            ("src/services/x.rs",  "struct Person { home: Address }\nlet words = text.split(' ');"),
            ("src/storage/x.rs",   "mod keys;\nuse super::keys::text;"),
            ("static/js/x.js",     "// DUTIES\nconst home = visit.places;"),
            ("README.md",          "# Changes in 0.2\n\n`HEARS` is `SUBSCRIPTIONS`."),
        ];
        for (file, text) in harmless {
            let text = Text { file: file.into(), text: text.into() };
            assert_eq!(text.old_names(), [""; 0], "{file}");
        }
    }
}
