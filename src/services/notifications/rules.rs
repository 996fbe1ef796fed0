//! The text that an event becomes for the customer.

use crate::{
    mesh::EventId,
    services::{
        orders::messages::{
            OrderCancelled, OrderConfirmed, OrderDelivered, OrderRejected, OrderReturned, OrderShipped, Reason,
        },
        payments::messages::RefundFailed,
        users::messages::UserRegistered,
    },
    types::{Id, NotificationId, OrderId, Timestamp, UserId},
};
use sha2::{Digest, Sha256};

/// An event that a customer gets a message about.
pub trait CustomerNotice {
    /// The user who gets the message.
    fn recipient(&self) -> UserId;
    /// What the message says.
    fn text(&self) -> NoticeText;
}

/// The text of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct NoticeText {
    pub title: &'static str,
    pub body: String,
    /// The path of the page that shows more.
    pub link: Option<String>,
}

impl CustomerNotice for UserRegistered {
    fn recipient(&self) -> UserId {
        self.user_id
    }

    fn text(&self) -> NoticeText {
        let body = format!(
            "Hello {}, your account is ready. Messages about your orders will appear in this inbox.",
            self.name
        );
        NoticeText { title: "Welcome to Galleria", body, link: Some("/".into()) }
    }
}

/// Most messages are about an order.
macro_rules! order_notices {
    ($($event:ident |$told:ident| $title:literal, $body:expr;)*) => {$(
        impl CustomerNotice for $event {
            fn recipient(&self) -> UserId {
                self.order.user_id
            }

            fn text(&self) -> NoticeText {
                let $told = self;
                NoticeText { title: $title, body: $body, link: Some(page_of(self.order.order_id)) }
            }
        }
    )*};
}

order_notices! {
    OrderConfirmed |it| "Your order is confirmed",
        format!("Thank you. We have received {} and are getting {} ready.", it.order.total, pieces(it));
    OrderRejected |it| "Your order could not be placed",
        format!("{} You were not charged.", why(&it.reason));
    OrderShipped |it| "Your order is on its way",
        format!("The carrier has your parcel. Its tracking number is {}.", it.tracking_number);
    OrderDelivered |_it| "Your order was delivered",
        "We hope that you like it. If something is not right, you can send it back from the order's page.".into();
    OrderCancelled |it| "Your order was cancelled",
        format!("{} is on its way back to the card that you paid with.", it.order.total);
    OrderReturned |it| "We have received your return",
        format!("{} is on its way back to the card that you paid with.", it.amount);
}

impl CustomerNotice for RefundFailed {
    fn recipient(&self) -> UserId {
        self.user_id
    }

    fn text(&self) -> NoticeText {
        let body = format!(
            "Your bank refused the refund of {}. We still have the money, and will find another way to pay you back.",
            self.refund.amount
        );
        NoticeText { title: "A refund did not reach you", body, link: Some(page_of(self.order_id)) }
    }
}

/// The id of the message about an event: the same at every delivery, and sorted by time.
///
/// A UUIDv7 (RFC 9562) whose random part is a SHA-256 digest of the event's id.
pub fn id_for(event: &EventId, at: Timestamp) -> NotificationId {
    let digest: [u8; 32] = Sha256::digest(event.to_string()).into();
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    let millis = at.as_millisecond().max(0) as u64;
    NotificationId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

fn page_of(order: OrderId) -> String {
    format!("/orders/{order}")
}

fn pieces(order: &OrderConfirmed) -> String {
    match order.lines.iter().map(|line| line.quantity.get()).sum() {
        1 => "your item".into(),
        pieces => format!("your {pieces} items"),
    }
}

fn why(reason: &Reason) -> String {
    match reason {
        Reason::OutOfStock { lines } if lines.len() <= 1 => {
            "One of the items was sold out before we could reserve it.".into()
        }
        Reason::OutOfStock { lines } => {
            format!("{} of the items were sold out before we could reserve them.", lines.len())
        }
        Reason::PaymentDeclined { decline_code } => {
            // A lost or stolen card is reported like any other, because a thief may read this.
            let told = if matches!(decline_code.as_str(), "lost_card" | "stolen_card") {
                "card_declined"
            } else {
                decline_code
            };
            format!("Your bank declined the payment ({}).", told.replace('_', " "))
        }
        Reason::Undeliverable { detail } => format!("We cannot deliver it: {}.", detail.trim_end_matches('.')),
        Reason::Unavailable => "Part of the shop did not answer in time. Please try again.".into(),
        Reason::Cancelled => "It was cancelled.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        services::{
            orders::messages::OrderFacts,
            products::messages::{Shortage, StockLine},
        },
        types::{Currency, Money, ProductId, Service},
    };
    use uuid::Uuid;

    fn order() -> OrderFacts {
        let (order_id, user_id) = (OrderId::from_uuid(Uuid::from_u128(1)), UserId::from_uuid(Uuid::from_u128(2)));
        OrderFacts { order_id, user_id, total: Money::new(1999, Currency::EUR).unwrap() }
    }

    fn product() -> ProductId {
        ProductId::from_uuid(Uuid::from_u128(3))
    }

    fn rejected(reason: Reason) -> String {
        OrderRejected { order: order(), reason }.text().body
    }

    #[test]
    fn amounts_and_quantities_are_readable_and_the_link_leads_to_the_order() {
        let lines = |quantity: u32| vec![StockLine { product_id: product(), quantity: quantity.try_into().unwrap() }];
        let one = OrderConfirmed { order: order(), lines: lines(1) }.text();
        assert_eq!(one.body, "Thank you. We have received EUR 19.99 and are getting your item ready.");
        assert_eq!(one.link, Some(format!("/orders/{}", order().order_id)));
        let three = OrderConfirmed { order: order(), lines: lines(3) }.text();
        assert!(three.body.contains("your 3 items"), "{}", three.body);
    }

    #[test]
    fn a_rejection_says_why_and_that_nothing_was_charged() {
        let declined = rejected(Reason::PaymentDeclined { decline_code: "insufficient_funds".into() });
        assert_eq!(declined, "Your bank declined the payment (insufficient funds). You were not charged.");
        let undeliverable = rejected(Reason::Undeliverable { detail: "no carrier goes there.".into() });
        assert_eq!(undeliverable, "We cannot deliver it: no carrier goes there. You were not charged.");
        let shortage = Shortage { product_id: product(), requested: 2, available: 1 };
        let sold_out = rejected(Reason::OutOfStock { lines: vec![shortage] });
        assert!(sold_out.starts_with("One of the items was sold out"), "{sold_out}");
        let nameless = rejected(Reason::OutOfStock { lines: Vec::new() });
        assert_eq!(nameless, sold_out, "a rejection without lines, as older versions wrote it");
    }

    #[test]
    fn a_refund_is_announced_as_on_its_way() {
        let cancelled = OrderCancelled { order: order() }.text().body;
        assert_eq!(cancelled, "EUR 19.99 is on its way back to the card that you paid with.");
        let amount = Money::new(500, Currency::EUR).unwrap();
        let returned = OrderReturned { order: order(), amount }.text().body;
        assert_eq!(returned, "EUR 5.00 is on its way back to the card that you paid with.");
    }

    #[test]
    fn an_event_has_one_id_and_ids_sort_by_time() {
        let event = |seq| EventId { publisher: Service::Orders, record: "order/ord_1".into(), seq };
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(id_for(&event(0), at(5)), id_for(&event(0), at(5)));
        assert_ne!(id_for(&event(0), at(5)), id_for(&event(1), at(5)));
        assert!(id_for(&event(0), at(5)) < id_for(&event(1), at(6)));
    }
}
