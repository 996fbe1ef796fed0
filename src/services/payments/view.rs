//! A payment as its owner, operators and the audit see it.

use super::{
    messages::{Ledger, MethodSummary, Payment, PaymentMethod, PaymentStatus, Refund, RefundStatus},
    records::{Charge, Method, PaymentStage, RefundEntry},
    rules::payment_id,
};
use crate::types::{Money, OrderId, Timestamp};

impl Charge {
    pub fn view(&self) -> Payment {
        Payment {
            id: payment_id(self.order_id),
            order_id: self.order_id,
            user_id: self.user_id,
            amount: self.amount,
            captured: self.captured(),
            refunded: self.refunded(),
            status: self.status(),
            decline_code: match &self.stage {
                PaymentStage::Declined { code } => Some(code.clone()),
                _ => None,
            },
            method: MethodSummary { brand: self.method.brand.clone(), last4: self.method.last4.clone() },
            refunds: self.refunds.iter().filter_map(|entry| entry.view(self.order_id)).collect(),
            events: self.events.clone(),
            created_at: self.created_at,
        }
    }

    /// The last known status: an intent does not change it, its outcome does.
    pub fn status(&self) -> PaymentStatus {
        match self.stage {
            PaymentStage::Authorizing => PaymentStatus::Pending,
            PaymentStage::Declined { .. } => PaymentStatus::Declined,
            PaymentStage::Authorized(_) | PaymentStage::Capturing(_) | PaymentStage::Voiding(_) => {
                PaymentStatus::Authorized
            }
            PaymentStage::Voided => PaymentStatus::Voided,
            PaymentStage::Captured(_) if self.refunded().is_zero() => PaymentStatus::Captured,
            PaymentStage::Captured(_) if self.refunded() == self.amount => PaymentStatus::Refunded,
            PaymentStage::Captured(_) => PaymentStatus::PartiallyRefunded,
        }
    }

    /// What the provider's ledger must show if both sides agree.
    pub fn ledger(&self, now: Timestamp) -> Ledger {
        let held = match &self.stage {
            PaymentStage::Authorized(hold) | PaymentStage::Capturing(hold) | PaymentStage::Voiding(hold)
                if now < hold.expires_at =>
            {
                self.amount.amount()
            }
            _ => 0,
        };
        Ledger {
            authorizations: u32::from(!matches!(self.stage, PaymentStage::Authorizing | PaymentStage::Declined { .. })),
            captures: u32::from(matches!(self.stage, PaymentStage::Captured(_))),
            held,
            captured: self.captured().amount(),
            refunded: self.refunded().amount(),
        }
    }

    fn captured(&self) -> Money {
        if matches!(self.stage, PaymentStage::Captured(_)) { self.amount } else { Money::zero(self.amount.currency()) }
    }

    fn refunded(&self) -> Money {
        self.refunded_where(|status| status == Some(RefundStatus::Succeeded))
    }
}

impl RefundEntry {
    /// `None` while the outcome is not known.
    pub fn view(&self, order_id: OrderId) -> Option<Refund> {
        Some(Refund {
            id: self.id,
            payment_id: payment_id(order_id),
            order_id,
            amount: self.amount,
            reason: self.reason.clone(),
            status: self.status?,
            created_at: self.created_at,
        })
    }
}

impl Method {
    pub fn view(&self) -> PaymentMethod {
        PaymentMethod {
            id: self.id,
            brand: self.brand.clone(),
            last4: self.last4.clone(),
            exp_month: self.exp_month,
            exp_year: self.exp_year,
        }
    }
}
