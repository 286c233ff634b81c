//! Who pays for a message.

/// `Fee_UserType`: who pays for the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FeeUserType(pub u8);

impl FeeUserType {
    /// The terminal that receives it.
    pub const DESTINATION: Self = Self(0);
    /// The terminal that caused it.
    pub const SOURCE: Self = Self(1);
    /// The sender, as utilities do.
    pub const SP: Self = Self(2);
    /// The number in `Fee_terminal_Id`.
    pub const FEE_TERMINAL: Self = Self(3);
}
