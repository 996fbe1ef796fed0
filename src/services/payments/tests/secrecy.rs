//! Card numbers and codes are never stored, logged or shown.

use super::*;

#[test]
fn a_number_that_is_not_a_test_card_is_refused() {
    in_a_shop(async |shop| {
        for (number, code) in [("4539578763621486", "not_a_test_card"), ("4242424242424241", "incorrect_number")] {
            let refused = domain(shop.by_staff(AddMethod { user_id: user(1), card: card(number, "123") }).await);
            let PaymentsError::InvalidCard { field, code: told, reason } = refused else { panic!("{refused:?}") };
            assert_eq!((field.as_str(), told.as_str()), ("number", code));
            assert!(reason.contains("demo") && !reason.contains(number));
        }
        assert!(shop.by_staff(ListMethods { user_id: user(1) }).await.unwrap().is_empty());
    });
}

#[test]
fn neither_the_number_nor_the_code_of_a_card_is_in_any_file_or_debug_output() {
    const NUMBER: &str = "378282246310005";
    const SPELLINGS: [&str; 3] = [NUMBER, "3782 822463 10005", "3782-822463-10005"];
    const CODE: &str = "7391";
    let folder = tempfile::tempdir().unwrap();
    let add = || AddMethod { user_id: user(1), card: card(SPELLINGS[1], CODE) };
    on_one_thread(async {
        let shop = Shop::open(folder.path(), simulated(), 1);
        let method = shop.by_staff(add()).await.unwrap();
        assert_eq!((method.brand.as_str(), method.last4.as_str()), ("amex", "0005"));
        shop.by_staff(authorize(1, method.id)).await.unwrap();
        shop.capture(1).await.unwrap();
        shop.refund(1, "a", None).await.unwrap();
        wait(5).await;
    });
    let mut texts = vec![format!("{:?}", add()), serde_json::to_string(&add()).unwrap()];
    texts.extend(files_under(folder.path()));
    assert!(texts.len() > 2 && texts.iter().any(|text| text.contains("\"0005\"")), "the records are there to be read");
    for text in &texts {
        assert!(!SPELLINGS.iter().any(|number| text.contains(number)));
        // The four digits alone appear by chance in ids and times, but never as a value of their
        // own.
        assert!(!text.contains(&format!("\"{CODE}\"")) && !text.contains(&format!(":{CODE},")));
    }
}

/// The contents of all files in a folder, as text.
fn files_under(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files_under(&path),
            false => vec![String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()],
        })
        .collect()
}
