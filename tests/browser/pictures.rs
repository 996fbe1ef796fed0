//! The README's picture of the shop: a screenshot of the home page. `UPDATE_PICTURES=1` takes it
//! anew.

use crate::{Open, browser::Browser, harness::Shop};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use std::path::PathBuf;

const PATH: &str = "static/images/shop.webp";
const SIZE: (u32, u32) = (1280, 800);
const LIMIT_BYTES: usize = 150_000;
/// The mean difference of the two pictures' pixels, 0 to 255 for each colour, after both are scaled
/// down. Another machine's fonts stay below it; another page, theme or layout does not.
const TOLERANCE: f64 = 8.0;

pub fn the_picture_of_the_readme_shows_the_shop_as_it_is(open: &Open) {
    let shop = Shop::options().demo().open();
    let browser = open(&shop);
    let taken = screenshot(&browser);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PATH);
    if std::env::var("UPDATE_PICTURES").is_ok_and(|it| it == "1") {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, &taken).expect("the picture is written");
    }
    let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{PATH}: {error}; UPDATE_PICTURES=1 makes it"));
    println!("{PATH}: {} bytes", kept.len());
    assert!(kept.len() < LIMIT_BYTES, "{PATH} has {} bytes", kept.len());
    assert_eq!(size_of(&kept), Some(SIZE), "{PATH} is a WebP of that size");
    let difference = difference(&browser, &kept, &taken);
    println!("{PATH} differs from the page by {difference:.2} of 255");
    assert!(difference < TOLERANCE, "{PATH} differs from the page by {difference:.1}; UPDATE_PICTURES=1 takes it anew");
}

/// The home page as WebP, in light colours, when all pictures in sight are loaded.
fn screenshot(browser: &Browser) -> Vec<u8> {
    const ARE_LOADED: &str = "const inSight = ({ top }) => top < innerHeight; \
        return [...document.images].filter(it => inSight(it.getBoundingClientRect())).every(it => it.complete && it.naturalWidth > 0)";
    browser.resize(SIZE.0, SIZE.1);
    browser.set_theme("light");
    browser.go_to("/");
    browser.see("Fennick Cast-Iron Skillet");
    browser.until("all pictures are loaded", || (browser.run(ARE_LOADED, &[]) == true).then_some(()));
    let answer = browser.devtools("Page.captureScreenshot", json!({"format": "webp", "quality": 82}));
    STANDARD.decode(answer["data"].as_str().expect("base64")).expect("base64")
}

/// Width and height of a WebP file (RFC 9649). `None` for anything else.
fn size_of(file: &[u8]) -> Option<(u32, u32)> {
    if file.get(..4)? != b"RIFF" || file.get(8..12)? != b"WEBP" {
        return None;
    }
    let byte = |at: usize| file.get(at).map(|byte| u32::from(*byte));
    match file.get(12..16)? {
        // Lossy: after the frame's tag and start code, 14 bits each.
        b"VP8 " => Some(((byte(26)? | byte(27)? << 8) & 0x3FFF, (byte(28)? | byte(29)? << 8) & 0x3FFF)),
        // Lossless: after the signature, 14 bits each, less one.
        b"VP8L" => {
            let bits = byte(21)? | byte(22)? << 8 | byte(23)? << 16 | byte(24)? << 24;
            Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
        }
        // Extended: the canvas, 24 bits each, less one.
        b"VP8X" => Some((
            (byte(24)? | byte(25)? << 8 | byte(26)? << 16) + 1,
            (byte(27)? | byte(28)? << 8 | byte(29)? << 16) + 1,
        )),
        _ => None,
    }
}

/// The browser decodes and compares them.
fn difference(browser: &Browser, one: &[u8], other: &[u8]) -> f64 {
    let difference = browser.promised(&format!(
        "(async () => {{
          const pixels = async text => {{
            const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
            const bitmap = await createImageBitmap(new Blob([bytes], {{ type: 'image/webp' }}));
            const canvas = new OffscreenCanvas(64, 40).getContext('2d');
            canvas.imageSmoothingQuality = 'high';
            canvas.drawImage(bitmap, 0, 0, 64, 40);
            return canvas.getImageData(0, 0, 64, 40).data.filter((_, at) => at % 4 < 3);
          }};
          const [one, other] = [await pixels('{}'), await pixels('{}')];
          return one.reduce((sum, value, at) => sum + Math.abs(value - other[at]), 0) / one.length;
        }})()",
        STANDARD.encode(one),
        STANDARD.encode(other)
    ));
    difference.as_f64().unwrap_or_else(|| panic!("the pictures are compared: {difference}"))
}
