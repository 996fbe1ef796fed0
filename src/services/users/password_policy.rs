//! Which passwords are accepted.

use super::messages::UsersError;
use crate::types::Email;

const SHORTEST: usize = 12;
const LONGEST: usize = 128;

/// The most common passwords of at least 12 characters, in lower case and sorted, without those
/// that [`is_pattern`] finds.
const COMMONEST: &str = include_str!("common_passwords.txt");

/// Rows of the keyboard and of the alphabet. A password that follows one of them, forwards or
/// backwards, from any start and around the end, is a pattern.
const RUNS: [&str; 8] = [
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789",
    "1234567890qwertyuiopasdfghjklzxcvbnm",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// Accepts any 12 to 128 characters, except passwords that an attacker tries first (NIST SP
/// 800-63B-4 §3.1.1.2). There are no rules about kinds of characters, and nothing is trimmed or cut
/// off.
///
/// Errors: `PasswordLength`, `PasswordTooCommon`.
pub fn check_password(password: &str, email: &Email, name: &str) -> Result<(), UsersError> {
    let length = password.chars().take(LONGEST + 1).count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return Err(UsersError::PasswordLength);
    }
    let folded = fold(password);
    if COMMONEST.lines().any(|common| common == folded) || is_pattern(&folded) || is_about(&folded, email, name) {
        return Err(UsersError::PasswordTooCommon);
    }
    Ok(())
}

/// Lower case, one character for one, so that the length and repetitions stay.
fn fold(text: &str) -> String {
    text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

fn is_pattern(folded: &str) -> bool {
    let chars: Vec<char> = folded.chars().collect();
    // A repeated unit of fewer than 12 characters is as easy to guess as the unit.
    let is_repeated = (1..SHORTEST).take_while(|unit| unit * 2 <= chars.len()).any(|unit| {
        let shifted = chars.iter().skip(unit);
        chars.iter().zip(shifted).all(|(a, b)| a == b)
    });
    let step = |by: i64| chars.windows(2).all(|pair| pair[1] as i64 - pair[0] as i64 == by);
    let backwards: String = chars.iter().rev().collect();
    let is_run = RUNS.iter().any(|run| {
        let round = run.repeat(chars.len() / run.len() + 2);
        round.contains(folded) || round.contains(&backwards)
    });
    is_repeated || step(1) || step(-1) || is_run
}

/// Whether the password is the person's own e-mail address, its local part or their name.
fn is_about(folded: &str, email: &Email, name: &str) -> bool {
    let name = fold(name);
    let joined: String = name.split_whitespace().collect();
    let local = email.as_str().split('@').next().unwrap_or_default();
    [email.as_str(), local, &name, &joined].contains(&folded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(password: &str) -> Result<(), UsersError> {
        check_password(password, &"ada.lovelace@example.com".parse().unwrap(), "Ada King-Noel Lovelace")
    }

    #[test]
    fn a_password_has_12_to_128_characters_counted_as_characters() {
        for (password, fits) in [
            ("tea & wafers".to_owned(), true),
            ("tea & wafer".to_owned(), false),
            ("  tea wafer ".to_owned(), true),
            ("päßwörter übe".to_owned(), true),
            ("🫖🍰🍪🥐🧁🍩🍮🍯🥞🧇🥯".to_owned(), false),
            ("🫖🍰🍪🥐🧁🍩🍮🍯🥞🧇🥯🍞".to_owned(), true),
            (format!("tea and wafers{}", "é".repeat(114)), true),
            (format!("tea and wafers{}", "é".repeat(115)), false),
        ] {
            assert_eq!(check(&password), if fits { Ok(()) } else { Err(UsersError::PasswordLength) }, "{password}");
        }
    }

    #[test]
    fn common_passwords_are_refused_in_upper_and_lower_case() {
        for common in [
            "password1234",
            "PassWord1234",
            "123456789012",
            "987654321098",
            "qwertyuiop12",
            "QWERTYuiopas",
            "1q2w3e4r5t6y",
            "aaaaaaaaaaaa",
            "abcabcabcabca",
            "hunter2hunter2",
            "klmnopqrstuvw",
            "zyxwvutsrqponm",
            "абвгдежзийклмн",
            "ΟΔΟΣΟΔΟΣΟΔΟΣ",
            "ada.lovelace@example.com",
            "Ada.Lovelace",
            "Ada King-Noel Lovelace",
            "adaking-noellovelace",
        ] {
            assert_eq!(check(common), Err(UsersError::PasswordTooCommon), "{common}");
        }
        for good in ["correct horse battery", "tea at 4, wafers at 5", "aaaaaaaaaaab!", "abcdefg-lovelace"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_list_holds_only_passwords_that_no_other_rule_refuses() {
        assert!(COMMONEST.lines().count() > 1000);
        for common in COMMONEST.lines() {
            assert!(common.chars().count() >= SHORTEST && common == common.to_lowercase(), "{common}");
            assert!(!is_pattern(common), "{common} is refused as a pattern");
        }
        assert!(COMMONEST.lines().is_sorted());
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(password in "\\PC{0,200}", any: String, name: String) {
            for password in [password, any] {
                let length = password.chars().count();
                let judged = check_password(&password, &"a@b.cd".parse().unwrap(), &name);
                prop_assert_eq!(judged == Err(UsersError::PasswordLength), !(12..=128).contains(&length));
            }
        }

        #[test]
        fn a_repeated_short_unit_is_refused(unit in "\\PC{1,11}", times in 2usize..20) {
            let password = unit.repeat(times);
            let judged = check_password(&password, &"a@b.cd".parse().unwrap(), "Ada");
            prop_assert!(judged.is_err());
        }
    }
}
