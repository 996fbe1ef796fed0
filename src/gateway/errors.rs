//! What each service has to say against a request, as problem documents: one match a service.

use super::problem::Problem;
use crate::services::{
    carts::messages::CartsError, notifications::messages::NotificationsError, orders::messages::OrdersError,
    payments::messages::PaymentsError, products::messages::ProductsError, shipping::messages::ShippingError,
    users::messages::UsersError,
};
use actix_web::http::StatusCode;

impl From<UsersError> for Problem {
    fn from(error: UsersError) -> Self {
        use UsersError::*;
        let words = sentence(&error);
        match error {
            EmailTaken => Self::conflict("email_taken", words),
            KeyReused => Self::unprocessable("idempotency_key_reused", words),
            PasswordLength | PasswordTooCommon => Self::invalid("/password", error.to_string()),
            InvalidCredentials => Self::unauthorized("invalid_credentials", words),
            WrongPassword => Self::invalid("/current_password", error.to_string()),
            RefreshTokenInvalid => Self::unauthorized("refresh_token_invalid", words),
            RefreshTokenReused { .. } => Self::unauthorized("refresh_token_reused", words),
            UserNotFound | AddressNotFound => Self::not_found(),
            AddressBookFull { .. } => Self::conflict("address_book_full", words),
            SetupTokenInvalid => Self::forbidden("setup_token_invalid", words),
            Busy => Self::unavailable("busy", words, 1),
            TooManyGuesses { wait } => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_guesses", words)
                .with_header("Retry-After", wait.as_secs_f64().ceil().to_string()),
            Forbidden => Self::forbidden("forbidden", words),
        }
    }
}

impl From<ProductsError> for Problem {
    fn from(error: ProductsError) -> Self {
        use ProductsError::*;
        let words = sentence(&error);
        match error {
            ProductNotFound => Self::not_found(),
            SlugTaken => Self::conflict("slug_taken", words),
            Invalid { field, reason } => Self::invalid(format!("/{field}"), reason),
            VersionConflict { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "stale", words),
            BelowReserved { reserved } => Self::conflict("below_reserved", words).with("reserved", reserved),
            OutOfStock { lines } => Self::conflict("out_of_stock", words).with("lines", lines),
            ReservationReleased | ReservationNotFound | ReservationCommitted => {
                Self::conflict("reservation_gone", words)
            }
            Forbidden => Self::forbidden("forbidden", words),
            BadCursor => Self::bad_request("bad_cursor", words),
        }
    }
}

impl From<CartsError> for Problem {
    fn from(error: CartsError) -> Self {
        use CartsError::*;
        let words = sentence(&error);
        match error {
            ProductNotFound => Self::not_found(),
            CartFull { .. } => Self::conflict("cart_full", words),
            TooExpensive => Self::unprocessable("too_expensive", words),
        }
    }
}

impl From<OrdersError> for Problem {
    fn from(error: OrdersError) -> Self {
        use OrdersError::*;
        let words = sentence(&error);
        match error {
            OrderNotFound => Self::not_found(),
            EmptyOrder => Self::unprocessable("empty_order", words),
            CartInCheckout { order_id } => Self::conflict("cart_in_checkout", words).with("order_id", order_id),
            BadLines { .. } => Self::invalid("/items", error.to_string()),
            ProductNotFound { product_id } => Self::invalid("/items", error.to_string()).with("product_id", product_id),
            AddressNotFound => Self::invalid("/address_id", error.to_string()),
            MethodNotFound => Self::invalid("/payment_method_id", error.to_string()),
            Undeliverable { .. } => Self::unprocessable("undeliverable", words),
            TooExpensive => Self::unprocessable("too_expensive", words),
            NotCancellable { .. } => Self::conflict("not_cancellable", words),
            NotReturnable { .. } => Self::conflict("not_returnable", words),
            TooManyReturned { product_id, left } => {
                Self::conflict("too_many_returned", words).with("product_id", product_id).with("left", left)
            }
            RefundTooLarge { left } => Self::conflict("refund_too_large", words).with("left", left),
            IllegalTransition { .. } => Self::conflict("illegal_transition", words),
            Busy => Self::conflict("busy", words),
            KeyReused => Self::unprocessable("idempotency_key_reused", words),
            BadCursor => Self::bad_request("bad_cursor", words),
            Forbidden => Self::forbidden("forbidden", words),
        }
    }
}

impl From<PaymentsError> for Problem {
    fn from(error: PaymentsError) -> Self {
        use PaymentsError::*;
        let words = sentence(&error);
        match error {
            InvalidCard { field, code, reason } => {
                Self::invalid(format!("/card/{field}"), reason).with("card_code", code)
            }
            MethodNotFound | PaymentNotFound => Self::not_found(),
            TooManyMethods { .. } => Self::conflict("too_many_methods", words),
            Declined { code } => Self::declined(&code),
            AlreadyVoided => Self::conflict("already_voided", words),
            AlreadyCaptured => Self::conflict("already_captured", words),
            NotCaptured => Self::conflict("not_captured", words),
            RefundTooLarge { left } => Self::conflict("refund_too_large", words).with("left", left),
            RefundAmount => Self::invalid("/amount", error.to_string()),
            KeyReused => Self::unprocessable("idempotency_key_reused", words),
        }
    }
}

impl From<ShippingError> for Problem {
    fn from(error: ShippingError) -> Self {
        use ShippingError::*;
        let words = sentence(&error);
        match error {
            Undeliverable { .. } => Self::unprocessable("undeliverable", words),
            ShipmentNotFound => Self::not_found(),
            AlreadyCancelled => Self::conflict("already_cancelled", words),
            AlreadyHandedOver => Self::conflict("already_handed_over", words),
        }
    }
}

impl From<NotificationsError> for Problem {
    fn from(error: NotificationsError) -> Self {
        use NotificationsError::*;
        let words = sentence(&error);
        match error {
            NotificationNotFound => Self::not_found(),
            BadCursor => Self::bad_request("bad_cursor", words),
        }
    }
}

impl Problem {
    /// What to do about a decline, in words. The words for a lost or stolen card are those of a plain decline
    /// (the code is for programs): a page must not warn whoever found it on the street.
    pub fn declined(code: &str) -> Self {
        let detail = match code {
            "insufficient_funds" => "The card does not have enough money on it. Use another card.",
            "expired_card" => "The card has expired. Use another card.",
            "incorrect_cvc" => "The card's security code is not right. Add the card again with the right one.",
            "processing_error" => "The bank could not process the card just now. Try again in a moment.",
            "card_velocity_exceeded" => {
                "The card has been used too often lately. Use another card, or try again later."
            }
            _ => "The card was declined. Use another card, or ask the bank that issued it.",
        };
        Self::new(StatusCode::PAYMENT_REQUIRED, "payment_declined", detail).with("decline_code", code)
    }
}

/// A domain error's words as a sentence of their own.
fn sentence(error: &impl std::error::Error) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
