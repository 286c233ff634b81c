//! What becomes of a proposal, in one commit with what it changes.

use gridbell_state::{AuditNote, DocChange};

use super::{Decided, Decision, Proposal, ProposalState, Proposed};
use crate::correction::CorrectionState;
use crate::deployment::DeployOrder;
use crate::documents::{self, PROPOSAL, note};
use crate::error::HostError;
use crate::host::Host;
use crate::province::{ProvinceFile, ProvinceProposal};

/// Documents and notes that go into the commit of a change: the proposal that it was.
#[derive(Clone, Default)]
pub(crate) struct Beside {
    pub(crate) docs: Vec<DocChange>,
    pub(crate) audit: Vec<AuditNote>,
}

impl Host {
    pub(super) async fn close_proposal(
        &self,
        mut proposal: Proposal,
        decision: Decision,
        why: &str,
        who: &str,
    ) -> Result<Proposal, HostError> {
        let (state, action) = match decision {
            Decision::Approve => (ProposalState::Applied, "proposal.approve"),
            Decision::Refuse => (ProposalState::Refused, "proposal.refuse"),
            Decision::Withdraw => (ProposalState::Withdrawn, "proposal.withdraw"),
        };
        proposal.state = state;
        let why: String = why.chars().take(crate::versions::MAX_WHY).collect();
        proposal.decided = Some(Decided { by: who.to_owned(), at: self.clock().now(), why: why.clone() });
        if let Proposed::Correction { correction, .. } = proposal.what {
            return self.close_correction(proposal, correction, action).await;
        }
        // It is written once when it is made and once when it is decided about.
        let doc = documents::put(PROPOSAL, &proposal.key(), &proposal, Some(1))?;
        let subject = format!("{} {}", proposal.key(), proposal.what.subject(proposal.prefecture));
        let audit = note(who, action, &subject, serde_json::json!({ "by": proposal.by, "why": why }));
        let beside = Beside { docs: vec![doc], audit: vec![audit] };
        if decision == Decision::Approve {
            self.make_true(&proposal, beside).await?;
        } else {
            self.state().put_docs(beside.docs, beside.audit).await?;
        }
        Ok(proposal)
    }

    /// Decides about a correction: what is approved is told from then on, by the list that was shown.
    async fn close_correction(&self, proposal: Proposal, correction: u64, action: &str) -> Result<Proposal, HostError> {
        let decision = match proposal.state {
            ProposalState::Applied => CorrectionState::Approved,
            ProposalState::Refused => CorrectionState::Refused,
            _ => CorrectionState::Withdrawn,
        };
        let Some(decided) = proposal.decided.clone() else { return Ok(proposal) };
        let (version, mut its) = self.kept_correction(correction)?;
        let detail = serde_json::json!({ "by": proposal.by, "why": decided.why, "list": its.digest });
        let subject = format!("{} {}", proposal.key(), proposal.what.subject(proposal.prefecture));
        let audit = vec![note(&decided.by, action, &subject, detail)];
        let mut docs = its.close(decision, decided, version)?;
        docs.push(documents::put(PROPOSAL, &proposal.key(), &proposal, Some(1))?);
        self.state().put_docs(docs, audit).await?;
        self.clear_alarm("correction.waiting", &its.name());
        self.correction_work().look();
        Ok(proposal)
    }

    /// Makes the change, as its author's, with the proposal in its commit.
    async fn make_true(&self, p: &Proposal, beside: Beside) -> Result<(), HostError> {
        let prefecture = || p.prefecture.ok_or_else(|| HostError::Invalid("it is some prefecture's".to_owned()));
        match &p.what {
            // Decided about in its own commit: see `close_correction`.
            Proposed::Correction { .. } => Ok(()),
            Proposed::Policies { document, text } => {
                self.apply_policies_beside(document, text, Some(p.base), &p.by, false, beside).await.map(|_| ())
            }
            Proposed::Parameters { policy, parameters } => {
                let change = (prefecture()?, policy.as_str(), parameters.clone());
                self.set_parameters_beside(change, Some(p.base), &p.by, false, beside).await.map(|_| ())
            }
            Proposed::Deployment { policy, change } => {
                let order = DeployOrder {
                    prefecture: prefecture()?,
                    policy: policy.clone(),
                    change: change.clone(),
                    why: p.why.clone(),
                    who: p.by.clone(),
                };
                self.deploy_beside(&order, Some(p.base), beside).await.map(|_| ())
            }
            Proposed::Rules { document, text } => {
                let proposal = ProvinceProposal {
                    file: ProvinceFile::Rules,
                    document: document.clone(),
                    text: text.clone(),
                    expected: Some(p.base),
                    who: p.by.clone(),
                    dry_run: false,
                };
                self.apply_province_beside(&proposal, beside).await.map(|_| ())
            }
        }
    }
}
