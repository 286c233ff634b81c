//! Roles and their rights in one table, and scopes as subtrees of the org units.
//!
//! Outside the scope there is nothing (404); inside it a role without the right is told so (403). Whoever looks something up checks the scope
//! first, so that a caller never learns what is beyond it.

use std::fmt;
use std::str::FromStr;

use gridbell_model::{ModelError, OrgCode, OrgLevel, OrgTree, PrefectureCode};
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $chinese:literal;)*) => {
        /// What a person or program is to the utility.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Role { $($(#[$doc])* $name),* }

        impl Role {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its word in the API and on the command line.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// What an office reads.
            #[must_use]
            pub fn chinese(self) -> &'static str {
                match self { $(Self::$name => $chinese),* }
            }
        }
    };
}

roles! {
    /// Runs the host: everything but what needs a second person's approval of its own work.
    Operator = "operator", "系统运维";
    /// Approves: templates, runs that wait, emergency stops.
    Approver = "approver", "审批人";
    /// Sets a city's policy and looks after its customers.
    CityOffice = "city-office", "地市营销";
    /// A county's or station's clerk.
    Clerk = "clerk", "县所人员";
    /// A 95598 agent.
    Agent = "agent", "95598 座席";
    /// Writes plugins; sees no customer.
    Developer = "developer", "策略开发";
    /// Reads everything, changes nothing.
    Auditor = "auditor", "审计";
    /// A program that delivers facts: bills, balances, payments, the archive.
    Feed = "feed", "数据接口";
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        Self::ALL.iter().copied().find(|r| r.word() == s).ok_or_else(|| ModelError::Word {
            what: "role",
            value: s.chars().take(40).collect(),
            known: Self::ALL.iter().map(|r| r.word()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// What can be done.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// See a customer's facts, numbers masked.
    CustomerRead,
    /// See a name, a number or a message's number in the clear, with a reason, audited.
    Unmask,
    /// Put a customer of the archive.
    CustomerWrite,
    /// Correct or verify a contact.
    ContactWrite,
    /// Subscribe and opt out for a customer.
    PreferenceWrite,
    /// Set what silences reminders: disputes, pauses, the do-not-remind list.
    TraitWrite,
    /// Erase a contact.
    Erase,
    /// Deliver bills, balances, payments.
    FactsWrite,
    /// See policies.
    PolicyRead,
    /// Change policies.
    PolicyWrite,
    /// See runs and decisions.
    RunRead,
    /// Run a policy by hand.
    RunStart,
    /// Release or refuse a run that waits.
    RunDecide,
    /// See messages and their texts.
    MessageRead,
    /// See templates.
    TemplateRead,
    /// Write templates.
    TemplateWrite,
    /// Approve templates.
    TemplateApprove,
    /// See plugins.
    PluginRead,
    /// Upload plugin versions and give one's uploads up.
    PluginUpload,
    /// Approve plugin versions; agree to changes of code, texts and limits.
    CodeApprove,
    /// Take a plugin version out of use.
    PluginRetire,
    /// Agree to a change that another person proposed; to which is the proposal's and the scope's to say.
    ProposalDecide,
    /// Go back to a policy's version before, and take back what the bad one queued.
    Rollback,
    /// See links, stops and alarms.
    LinkRead,
    /// Hold links and let them go on.
    LinkControl,
    /// Set an emergency stop.
    StopSet,
    /// Release an emergency stop.
    StopRelease,
    /// Take back messages that have not left.
    Recall,
    /// Propose to tell everybody who may have a wrong message what is right; another person agrees.
    Correct,
    /// See statistics.
    StatsRead,
    /// Read the audit log.
    AuditRead,
    /// Read customers' replies.
    InboundRead,
    /// See work orders.
    WorkOrderRead,
    /// Manage users and tokens.
    AccessManage,
    /// Import files of customers, bills, balances and payments; rows outside the scope are rejected.
    Import,
    /// See imports and their reject reports.
    ImportRead,
    /// Replace the province's rules, calendar, segments and org units.
    ProvinceWrite,
    /// Make and list backups.
    Backup,
    /// See communities, screens and notices.
    ScreenRead,
    /// Enter communities and screens, and give screens their addresses.
    ScreenWrite,
    /// Publish, correct and cancel notices on screens.
    NoticeWrite,
    /// See outages and fault reports.
    OutageRead,
    /// Enter, publish, change, restore and cancel outages, and set a prefecture's rules for them.
    OutageWrite,
    /// Approve outages that another person wrote.
    OutageApprove,
    /// Enter fault reports.
    FaultReport,
}

impl Role {
    /// The one table of roles and rights.
    #[must_use]
    pub fn may(self, action: Action) -> bool {
        use Action as A;
        match self {
            // Approval is another person's: the one who runs the host does not approve texts or release runs.
            Self::Operator => !matches!(
                action,
                A::TemplateApprove | A::RunDecide | A::CodeApprove | A::ProposalDecide | A::OutageApprove
            ),
            Self::Approver => matches!(
                action,
                A::CustomerRead
                    | A::PolicyRead
                    | A::RunRead
                    | A::RunDecide
                    | A::MessageRead
                    | A::TemplateRead
                    | A::TemplateApprove
                    | A::PluginRead
                    | A::CodeApprove
                    | A::PluginRetire
                    | A::ProposalDecide
                    | A::Rollback
                    | A::LinkRead
                    | A::StopSet
                    | A::StopRelease
                    | A::Recall
                    | A::StatsRead
                    | A::ScreenRead
                    | A::OutageRead
                    | A::OutageApprove
            ),
            Self::CityOffice => matches!(
                action,
                A::CustomerRead
                    | A::Unmask
                    | A::ContactWrite
                    | A::PreferenceWrite
                    | A::TraitWrite
                    | A::Erase
                    | A::PolicyRead
                    | A::PolicyWrite
                    | A::ProposalDecide
                    | A::Rollback
                    | A::RunRead
                    | A::RunStart
                    | A::MessageRead
                    | A::TemplateRead
                    | A::PluginRead
                    | A::LinkRead
                    | A::StopSet
                    | A::StopRelease
                    | A::Recall
                    | A::Correct
                    | A::StatsRead
                    | A::InboundRead
                    | A::WorkOrderRead
                    | A::Import
                    | A::ImportRead
                    | A::ScreenRead
                    | A::OutageRead
                    | A::OutageApprove
                    | A::OutageWrite
                    | A::FaultReport
                    | A::ScreenWrite
                    | A::NoticeWrite
            ),
            Self::Clerk => matches!(
                action,
                A::CustomerRead
                    | A::Unmask
                    | A::ContactWrite
                    | A::PreferenceWrite
                    | A::PolicyRead
                    | A::RunRead
                    | A::RunStart
                    | A::MessageRead
                    | A::TemplateRead
                    | A::StatsRead
                    | A::ScreenRead
                    | A::OutageRead
                    | A::FaultReport
            ),
            Self::Agent => matches!(
                action,
                A::CustomerRead
                    | A::Unmask
                    | A::ContactWrite
                    | A::PreferenceWrite
                    | A::MessageRead
                    | A::InboundRead
                    | A::WorkOrderRead
                    | A::ScreenRead
                    | A::OutageRead
                    | A::FaultReport
            ),
            Self::Developer => matches!(
                action,
                A::PolicyRead
                    | A::RunRead
                    | A::TemplateRead
                    | A::PluginRead
                    | A::PluginUpload
                    | A::LinkRead
                    | A::StatsRead
            ),
            Self::Auditor => matches!(
                action,
                A::CustomerRead
                    | A::PolicyRead
                    | A::RunRead
                    | A::MessageRead
                    | A::TemplateRead
                    | A::PluginRead
                    | A::LinkRead
                    | A::StatsRead
                    | A::AuditRead
                    | A::InboundRead
                    | A::WorkOrderRead
                    | A::ImportRead
                    | A::ScreenRead
                    | A::OutageRead
            ),
            Self::Feed => {
                matches!(action, A::CustomerRead | A::CustomerWrite | A::FactsWrite | A::Import | A::ImportRead)
            }
        }
    }
}

/// How far a caller sees: a subtree of the org units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Option<OrgCode>", into = "Option<OrgCode>")]
pub enum Scope {
    /// The whole tree, whatever is in it.
    All,
    /// A unit and what lies under it.
    Unit(OrgCode),
}

impl From<Option<OrgCode>> for Scope {
    fn from(code: Option<OrgCode>) -> Self {
        code.map_or(Self::All, Self::Unit)
    }
}

impl From<Scope> for Option<OrgCode> {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::All => None,
            Scope::Unit(code) => Some(code),
        }
    }
}

impl Scope {
    /// Whether `code` lies within.
    #[must_use]
    pub fn covers(self, tree: &OrgTree, code: OrgCode) -> bool {
        match self {
            Self::All => true,
            Self::Unit(unit) => tree.is_within(code, unit),
        }
    }

    /// Whether the province lies within: what belongs to nobody below it.
    #[must_use]
    pub fn covers_province(self, tree: &OrgTree) -> bool {
        match self {
            Self::All => true,
            Self::Unit(unit) => tree.get(unit).is_some_and(|u| u.level == OrgLevel::Province),
        }
    }

    /// Whether some of `prefecture` lies within.
    #[must_use]
    pub fn touches(self, tree: &OrgTree, prefecture: PrefectureCode) -> bool {
        match self {
            Self::All => true,
            Self::Unit(unit) => tree.is_within(prefecture.org(), unit) || tree.prefecture_of(unit) == Some(prefecture),
        }
    }

    /// Whether all that lies within `other` lies within this.
    #[must_use]
    pub fn contains(self, tree: &OrgTree, other: Self) -> bool {
        match other {
            Self::All => self == Self::All,
            Self::Unit(unit) => self.covers(tree, unit),
        }
    }
}

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// What the audit log says: user name; person and token as `wang/night-job`; or `token:billing` where the token is nobody's.
    /// [`gridbell_conductor::person_of`] says who that is.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// How far they see.
    pub scope: Scope,
}

impl Caller {
    /// Whether the role has the right.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.role.may(action)
    }

    /// Refuses a role without the right. Check the scope of what is asked for before.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn require(&self, action: Action) -> Result<(), Problem> {
        if self.may(action) { Ok(()) } else { Err(Problem::new(Code::Forbidden)) }
    }

    /// What lies at `code`, to do `action` with it: 404 outside the scope, 403 without the right.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::Forbidden`].
    pub fn at(&self, tree: &OrgTree, code: OrgCode, action: Action) -> Result<(), Problem> {
        if !self.scope.covers(tree, code) {
            return Err(Problem::not_found());
        }
        self.require(action)
    }

    /// What belongs to the province as a whole, to do `action` with it.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::Forbidden`].
    pub fn at_province(&self, tree: &OrgTree, action: Action) -> Result<(), Problem> {
        if !self.scope.covers_province(tree) {
            return Err(Problem::not_found());
        }
        self.require(action)
    }

    /// What belongs to a prefecture: seen by whoever sees some of it, changed only by whoever sees all of it.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::Forbidden`].
    pub fn at_prefecture(&self, tree: &OrgTree, prefecture: PrefectureCode, action: Action) -> Result<(), Problem> {
        if !self.scope.touches(tree, prefecture) {
            return Err(Problem::not_found());
        }
        self.require(action)?;
        let reads = matches!(
            action,
            Action::PolicyRead | Action::RunStart | Action::ScreenRead | Action::OutageRead | Action::FaultReport
        );
        if reads || self.scope.covers(tree, prefecture.org()) { Ok(()) } else { Err(Problem::new(Code::Forbidden)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_but_an_approver_approves_and_only_the_auditor_and_operator_read_the_log() {
        for role in Role::ALL {
            let approves =
                [Action::TemplateApprove, Action::RunDecide, Action::CodeApprove].iter().any(|a| role.may(*a));
            assert_eq!(approves, *role == Role::Approver, "{role}");
            // Parameters are the city's own: one of its office proposes, another agrees.
            let decides = matches!(role, Role::Approver | Role::CityOffice);
            assert_eq!(role.may(Action::ProposalDecide), decides, "{role}");
            assert_eq!(role.may(Action::AuditRead), matches!(role, Role::Auditor | Role::Operator), "{role}");
            assert_eq!(role.word().parse::<Role>().unwrap(), *role);
        }
        for action in [Action::CustomerRead, Action::MessageRead, Action::Unmask] {
            assert!(!Role::Developer.may(action), "a developer sees no customer");
        }
    }
}
