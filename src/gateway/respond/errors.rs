//! The one table from an error of the mesh or of a service to a problem document and its status.

use super::problem::Problem;
use crate::mesh::{CallError, MeshError};
use crate::services::{
    carts::messages::CartsError, notifications::messages::NotificationsError, orders::messages::OrdersError,
    payments::messages::PaymentsError, products::messages::ProductsError, shipping::messages::ShippingError,
    users::messages::UsersError,
};
use actix_web::http::StatusCode;

impl<E: std::error::Error> From<CallError<E>> for Problem
where
    Problem: From<E>,
{
    fn from(error: CallError<E>) -> Self {
        match error {
            CallError::Domain(error) => error.into(),
            CallError::Mesh(error) => error.into(),
        }
    }
}

impl From<MeshError> for Problem {
    fn from(error: MeshError) -> Self {
        match &error {
            MeshError::TimedOut => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "timed_out",
                "The shop did not answer in time, but may have carried out the request. Check before you try again.",
            ),
            MeshError::Overloaded => {
                Self::unavailable("overloaded", "The shop is busy at the moment. Try again later.", 1)
            }
            MeshError::CircuitOpen { retry_after } => Self::unavailable(
                "circuit_open",
                "This part of the shop is not available because of errors. Try again later.",
                retry_after.as_secs_f64().ceil().max(1.0) as u64,
            ),
            MeshError::NoInstance | MeshError::Refused => Self::unavailable(
                "unavailable",
                "This part of the shop is not available at the moment. Try again later.",
                2,
            ),
            MeshError::Crashed | MeshError::Failed(_) => {
                Self::unavailable("service_failed", "An error occurred in this part of the shop. Try again later.", 1)
            }
        }
        .because(error)
    }
}

impl From<UsersError> for Problem {
    fn from(error: UsersError) -> Self {
        use UsersError::*;
        let detail = sentence(&error);
        match error {
            EmailTaken => Self::conflict("email_taken", detail),
            KeyReused => Self::unprocessable("idempotency_key_reused", detail),
            PasswordLength | PasswordTooCommon => Self::invalid("/password", error.to_string()),
            InvalidCredentials => Self::unauthorized("invalid_credentials", detail),
            WrongPassword => Self::invalid("/current_password", error.to_string()),
            RefreshTokenInvalid => Self::unauthorized("refresh_token_invalid", detail),
            RefreshTokenReused { .. } => Self::unauthorized("refresh_token_reused", detail),
            UserNotFound | AddressNotFound => Self::not_found(),
            AddressBookFull { .. } => Self::conflict("address_book_full", detail),
            SetupTokenInvalid => Self::forbidden("setup_token_invalid", detail),
            Busy => Self::unavailable("busy", detail, 1),
            TooManyGuesses { wait } => Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_guesses", detail)
                .with_header("Retry-After", wait.as_secs_f64().ceil().to_string()),
            Forbidden => Self::forbidden("forbidden", detail),
        }
    }
}

impl From<ProductsError> for Problem {
    fn from(error: ProductsError) -> Self {
        use ProductsError::*;
        let detail = sentence(&error);
        match error {
            ProductNotFound => Self::not_found(),
            SlugTaken => Self::conflict("slug_taken", detail),
            Invalid { field, reason } => Self::invalid(format!("/{field}"), reason),
            VersionConflict { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail),
            BelowReserved { reserved } => Self::conflict("below_reserved", detail).with("reserved", reserved),
            OutOfStock { lines } => Self::conflict("out_of_stock", detail).with("lines", lines),
            ReservationReleased | ReservationNotFound | ReservationCommitted => {
                Self::conflict("reservation_gone", detail)
            }
            Forbidden => Self::forbidden("forbidden", detail),
            BadCursor => Self::bad_request("bad_cursor", detail),
        }
    }
}

impl From<CartsError> for Problem {
    fn from(error: CartsError) -> Self {
        use CartsError::*;
        let detail = sentence(&error);
        match error {
            ProductNotFound => Self::not_found(),
            CartFull { .. } => Self::conflict("cart_full", detail),
            TooExpensive => Self::unprocessable("too_expensive", detail),
        }
    }
}

impl From<OrdersError> for Problem {
    fn from(error: OrdersError) -> Self {
        use OrdersError::*;
        let detail = sentence(&error);
        match error {
            OrderNotFound => Self::not_found(),
            EmptyOrder => Self::unprocessable("empty_order", detail),
            CartInCheckout { order_id } => Self::conflict("cart_in_checkout", detail).with("order_id", order_id),
            BadLines { .. } => Self::invalid("/items", error.to_string()),
            ProductNotFound { product_id } => Self::invalid("/items", error.to_string()).with("product_id", product_id),
            AddressNotFound => Self::invalid("/address_id", error.to_string()),
            MethodNotFound => Self::invalid("/payment_method_id", error.to_string()),
            Undeliverable { .. } => Self::unprocessable("undeliverable", detail),
            TooExpensive => Self::unprocessable("too_expensive", detail),
            NotCancellable { .. } => Self::conflict("not_cancellable", detail),
            NotReturnable { .. } => Self::conflict("not_returnable", detail),
            TooManyReturned { product_id, left } => {
                Self::conflict("too_many_returned", detail).with("product_id", product_id).with("left", left)
            }
            RefundTooLarge { left } => Self::conflict("refund_too_large", detail).with("left", left),
            IllegalTransition { .. } => Self::conflict("illegal_transition", detail),
            Busy => Self::conflict("busy", detail),
            KeyReused => Self::unprocessable("idempotency_key_reused", detail),
            BadCursor => Self::bad_request("bad_cursor", detail),
            Forbidden => Self::forbidden("forbidden", detail),
        }
    }
}

impl From<PaymentsError> for Problem {
    fn from(error: PaymentsError) -> Self {
        use PaymentsError::*;
        let detail = sentence(&error);
        match error {
            InvalidCard { field, code, reason } => {
                Self::invalid(format!("/card/{field}"), reason).with("card_code", code)
            }
            MethodNotFound | PaymentNotFound => Self::not_found(),
            TooManyMethods { .. } => Self::conflict("too_many_methods", detail),
            Declined { code } => Self::declined(&code),
            AlreadyVoided => Self::conflict("already_voided", detail),
            AlreadyCaptured => Self::conflict("already_captured", detail),
            NotCaptured => Self::conflict("not_captured", detail),
            RefundTooLarge { left } => Self::conflict("refund_too_large", detail).with("left", left),
            RefundAmount => Self::invalid("/amount", error.to_string()),
            KeyReused => Self::unprocessable("idempotency_key_reused", detail),
        }
    }
}

impl From<ShippingError> for Problem {
    fn from(error: ShippingError) -> Self {
        use ShippingError::*;
        let detail = sentence(&error);
        match error {
            Undeliverable { .. } => Self::unprocessable("undeliverable", detail),
            ShipmentNotFound => Self::not_found(),
            AlreadyCancelled => Self::conflict("already_cancelled", detail),
            AlreadyHandedOver => Self::conflict("already_handed_over", detail),
        }
    }
}

impl From<NotificationsError> for Problem {
    fn from(error: NotificationsError) -> Self {
        use NotificationsError::*;
        let detail = sentence(&error);
        match error {
            NotificationNotFound => Self::not_found(),
            BadCursor => Self::bad_request("bad_cursor", detail),
        }
    }
}

impl Problem {
    /// The problem for a declined payment: its detail says what the shopper can do. A lost or a
    /// stolen card gets the text of any other decline, because a page must not warn a thief.
    /// Programs see the `decline_code`.
    pub fn declined(code: &str) -> Self {
        let detail = match code {
            "insufficient_funds" => "The card does not have enough money on it. Use another card.",
            "expired_card" => "The card has expired. Use another card.",
            "incorrect_cvc" => "The card's security code is wrong. Add the card again with the correct code.",
            "processing_error" => "The bank could not process the card just now. Try again in a moment.",
            "card_velocity_exceeded" => {
                "The card has been used too often lately. Use another card, or try again later."
            }
            _ => "The card was declined. Use another card, or ask the bank that issued it.",
        };
        Self::new(StatusCode::PAYMENT_REQUIRED, "payment_declined", detail).with("decline_code", code)
    }
}

/// The text of a domain error as a sentence: a capital letter first, a full stop last.
fn sentence(error: &impl std::error::Error) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
