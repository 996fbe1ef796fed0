//! The bars of a tracking number in Code 128 (ISO/IEC 15417).

use crate::services::shipping::tracking_number::TrackingNumber;
use barcoders::sym::code128::Code128;

/// Bars (1) and spaces (0). Code 128 packs digits in pairs in its set C (`Ć`); the rest is in set B (`Ɓ`).
pub fn modules(number: &TrackingNumber) -> Vec<u8> {
    let (letters, serial, check) = number.parts();
    let code = Code128::new(format!("Ɓ{letters}Ć{serial}Ɓ{check}"));
    code.expect("Code 128 has all letters and digits, and the serial's are even in number").encode()
}
