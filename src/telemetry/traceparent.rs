//! The `traceparent` header (W3C Trace Context, level 1): which trace a request belongs to.

use crate::{
    env::Env,
    types::{SpanId, SpanRef, TraceId},
};

/// The trace that a `traceparent` header names, and the sender's span; a new trace if the header is
/// absent or invalid.
///
/// Every version except `ff` is read like version 00. Ids of zeros only are invalid.
pub fn read(header: Option<&str>, env: &Env) -> (TraceId, Option<SpanId>) {
    match header.and_then(parse) {
        Some(SpanRef { trace, span }) => (trace, Some(span)),
        None => (TraceId(env.bytes()), None),
    }
}

/// The `traceparent` of a request or response that is sent, with the flag *sampled*. Without a
/// span, a random span id is used.
pub fn write(trace: TraceId, span: Option<SpanId>, env: &Env) -> String {
    let span = span.unwrap_or_else(|| SpanId((u64::from_be_bytes(env.bytes()) | 1).to_be_bytes()));
    format!("00-{trace}-{span}-01")
}

fn parse(header: &str) -> Option<SpanRef> {
    let (version, rest) = header.split_once('-')?;
    let (ids, flags) = (rest.get(..49)?, rest.get(49..)?);
    let lower_hex = |part: &str| part.len() == 2 && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let flags = flags.strip_prefix('-')?;
    // Fields that a later version appends are ignored.
    let (flags, more) = flags.split_once('-').map_or((flags, None), |(flags, more)| (flags, Some(more)));
    let is_good = lower_hex(version) && version != "ff" && lower_hex(flags) && (more.is_none() || version != "00");
    is_good.then(|| ids.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_is_used() {
        assert_eq!(parse(GOOD).unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7");
        assert!(parse(&format!("cc{}-what-the-future-will-be", &GOOD[2..])).is_some());
    }

    #[test]
    fn an_invalid_traceparent_is_ignored() {
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
        fn no_header_causes_a_panic(header: String) {
            let _ = parse(&header);
        }

        #[test]
        fn a_written_traceparent_reads_back(trace in 1u128.., span in 1u64..) {
            let at = SpanRef { trace: TraceId(trace.to_be_bytes()), span: SpanId(span.to_be_bytes()) };
            prop_assert_eq!(parse(&write(at.trace, Some(at.span), &Env::system())), Some(at));
            prop_assert!(parse(&write(at.trace, None, &Env::system())).is_some());
        }
    }
}
