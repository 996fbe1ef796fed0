//! The route table as the program prints it, for the tests that iterate over it.

use super::Program;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub method: String,
    pub path: String,
    pub access: String,
    pub class: String,
    pub key: String,
}

/// All rows of `galleria routes`.
#[track_caller]
pub fn routes() -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a folder that goes away");
    let printed = Program::new(folder.path(), &["routes"]).run().succeeded().out;
    let rows: Vec<_> = printed.lines().filter(|line| !line.starts_with('#')).map(row).collect();
    assert!(rows.len() > 40, "{printed}");
    rows
}

#[track_caller]
fn row(line: &str) -> Row {
    let [method, path, access, class, _, "s", "key", key, "cache", ..] =
        line.split_whitespace().collect::<Vec<_>>()[..]
    else {
        panic!("not a row of the table: {line}")
    };
    let text = str::to_owned;
    Row { method: text(method), path: text(path), access: text(access), class: text(class), key: text(key) }
}
