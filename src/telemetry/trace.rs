//! W3C Trace Context: which trace a request belongs to.

use crate::{env::Env, mesh::TraceId};

/// The trace that a `traceparent` header names, or a new one where it is absent or invalid.
///
/// Any version but `ff` is read as version 00 is; all-zero ids are invalid.
pub fn of_traceparent(header: Option<&str>, env: &Env) -> TraceId {
    header.and_then(parse).unwrap_or_else(|| TraceId(env.bytes()))
}

/// The `traceparent` of what is sent on or back: a new parent id each time, sampled.
pub fn traceparent(trace: TraceId, env: &Env) -> String {
    format!("00-{trace}-{:016x}-01", u64::from_be_bytes(env.bytes()) | 1)
}

fn parse(header: &str) -> Option<TraceId> {
    let bytes = header.as_bytes();
    let (version, trace, parent) = (bytes.get(0..2)?, bytes.get(3..35)?, bytes.get(36..52)?);
    let dashes = bytes[2] == b'-' && bytes[35] == b'-' && bytes.get(52) == Some(&b'-');
    let end = bytes.len() == 55 || (bytes.len() > 55 && bytes[55] == b'-' && version != b"00");
    let lower_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let not_zero = |part: &[u8]| part.iter().any(|b| *b != b'0');
    let good = dashes
        && end
        && version != b"ff"
        && [version, trace, parent, &bytes[53..55]].into_iter().all(lower_hex)
        && not_zero(trace)
        && not_zero(parent);
    let digits = good.then(|| std::str::from_utf8(trace).ok()).flatten()?;
    Some(TraceId(u128::from_str_radix(digits, 16).ok()?.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_is_carried_on() {
        assert_eq!(parse(GOOD).unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(parse(&format!("cc{}-what-the-future-will-be", &GOOD[2..])).is_some());
    }

    #[test]
    fn an_invalid_one_starts_a_new_trace() {
        let zero_trace = GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_parent = GOOD.replace("00f067aa0ba902b7", &"0".repeat(16));
        let too_long = format!("{GOOD}-more");
        let upper = GOOD.to_uppercase();
        let version_ff = format!("ff{}", &GOOD[2..]);
        for bad in ["", "00", &GOOD[..54], &zero_trace, &zero_parent, &too_long, &upper, &version_ff] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header: String) {
            let _ = parse(&header);
        }

        #[test]
        fn what_is_written_reads_back(bits in 1u128..) {
            let trace = TraceId(bits.to_be_bytes());
            prop_assert_eq!(parse(&traceparent(trace, &Env::system())), Some(trace));
        }
    }
}
