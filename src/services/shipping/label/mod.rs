//! The label on the parcel: an SVG of 4 × 6 inches, black on white, for label printers.
//!
//! The SVG loads nothing and runs nothing, and all text that a customer typed is escaped. So it can
//! be shown in a page as it is.

mod barcode;
mod typesetting;

use self::{
    barcode::modules,
    typesetting::{cut, escaped, wrapped},
};
use super::{
    coverage::name_of,
    messages::{Mode, Shipment, ShippingService, Stop},
    tracking_number::TrackingNumber,
};
use crate::types::Address;

// In pixels of 1/96 inch: 4 × 6 inches.
const WIDTH: usize = 384;
const HEIGHT: usize = 576;
/// The left margin of text; [`ACROSS`] is its width.
const LEFT: usize = 20;
const ACROSS: usize = WIDTH - 2 * LEFT;

const ADDRESS_HEIGHT: usize = 170;

/// The width of the thinnest bar: 0.53 mm. Every scanner reads it, and it is a whole number of
/// pixels.
const MODULE: usize = 2;
const BAR_HEIGHT: usize = 96;

const FONTS: &str = r#"font-family="Helvetica, Arial, 'Liberation Sans', sans-serif""#;
const SENDER: [&str; 3] = ["Galleria, Warehouse 1", "Magazijnkade 1, 3089 JA Rotterdam", "Netherlands"];

/// Draws the label of a shipment.
pub fn draw(shipment: &Shipment) -> String {
    let mut label = Drawing::default();
    label.banner(shipment);
    label.sender(shipment);
    label.recipient(shipment);
    label.routing(shipment);
    label.barcode(&shipment.tracking_number);
    label.footer(shipment);
    let title = format!("<title>Shipping label {}</title>", escaped(&shipment.tracking_number));
    let paper = format!(r##"<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>"##);
    let size = format!(r#"width="4in" height="6in" viewBox="0 0 {WIDTH} {HEIGHT}""#);
    format!(r#"<svg xmlns="http://www.w3.org/2000/svg" {size} {FONTS} role="img">{title}{paper}{}</svg>"#, label.svg)
}

#[derive(Default)]
struct Drawing {
    svg: String,
}

impl Drawing {
    fn banner(&mut self, shipment: &Shipment) {
        let service = match shipment.service {
            ShippingService::Economy => "ECONOMY",
            ShippingService::Standard => "STANDARD",
            ShippingService::Express => "EXPRESS",
        };
        self.push(r##"<rect x="9" y="9" width="366" height="558" fill="none" stroke="#000" stroke-width="2"/>"##);
        self.push(r##"<rect x="200" y="8" width="176" height="60"/>"##);
        self.text(LEFT, 48, r#"font-size="30" font-weight="bold" letter-spacing="-1""#, "Galleria");
        self.text(288, 47, r##"font-size="26" font-weight="bold" fill="#fff" text-anchor="middle""##, service);
        self.rule(68);
    }

    fn sender(&mut self, shipment: &Shipment) {
        self.heading(LEFT, 84, "SHIP FROM");
        for (line, words) in SENDER.iter().enumerate() {
            self.text(LEFT, 98 + 13 * line, r#"font-size="11""#, words);
        }
        let grams = shipment.weight_grams.max(1);
        let facts = [
            ("DATE", shipment.created_at.strftime("%d %b %Y").to_string()),
            ("WEIGHT", format!("{}.{:03} kg", grams / 1_000, grams % 1_000)),
            ("PARCEL", "1 of 1".to_owned()),
        ];
        for (line, (name, fact)) in facts.iter().enumerate() {
            let y = 84 + 20 * line;
            self.heading(256, y, name);
            self.text(364, y, r#"font-size="12" font-weight="bold" text-anchor="end""#, fact);
        }
        self.rule(136);
    }

    fn recipient(&mut self, shipment: &Shipment) {
        self.heading(LEFT, 152, "SHIP TO");
        // The inner SVG clips its content, so that stacked accents do not reach the barcode.
        self.push(&format!(r#"<svg y="154" width="{WIDTH}" height="{ADDRESS_HEIGHT}" overflow="hidden">"#));
        let mut y = 0;
        for (size, weight, line) in address_lines(&shipment.address) {
            y += leading(size);
            self.text(LEFT, y, &format!(r#"font-size="{size}" font-weight="{weight}""#), &line);
        }
        self.push("</svg>");
        self.rule(328);
    }

    fn routing(&mut self, shipment: &Shipment) {
        let Some(last) = shipment.route.last() else { return };
        let codes: Vec<_> = shipment.route.iter().map(|stop| stop.hub.code.as_str()).collect();
        let mut rides: Vec<_> = shipment.route.iter().filter_map(ride).collect();
        rides.dedup();
        let rides = if rides.is_empty() { "no transport".to_owned() } else { rides.join(", ") };
        self.text(LEFT, 385, r#"font-size="52" font-weight="bold" letter-spacing="-1""#, &last.hub.code);
        self.heading(152, 345, "ROUTE");
        self.text(152, 359, r#"font-size="11" font-weight="bold""#, &cut(&codes.join(" › "), 11, 212));
        self.text(152, 373, r#"font-size="10""#, &cut(&rides, 10, 212));
        self.heading(152, 392, "DELIVER BY");
        let by = shipment.delivery_by.strftime("%a %d %b %Y").to_string();
        self.text(364, 392, r#"font-size="12" font-weight="bold" text-anchor="end""#, &by);
        self.rule(404);
    }

    fn barcode(&mut self, number: &str) {
        let number: TrackingNumber = number.parse().expect("a shipment has a valid tracking number");
        let modules = modules(&number);
        let left = (WIDTH - MODULE * modules.len()) / 2;
        self.push(r#"<g id="barcode" shape-rendering="crispEdges">"#);
        let mut at = 0;
        for bar in modules.chunk_by(|a, b| a == b) {
            if bar[0] == 1 {
                let (x, width) = (left + MODULE * at, MODULE * bar.len());
                self.push(&format!(r#"<rect x="{x}" y="416" width="{width}" height="{BAR_HEIGHT}"/>"#));
            }
            at += bar.len();
        }
        self.push("</g>");
        let (letters, serial, check) = number.parts();
        let spaced = format!("{letters} {} {} {} {}", &serial[..4], &serial[4..], &check[..1], &check[1..]);
        let font = r#"font-size="18" font-weight="bold" letter-spacing="1.5" text-anchor="middle""#;
        self.text(WIDTH / 2, 533, font, &spaced);
        self.rule(543);
    }

    fn footer(&mut self, shipment: &Shipment) {
        self.heading(LEFT, 559, "ORDER");
        let font = r#"font-size="11" font-family="'Liberation Mono', Menlo, Consolas, monospace" text-anchor="end""#;
        self.text(364, 559, font, &shipment.order_id.to_string());
    }

    fn heading(&mut self, x: usize, y: usize, words: &str) {
        self.text(x, y, r#"font-size="8" letter-spacing="1""#, words);
    }

    fn text(&mut self, x: usize, y: usize, font: &str, words: &str) {
        self.push(&format!(r#"<text x="{x}" y="{y}" {font}>{}</text>"#, escaped(words)));
    }

    fn rule(&mut self, y: usize) {
        self.push(&format!(r##"<path d="M8 {y}H376" stroke="#000" stroke-width="2"/>"##));
    }

    fn push(&mut self, svg: &str) {
        self.svg.push_str(svg);
    }
}

/// The lines of the address with their sizes and weights: in the largest type in which the whole
/// address fits. If it does not fit in the smallest type, long lines are cut.
fn address_lines(address: &Address) -> Vec<(usize, &'static str, String)> {
    let place = format!("{} {}", address.postal_code, address.city);
    let country = name_of(address.country).to_uppercase();
    let phone = address.phone.as_ref().map(|phone| format!("Tel. {phone}"));
    let parts: [(Option<&str>, usize, &str, usize); 6] = [
        (Some(&address.name), 16, "bold", 2),
        (Some(&address.line1), 12, "normal", 2),
        (address.line2.as_deref(), 12, "normal", 2),
        (Some(&place), 15, "bold", 2),
        (Some(&country), 15, "bold", 1),
        (phone.as_deref(), 10, "normal", 1),
    ];
    let in_type = |percent: usize, cut: bool| {
        let lines = parts.iter().filter_map(|(words, size, weight, most)| {
            let (size, most) = (size * percent / 100, if cut { *most } else { usize::MAX });
            Some(wrapped((*words)?, size, ACROSS, most).into_iter().map(move |line| (size, *weight, line)))
        });
        lines.flatten().collect::<Vec<_>>()
    };
    let fits = |lines: &Vec<(usize, &str, String)>| {
        lines.iter().map(|(size, ..)| leading(*size)).sum::<usize>() < ADDRESS_HEIGHT - 10
    };
    [160, 140, 120, 100]
        .into_iter()
        .map(|percent| in_type(percent, false))
        .find(fits)
        .unwrap_or_else(|| in_type(100, true))
}

/// The distance between two baselines.
const fn leading(size: usize) -> usize {
    size + size / 5
}

fn ride(stop: &Stop) -> Option<String> {
    let ride = stop.by.as_ref()?;
    let mode = match ride.mode {
        Mode::Road => "road",
        Mode::Rail => "rail",
        Mode::Air => "air",
        Mode::Sea => "sea",
    };
    Some(format!("{mode} {}", ride.carrier))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{rules, tariff},
        *,
    };
    use crate::{
        services::shipping::messages::BookShipment,
        types::{Id, OrderId, Timestamp, UserId},
    };
    use proptest::prelude::*;
    use rxing::{BarcodeFormat, helpers::detect_in_luma};
    use uuid::Uuid;

    fn address(name: &str, country: &str) -> Address {
        Address {
            name: name.parse().unwrap(),
            line1: "Marienplatz 8".parse().unwrap(),
            line2: None,
            city: "München".parse().unwrap(),
            postal_code: "80331".parse().unwrap(),
            country: country.parse().unwrap(),
            phone: None,
        }
    }

    fn label(address: Address, serial: u64) -> String {
        let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(serial));
        let parcel = BookShipment {
            order_id: OrderId::from_uuid(id),
            user_id: UserId::from_uuid(id),
            address,
            weight_grams: 1_250,
            service: ShippingService::Economy,
        };
        let now: Timestamp = "2026-08-09T12:00:00Z".parse().unwrap();
        let to = &parcel.address;
        let offer = tariff::offer(parcel.service, to.country, &to.postal_code, parcel.weight_grams, now).unwrap();
        draw(&rules::book(&parcel, offer, &TrackingNumber::from_serial(serial), now))
    }

    /// What a scanner reads: the bars, as they are drawn, on white paper.
    fn scanned(svg: &str) -> String {
        let bars = svg.split_once(r#"<g id="barcode""#).unwrap().1.split_once("</g>").unwrap().0;
        let mut row = vec![255; WIDTH];
        for bar in bars.split("<rect ").skip(1) {
            let number = |name: &str| -> usize {
                let value = bar.split_once(&format!("{name}=\"")).unwrap().1;
                value.split_once('"').unwrap().0.parse().unwrap()
            };
            row[number("x")..number("x") + number("width")].fill(0);
        }
        let paper = row.repeat(BAR_HEIGHT);
        let read = detect_in_luma(paper, WIDTH as u32, BAR_HEIGHT as u32, Some(BarcodeFormat::CODE_128));
        read.unwrap().getText().to_owned()
    }

    #[test]
    fn a_scanner_reads_the_tracking_number() {
        assert_eq!(scanned(&label(address("Ada", "DE"), 47_312_482)), "GA473124829NL");
    }

    #[test]
    fn the_barcode_has_a_quiet_zone_of_ten_modules_on_both_sides() {
        for serial in [0, 1, 99_999_999] {
            let modules = modules(&TrackingNumber::from_serial(serial));
            assert!(WIDTH - 2 * 10 >= MODULE * modules.len() + 2 * 10 * MODULE, "{}", modules.len());
        }
    }

    #[test]
    fn text_that_a_customer_typed_stays_text() {
        for hostile in [
            "<script>alert(1)</script>",
            r#""/><image href="https://evil.example/x.png"/>"#,
            "Zoë & 'Quote' \"Double\"",
            "👩‍👩‍👧‍👦 Família 山田太郎",
            &"W".repeat(100),
            &"e\u{301}\u{301}\u{301}".repeat(25),
            "\u{fffe}\u{ffff}",
        ] {
            let svg = label(address(hostile, "JP"), 7);
            for tag in svg.split('<').skip(1) {
                let (tag, text) = tag.split_once('>').unwrap();
                let name = tag.split(' ').next().unwrap().trim_start_matches('/');
                assert!(["svg", "title", "rect", "text", "path", "g"].contains(&name), "{tag}");
                assert!(!tag.contains("href") && !tag.contains("url("), "{tag}");
                assert!(!text.contains(['>', '"', '\u{fffe}', '\u{ffff}']), "{text}");
            }
            assert_eq!(scanned(&svg), TrackingNumber::from_serial(7).to_string());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_scanner_reads_every_number_as_it_is_printed(serial in 0..TrackingNumber::SERIALS) {
            let svg = label(address("Ada", "DE"), serial);
            prop_assert_eq!(scanned(&svg), TrackingNumber::from_serial(serial).to_string());
        }
    }
}
