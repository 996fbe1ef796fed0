//! The bars of a tracking number in Code 128 (ISO/IEC 15417).

use crate::services::shipping::tracking_number::TrackingNumber;
use barcoders::sym::code128::Code128;

/// The modules of the barcode: 1 for a bar, 0 for a space. Code set C (`Ć`) encodes two digits per
/// symbol; letters and the rest are in code set B (`Ɓ`).
pub fn modules(number: &TrackingNumber) -> Vec<u8> {
    let (letters, serial, check) = number.parts();
    let code = Code128::new(format!("Ɓ{letters}Ć{serial}Ɓ{check}"));
    code.expect("Code 128 can encode letters, and an even number of digits").encode()
}
