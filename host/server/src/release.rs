//! What the server asks of the conductor about the life of a policy's code: versions, who decides, proposals, rollback.

use gridbell_conductor::{
    Decider, Decision, DeployOrder, Deployment, FaultLog, Host, HostError, Progress, Proposal, ProposalOrder,
    RecallRecord, RollbackOrder, RolledBack, ShadowReport, VersionRecord,
};
use gridbell_contract::Manifest;
use gridbell_model::PrefectureCode;
use gridbell_planner::Policy;

use crate::conduct::{ConductError, Pending};

/// What a person does with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionStep {
    /// Policies may use it.
    Approve,
    /// Nothing may any more.
    Retire,
    /// Its upload is given up.
    Cancel,
}

/// The life of plugin versions and of policies' changes, as the server sees it.
pub trait Release: Send + Sync + 'static {
    /// All versions.
    fn versions(&self) -> Vec<VersionRecord>;
    /// One version, by `name@version` or digest.
    ///
    /// # Errors
    /// [`ConductError::NotFound`].
    fn version(&self, reference: &str) -> Result<VersionRecord, ConductError>;
    /// How far its check or certification is; none when nothing is under way.
    fn version_progress(&self, digest: &str) -> Option<Progress>;
    /// What a version says of itself; none until it was compiled.
    fn version_manifest(&self, digest: &str) -> Option<Manifest>;
    /// What the versions say of themselves that policies may use.
    fn usable_manifests(&self) -> Vec<Manifest>;
    /// How a version failed lately.
    ///
    /// # Errors
    /// [`ConductError::NotFound`].
    fn faults(&self, reference: &str) -> Result<FaultLog, ConductError>;
    /// Keeps an upload; check and certification follow in the background.
    fn upload_version(&self, component: Vec<u8>, who: String) -> Pending<'_, VersionRecord>;
    /// A step that a person takes.
    fn step_version(
        &self,
        reference: String,
        step: VersionStep,
        why: String,
        who: String,
    ) -> Pending<'_, VersionRecord>;

    /// What decides for a policy now says of itself; none while nothing can.
    fn live_manifest(&self, prefecture: PrefectureCode, policy: &Policy) -> Option<Manifest>;
    /// Who decides for a policy, and the version of that.
    ///
    /// # Errors
    /// When it cannot be read.
    fn deployment(&self, prefecture: PrefectureCode, policy: &str) -> Result<Option<(u64, Deployment)>, ConductError>;
    /// The last rollback of a policy.
    ///
    /// # Errors
    /// When it cannot be read.
    fn last_rollback(&self, prefecture: PrefectureCode, policy: &str) -> Result<Option<RecallRecord>, ConductError>;
    /// What the shadows of a policy would have done otherwise.
    ///
    /// # Errors
    /// When it cannot be read.
    fn shadow_reports(&self, prefecture: PrefectureCode, policy: &str) -> Result<Vec<ShadowReport>, ConductError>;
    /// Makes a change of who decides that needs nobody else.
    fn deploy(&self, order: DeployOrder) -> Pending<'_, Deployment>;
    /// Goes back to a version and takes back what the others queued.
    fn rollback(&self, order: RollbackOrder) -> Pending<'_, RolledBack>;

    /// All proposals, newest first.
    fn proposals(&self) -> Vec<Proposal>;
    /// One proposal.
    ///
    /// # Errors
    /// [`ConductError::NotFound`].
    fn proposal(&self, id: u64) -> Result<Proposal, ConductError>;
    /// Keeps a change until another person agrees; none if nothing would change.
    fn propose(&self, order: ProposalOrder) -> Pending<'_, Option<Proposal>>;
    /// Agrees, refuses or takes back.
    fn decide_proposal(&self, id: u64, decision: Decision, why: String, decider: Decider) -> Pending<'_, Proposal>;
}

impl Release for Host {
    fn versions(&self) -> Vec<VersionRecord> {
        Self::versions(self)
    }

    fn version(&self, reference: &str) -> Result<VersionRecord, ConductError> {
        Ok(Self::version(self, reference)?)
    }

    fn version_progress(&self, digest: &str) -> Option<Progress> {
        Self::version_progress(self, digest)
    }

    fn version_manifest(&self, digest: &str) -> Option<Manifest> {
        self.recorded_manifest(digest)
    }

    fn usable_manifests(&self) -> Vec<Manifest> {
        self.loaded_plugins().iter().map(|p| p.manifest().clone()).collect()
    }

    fn faults(&self, reference: &str) -> Result<FaultLog, ConductError> {
        Ok(Self::faults(self, reference)?.unwrap_or_default())
    }

    fn upload_version(&self, component: Vec<u8>, who: String) -> Pending<'_, VersionRecord> {
        Box::pin(async move { Ok(Self::upload_version(self, component, &who).await?) })
    }

    fn step_version(
        &self,
        reference: String,
        step: VersionStep,
        why: String,
        who: String,
    ) -> Pending<'_, VersionRecord> {
        Box::pin(async move {
            Ok(match step {
                VersionStep::Approve => self.approve_version(&reference, &why, &who).await?,
                VersionStep::Retire => self.retire_version(&reference, &why, &who).await?,
                VersionStep::Cancel => self.cancel_version(&reference, &why, &who).await?,
            })
        })
    }

    fn live_manifest(&self, prefecture: PrefectureCode, policy: &Policy) -> Option<Manifest> {
        self.live_plugin(prefecture, policy).ok().map(|p| p.manifest().clone())
    }

    fn deployment(&self, prefecture: PrefectureCode, policy: &str) -> Result<Option<(u64, Deployment)>, ConductError> {
        Ok(Self::deployment(self, prefecture, policy)?)
    }

    fn last_rollback(&self, prefecture: PrefectureCode, policy: &str) -> Result<Option<RecallRecord>, ConductError> {
        Ok(Self::last_rollback(self, prefecture, policy)?)
    }

    fn shadow_reports(&self, prefecture: PrefectureCode, policy: &str) -> Result<Vec<ShadowReport>, ConductError> {
        Ok(Self::shadow_reports(self, prefecture, policy)?)
    }

    fn deploy(&self, order: DeployOrder) -> Pending<'_, Deployment> {
        Box::pin(async move {
            if order.change.needs_approval() {
                return Err(HostError::NotYours("another person must agree: propose it".to_owned()).into());
            }
            Ok(Self::deploy(self, &order).await?)
        })
    }

    fn rollback(&self, order: RollbackOrder) -> Pending<'_, RolledBack> {
        Box::pin(async move { Ok(Self::rollback(self, &order).await?) })
    }

    fn proposals(&self) -> Vec<Proposal> {
        Self::proposals(self)
    }

    fn proposal(&self, id: u64) -> Result<Proposal, ConductError> {
        Ok(Self::proposal(self, id)?)
    }

    fn propose(&self, order: ProposalOrder) -> Pending<'_, Option<Proposal>> {
        Box::pin(async move { Ok(Self::propose(self, order).await?) })
    }

    fn decide_proposal(&self, id: u64, decision: Decision, why: String, decider: Decider) -> Pending<'_, Proposal> {
        Box::pin(async move { Ok(Self::decide_proposal(self, id, decision, &why, &decider).await?) })
    }
}
