//! Rows as they come from files and forms, as facts of the state.

use gridbell_intake::{BalanceRow, BillRow, ContactRow, CustomerRow, PaymentRow, PortedRow, SupplyRow};
use gridbell_model::{AccountNumber, Phone};
use gridbell_state::{
    Address, BalanceFact, BillFact, ContactFact, CustomerFact, PaymentFact, PortedFact, PortedSaid, payment_key,
};
use gridbell_topology::{Code, GridFact, LineFact, SectionFact, SubstationFact, TransformerFact};

/// What a row is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A customer.
    Account(AccountNumber),
    /// A number, whosever it is.
    Number(Phone),
    /// A thing of the grid.
    Thing(Code),
    /// A customer's supply by a transformer.
    Supply(AccountNumber, Code),
}

impl Subject {
    /// Our name of the field that says it, and what stood there; personal where it is a number.
    pub(crate) fn field(&self) -> (&'static str, String) {
        match self {
            Self::Account(account) | Self::Supply(account, _) => ("account", account.to_string()),
            Self::Number(phone) => ("number", phone.expose()),
            Self::Thing(code) => ("code", code.to_string()),
        }
    }
}

/// A row that becomes a fact.
pub trait IntoFact {
    /// The fact.
    type Fact;
    /// What it is about.
    fn subject(&self) -> Subject;
    /// The same as a fact of the state.
    fn into_fact(self) -> Self::Fact;
}

impl IntoFact for CustomerRow {
    type Fact = CustomerFact;

    fn subject(&self) -> Subject {
        Subject::Account(self.account)
    }

    fn into_fact(self) -> CustomerFact {
        CustomerFact {
            account: self.account,
            station: self.station,
            section: self.section,
            traits: self.traits,
            traits_given: self.traits_given,
            name: self.name,
            phone: self.phone,
            // The row was checked: a threshold lies within 0 and u32::MAX - 1.
            threshold: self.threshold.map(|t| u32::try_from(t.0).unwrap_or(u32::MAX)),
        }
    }
}

impl IntoFact for BillRow {
    type Fact = BillFact;

    fn subject(&self) -> Subject {
        Subject::Account(self.account)
    }

    fn into_fact(self) -> BillFact {
        let Self { account, period, amount, kwh, issued, late_fee_from, as_of } = self;
        BillFact { account, period, amount, kwh, issued, late_fee_from, as_of }
    }
}

impl IntoFact for BalanceRow {
    type Fact = BalanceFact;

    fn subject(&self) -> Subject {
        Subject::Account(self.account)
    }

    fn into_fact(self) -> BalanceFact {
        BalanceFact {
            account: self.account,
            balance: self.balance,
            as_of: self.as_of,
            debit_pending: self.debit_pending,
        }
    }
}

impl IntoFact for PaymentRow {
    type Fact = PaymentFact;

    fn subject(&self) -> Subject {
        Subject::Account(self.account)
    }

    fn into_fact(self) -> PaymentFact {
        PaymentFact {
            account: self.account,
            key: payment_key(&self.payment_id),
            amount: if self.reversal { -self.amount } else { self.amount },
            paid_on: self.paid_at.date(),
        }
    }
}

impl IntoFact for ContactRow {
    type Fact = ContactFact;

    fn subject(&self) -> Subject {
        Subject::Account(self.account)
    }

    fn into_fact(self) -> ContactFact {
        let Self { account, channel, id, app, source, bound_at } = self;
        ContactFact { account, channel, address: Some(Address { app, id, source, bound: bound_at }) }
    }
}

impl IntoFact for PortedRow {
    type Fact = PortedFact;

    fn subject(&self) -> Subject {
        Subject::Number(self.phone)
    }

    fn into_fact(self) -> PortedFact {
        let said = if self.own { PortedSaid::Own(self.on) } else { PortedSaid::Listed(self.carrier, self.on) };
        PortedFact { number: self.phone.number(), said }
    }
}

macro_rules! of_the_grid {
    ($($row:ident $variant:ident($make:path);)*) => {$(
        impl IntoFact for $row {
            type Fact = GridFact;

            fn subject(&self) -> Subject {
                Subject::Thing(self.code.clone())
            }

            fn into_fact(self) -> GridFact {
                GridFact::$variant($make(self))
            }
        }
    )*};
}
of_the_grid! {
    SubstationFact Substation(std::convert::identity);
    LineFact Line(std::convert::identity);
    SectionFact Section(std::convert::identity);
    TransformerFact Transformer(Box::new);
}

impl IntoFact for SupplyRow {
    /// Whoever knows the grid makes a fact of it.
    type Fact = Self;

    fn subject(&self) -> Subject {
        Subject::Supply(self.account, self.transformer.clone())
    }

    fn into_fact(self) -> Self {
        self
    }
}
