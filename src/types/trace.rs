//! Ids of traces and spans (W3C Trace Context).

use super::parsed::parsed_string;
use std::{fmt, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// The id of a trace: 16 bytes, not all zero; as text 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

/// The id of a span: 8 bytes, not all zero; as text 16 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub [u8; 8]);

/// A span of a trace, as text `{trace}-{span}`. It says where something was done, or what caused
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanRef {
    /// The trace.
    pub trace: TraceId,
    /// The span in the trace.
    pub span: SpanId,
}

/// The text is not an id of a trace or a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {digits} hexadecimal digits, not all zero")]
pub struct BadTraceId {
    digits: usize,
}

/// Reads exactly this many hexadecimal digits in lower case.
fn parse(text: &str, digits: usize) -> Result<u128, BadTraceId> {
    let is_hex = text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let number = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
    number.filter(|number| *number != 0).ok_or(BadTraceId { digits })
}

impl FromStr for TraceId {
    type Err = BadTraceId;
    fn from_str(text: &str) -> Result<Self, BadTraceId> {
        Ok(Self(parse(text, 32)?.to_be_bytes()))
    }
}

impl FromStr for SpanId {
    type Err = BadTraceId;
    fn from_str(text: &str) -> Result<Self, BadTraceId> {
        Ok(Self((parse(text, 16)? as u64).to_be_bytes()))
    }
}

impl FromStr for SpanRef {
    type Err = BadTraceId;
    fn from_str(text: &str) -> Result<Self, BadTraceId> {
        let (trace, span) = text.split_once('-').ok_or(BadTraceId { digits: 32 })?;
        Ok(Self { trace: trace.parse()?, span: span.parse()? })
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// Takes a third of the time of `{:032x}`. Ids are written several times for each request.
fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 32];
    for (byte, two) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        two.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    f.write_str(std::str::from_utf8(&text[..2 * bytes.len()]).unwrap_or_default())
}

impl fmt::Display for SpanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.trace, self.span)
    }
}

/// The text form of ids in JSON, in paths and in the OpenAPI document.
macro_rules! text_ids {
    ($($id:ident: $pattern:literal, $example:literal;)*) => {$(
        parsed_string! { $id; }

        impl ToSchema for $id {}

        impl PartialSchema for $id {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new().schema_type(Type::String).pattern(Some($pattern)).examples([$example]).into()
            }
        }
    )*};
}

text_ids! {
    TraceId: "^[0-9a-f]{32}$", "4bf92f3577b34da6a3ce929d0e0e4736";
    SpanId: "^[0-9a-f]{16}$", "00f067aa0ba902b7";
    SpanRef: "^[0-9a-f]{32}-[0-9a-f]{16}$", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back_as_itself(trace in 1u128.., span in 1u64..) {
            let at = SpanRef { trace: TraceId(trace.to_be_bytes()), span: SpanId(span.to_be_bytes()) };
            prop_assert_eq!(at.to_string().parse(), Ok(at));
            let json = serde_json::to_string(&at).unwrap();
            prop_assert_eq!(serde_json::from_str::<SpanRef>(&json).unwrap(), at);
        }
    }

    #[test]
    fn a_text_that_is_not_an_id_is_refused() {
        let zero = "0".repeat(32);
        for bad in ["", "4bf9", &zero, "4BF92F3577B34DA6A3CE929D0E0E4736", "+bf92f3577b34da6a3ce929d0e0e4736"] {
            assert_eq!(bad.parse::<TraceId>(), Err(BadTraceId { digits: 32 }), "{bad}");
        }
        assert!("0000000000000000".parse::<SpanId>().is_err() && "00f067aa0ba902b7".parse::<SpanId>().is_ok());
        assert!("4bf92f3577b34da6a3ce929d0e0e4736".parse::<SpanRef>().is_err());
    }
}
