//! The participants of an order's sagas: which message each action becomes, and what each reply
//! means for the saga.
//!
//! Every request names the order (a refund or a return also names the saga), so the participant
//! does it once however often it is sent.

use super::{
    messages::{Order, Reason},
    rules,
    saga::{Action, Learned, Plan, RESERVED_FOR, Saga, StepRefusal, StepReply},
};
use crate::{
    env::later,
    mesh::{CallError, Context, Mesh, MeshError, Request},
    services::{
        carts::messages::CheckOut,
        payments::messages::{Authorize, Capture, IssueRefund, PaymentRef, PaymentsError, Void},
        products::messages::{CommitStock, GetProducts, ProductsError, ReleaseStock, ReserveStock, ReturnStock},
        shipping::messages::{BookShipment, CancelShipment, HandOver, Shipment, ShippingError},
    },
    types::Text,
};

/// Why an attempt gave no reply that the saga can use.
#[derive(Debug, thiserror::Error)]
pub enum StepFault {
    /// The call failed; it is unknown whether the action was done.
    #[error("{0}")]
    Unanswered(MeshError),
    /// The participant gave a reply that its contract does not allow here.
    #[error("a contradiction: {0}")]
    Contradiction(String),
}

/// Sends the commands of one order's saga to the other services.
pub struct Participants<'a> {
    pub mesh: &'a Mesh,
    pub context: &'a Context,
    pub order: &'a Order,
    pub saga: &'a Saga,
}

impl Participants<'_> {
    /// Sends the action once.
    pub async fn send(&self, action: Action) -> Result<StepReply, StepFault> {
        let order_id = self.order.id;
        match action {
            Action::ReserveStock => self.reserve_stock().await,
            Action::ReleaseStock => self.ask(ReleaseStock { order_id }, done, unexpected).await,
            Action::CommitStock => self.ask(CommitStock { order_id }, done, lapsed).await,
            Action::ReturnStock => self.return_stock().await,
            Action::AuthorizePayment => self.authorize_payment().await,
            Action::VoidPayment => self.ask(Void { order_id }, done, unexpected).await,
            Action::CapturePayment => self.ask(Capture { order_id }, done, expired).await,
            Action::RefundPayment => self.refund_payment().await,
            Action::BookShipment => self.book_shipment().await,
            Action::CancelShipment => self.ask(CancelShipment { order_id }, done, handed_over).await,
            Action::HandOver => self.ask(HandOver { order_id }, tracked, unexpected).await,
            Action::EmptyCart => self.empty_cart().await,
        }
    }

    async fn reserve_stock(&self) -> Result<StepReply, StepFault> {
        let (order_id, lines) = (self.order.id, rules::lines_of(&self.order.items));
        let until = later(self.saga.begun_at, RESERVED_FOR);
        let refused = |error: &ProductsError| match error {
            ProductsError::OutOfStock { lines } => Some(rejected(Reason::OutOfStock { lines: lines.clone() })),
            // The error does not say which product is no longer sold.
            ProductsError::ProductNotFound => Some(rejected(Reason::OutOfStock { lines: Vec::new() })),
            _ => None,
        };
        let ids = lines.iter().map(|line| line.product_id).collect();
        let reply = self.ask(ReserveStock { order_id, lines: lines.clone(), until }, done, refused).await?;
        if reply != rejected(Reason::OutOfStock { lines: Vec::new() }) {
            return Ok(reply);
        }
        let products = self.mesh.call(self.context, GetProducts { ids }).await;
        let products = products.map_err(|error| StepFault::Unanswered(error.into_mesh()))?;
        Ok(rejected(Reason::OutOfStock { lines: rules::shortages(&lines, &products) }))
    }

    async fn return_stock(&self) -> Result<StepReply, StepFault> {
        let (return_id, lines) = match &self.saga.plan {
            Plan::Return(what) => (what.return_id, what.lines.clone()),
            Plan::Cancel { return_id } => (*return_id, rules::lines_of(&self.order.items)),
            Plan::Place { .. } | Plan::Ship => return Err(StepFault::Contradiction("nothing is sold yet".into())),
        };
        self.ask(ReturnStock { return_id, lines }, done, unexpected).await
    }

    async fn authorize_payment(&self) -> Result<StepReply, StepFault> {
        let Order { id: order_id, user_id, payment_method_id: method_id, total: amount, .. } = *self.order;
        let declined = |code: &str| Some(rejected(Reason::PaymentDeclined { decline_code: code.to_owned() }));
        let refused = |error: &PaymentsError| match error {
            PaymentsError::Declined { code } => declined(code),
            // The user removed the method after placing the order.
            PaymentsError::MethodNotFound => declined("payment_method_not_found"),
            _ => None,
        };
        self.ask(Authorize { order_id, user_id, method_id, amount }, done, refused).await
    }

    async fn refund_payment(&self) -> Result<StepReply, StepFault> {
        let order_id = self.order.id;
        let (name, amount, reason) = match &self.saga.plan {
            Plan::Return(what) => (format!("return-{}", self.saga.number), Some(what.amount), what.reason.clone()),
            Plan::Cancel { .. } => ("cancel".into(), None, text("The order was cancelled")),
            Plan::Place { .. } | Plan::Ship => ("reject".into(), None, text("The order could not be completed")),
        };
        let refused = |error: &PaymentsError| match (error, amount) {
            (PaymentsError::RefundTooLarge { left }, Some(_)) => {
                Some(StepReply::Refused(StepRefusal::RefundTooLarge { left: *left }))
            }
            // An operator has already refunded the whole payment.
            (PaymentsError::RefundTooLarge { .. } | PaymentsError::RefundAmount, None) => {
                Some(StepReply::Done(Learned::Nothing))
            }
            _ => None,
        };
        let key = format!("{order_id}:{name}");
        let request = IssueRefund { payment: PaymentRef::OfOrder(order_id), key, amount, reason };
        self.ask(request, Learned::Refund, refused).await
    }

    async fn book_shipment(&self) -> Result<StepReply, StepFault> {
        let Order { id: order_id, user_id, shipping_service: service, .. } = *self.order;
        let (address, weight_grams) = (self.order.address.clone(), rules::weight_grams(&self.order.items));
        let refused = |error: &ShippingError| match error {
            ShippingError::Undeliverable { reason } => Some(rejected(Reason::Undeliverable { detail: reason.clone() })),
            _ => None,
        };
        self.ask(BookShipment { order_id, user_id, address, weight_grams, service }, done, refused).await
    }

    async fn empty_cart(&self) -> Result<StepReply, StepFault> {
        let Order { id: order_id, user_id, .. } = *self.order;
        let lines = self.order.items.iter().map(|item| (item.product_id, item.quantity)).collect();
        self.ask(CheckOut { user_id, order_id, lines }, done, unexpected).await
    }

    /// Sends the request. `reply` and `error` translate the answer; an error without a translation
    /// is a contradiction.
    async fn ask<R: Request>(
        &self,
        request: R,
        reply: impl FnOnce(R::Reply) -> Learned,
        error: impl FnOnce(&R::Error) -> Option<StepReply>,
    ) -> Result<StepReply, StepFault> {
        match self.mesh.call(self.context, request).await {
            Ok(replied) => Ok(StepReply::Done(reply(replied))),
            Err(CallError::Domain(answer)) => {
                error(&answer).ok_or_else(|| StepFault::Contradiction(format!("{} answered: {answer}", R::NAME)))
            }
            Err(CallError::Mesh(error)) => Err(StepFault::Unanswered(error)),
        }
    }
}

fn done<T>(_: T) -> Learned {
    Learned::Nothing
}

fn tracked(shipment: Shipment) -> Learned {
    Learned::TrackingNumber(shipment.tracking_number)
}

fn unexpected<E>(_: &E) -> Option<StepReply> {
    None
}

/// The shop was down for so long that the authorization has expired.
fn expired(error: &PaymentsError) -> Option<StepReply> {
    (*error == PaymentsError::AlreadyVoided).then(|| rejected(Reason::Unavailable))
}

/// The shop was down for longer than the reservation holds.
fn lapsed(error: &ProductsError) -> Option<StepReply> {
    (*error == ProductsError::ReservationReleased).then(|| rejected(Reason::Unavailable))
}

fn handed_over(error: &ShippingError) -> Option<StepReply> {
    (*error == ShippingError::AlreadyHandedOver).then_some(StepReply::Refused(StepRefusal::HandedOver))
}

fn rejected(reason: Reason) -> StepReply {
    StepReply::Refused(StepRefusal::Rejected(reason))
}

fn text(text: &str) -> Text<1, 200> {
    text.parse().expect("the texts of this file are short and plain")
}
