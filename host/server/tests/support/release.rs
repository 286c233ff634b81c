//! The life of versions and proposals as the tests' conductor has it: four approved plugins, and proposals that one more person makes true.

use gridbell_conductor::{
    Decided, Decider, Decision, DeployOrder, Deployment, FaultLog, Needs, Progress, Proposal, ProposalOrder,
    ProposalState, Proposed, ProvinceFile, ProvinceProposal, RecallRecord, RollbackOrder, RolledBack, ShadowReport,
    Stage, Step, VersionRecord,
};
use gridbell_contract::Manifest;
use gridbell_model::{Moment, PrefectureCode};
use gridbell_planner::{Plugins as _, Policy};
use gridbell_server::{Conduct, ConductError, ParameterChange, Pending, PolicyProposal, Release, VersionStep};

use super::stand::{Shelf, Stand, done};

/// The digest of the stand's plugin `n`.
pub fn digest_of(n: usize) -> String {
    format!("{n:02}").repeat(32)
}

fn record(n: usize, m: &Manifest) -> VersionRecord {
    let at = Moment::from_unix_ms(1_700_000_000_000);
    let step = Step { stage: Stage::Approved, who: "operator".into(), at, why: "installed".into() };
    VersionRecord {
        digest: digest_of(n),
        name: m.name().to_owned(),
        version: m.version().to_owned(),
        bytes: 60_000,
        uploaded_by: "operator".into(),
        stage: Stage::Approved,
        steps: vec![step],
        report: None,
        batch_cost_us: None,
        interruptions: 0,
    }
}

fn deployment(stand: &Stand) -> Deployment {
    Deployment {
        live: digest_of(0),
        last_good: None,
        shadows: vec![],
        canary: None,
        pilot: None,
        former_test_numbers: Vec::new(),
        by: "operator".into(),
        at: stand.clock.now(),
        why: "set up".into(),
    }
}

impl Stand {
    /// What an order would change, and the version that it was read from.
    async fn weigh(&self, o: &ProposalOrder) -> Result<(Vec<gridbell_planner::Change>, u64), ConductError> {
        let version = o.prefecture.and_then(|p| self.policies(p)).map_or(0, |(_, v)| v);
        let (who, dry_run, expected) = (o.who.clone(), true, o.expected);
        let outcome = match &o.what {
            Proposed::Policies { document, text } => {
                let (document, text) = (document.clone(), text.clone());
                let prefecture = o.prefecture.unwrap();
                self.apply_policies(PolicyProposal { prefecture, document, text, who, dry_run, expected }).await?
            }
            Proposed::Parameters { policy, parameters } => {
                let (prefecture, policy) = (o.prefecture.unwrap(), policy.clone());
                let parameters = parameters.clone().into();
                self.set_parameters(ParameterChange { prefecture, policy, parameters, who, dry_run, expected }).await?
            }
            Proposed::Rules { .. } => {
                let outcome = self.apply_province(rules_of(&o.what, who, expected, true)).await?;
                return Ok((outcome.changes, outcome.version));
            }
            Proposed::Deployment { .. } | Proposed::Correction { .. } => return Ok((vec![], version)),
        };
        Ok((outcome.changes, version))
    }

    async fn make_true(&self, p: &Proposal) -> Result<(), ConductError> {
        let (who, dry_run, expected) = (p.by.clone(), false, Some(p.base));
        if let Proposed::Parameters { policy, parameters } = &p.what {
            let (prefecture, policy) = (p.prefecture.unwrap(), policy.clone());
            let parameters = parameters.clone().into();
            self.set_parameters(ParameterChange { prefecture, policy, parameters, who, dry_run, expected }).await?;
        } else if let Proposed::Policies { document, text } = &p.what {
            let (prefecture, document, text) = (p.prefecture.unwrap(), document.clone(), text.clone());
            self.apply_policies(PolicyProposal { prefecture, document, text, who, dry_run, expected }).await?;
        } else if matches!(p.what, Proposed::Rules { .. }) {
            self.apply_province(rules_of(&p.what, who, expected, dry_run)).await?;
        }
        Ok(())
    }
}

fn rules_of(what: &Proposed, who: String, expected: Option<u64>, dry_run: bool) -> ProvinceProposal {
    let Proposed::Rules { document, text } = what else { panic!("{what:?} is not about rules") };
    let (document, text) = (document.clone(), text.clone());
    ProvinceProposal { file: ProvinceFile::Rules, document, text, expected, who, dry_run }
}

impl Release for Stand {
    fn versions(&self) -> Vec<VersionRecord> {
        self.manifests.iter().enumerate().map(|(n, m)| record(n, m)).collect()
    }
    fn version(&self, reference: &str) -> Result<VersionRecord, ConductError> {
        let found = self.versions().into_iter().find(|r| r.digest == reference || r.label() == reference);
        found.ok_or_else(|| ConductError::NotFound(reference.to_owned()))
    }
    fn version_progress(&self, _: &str) -> Option<Progress> {
        None
    }
    fn version_manifest(&self, digest: &str) -> Option<Manifest> {
        let at = self.versions().iter().position(|r| r.digest == digest)?;
        self.manifests.get(at).cloned()
    }
    fn usable_manifests(&self) -> Vec<Manifest> {
        self.manifests.to_vec()
    }
    fn faults(&self, reference: &str) -> Result<FaultLog, ConductError> {
        self.version(reference).map(|_| FaultLog::default())
    }
    fn upload_version(&self, component: Vec<u8>, who: String) -> Pending<'_, VersionRecord> {
        if !component.starts_with(b"\0asm") {
            return done(Err(ConductError::Invalid(vec![("component".into(), "this is no WebAssembly".into())])));
        }
        done(Ok(VersionRecord { stage: Stage::Uploaded, uploaded_by: who, ..self.versions().remove(0) }))
    }
    fn step_version(&self, reference: String, step: VersionStep, _: String, _: String) -> Pending<'_, VersionRecord> {
        done(self.version(&reference).map(|r| match step {
            VersionStep::Approve => r,
            VersionStep::Retire => VersionRecord { stage: Stage::Retired, ..r },
            VersionStep::Cancel => VersionRecord { stage: Stage::Cancelled, ..r },
        }))
    }
    fn live_manifest(&self, _: PrefectureCode, policy: &Policy) -> Option<Manifest> {
        Shelf(&self.manifests).manifest(&policy.plugin, &policy.version).cloned()
    }
    fn deployment(&self, _: PrefectureCode, _: &str) -> Result<Option<(u64, Deployment)>, ConductError> {
        Ok(Some((1, deployment(self))))
    }
    fn last_rollback(&self, _: PrefectureCode, _: &str) -> Result<Option<RecallRecord>, ConductError> {
        Ok(None)
    }
    fn shadow_reports(&self, _: PrefectureCode, _: &str) -> Result<Vec<ShadowReport>, ConductError> {
        Ok(vec![])
    }
    fn deploy(&self, _: DeployOrder) -> Pending<'_, Deployment> {
        done(Ok(deployment(self)))
    }
    fn rollback(&self, _: RollbackOrder) -> Pending<'_, RolledBack> {
        done(Ok(RolledBack { from: vec!["b@2.0.0".into()], to: "a@1.0.0".into(), recalled: 3, left: 1, samples: 0 }))
    }
    fn proposals(&self) -> Vec<Proposal> {
        self.proposals.lock().iter().rev().cloned().collect()
    }
    fn proposal(&self, id: u64) -> Result<Proposal, ConductError> {
        let found = self.proposals.lock().iter().find(|p| p.id == id).cloned();
        found.ok_or_else(|| ConductError::NotFound(id.to_string()))
    }
    fn propose(&self, o: ProposalOrder) -> Pending<'_, Option<Proposal>> {
        Box::pin(async move {
            let (changes, base) = self.weigh(&o).await?;
            let now = self.clock.now();
            let city = matches!(o.what, Proposed::Parameters { .. });
            if changes.is_empty() && !matches!(o.what, Proposed::Deployment { .. }) {
                return Ok(None);
            }
            let mut all = self.proposals.lock();
            let proposal = Proposal {
                id: all.len() as u64 + 1,
                prefecture: o.prefecture,
                what: o.what,
                base,
                changes,
                more: 0,
                needs: if city { Needs::City } else { Needs::Province },
                by: o.who,
                why: o.why,
                at: now,
                expires: now.plus_ms(86_400_000),
                preview: o.preview.map(|digest| super::previews::remembered(digest, now)),
                state: ProposalState::Open,
                decided: None,
            };
            all.push(proposal.clone());
            Ok(Some(proposal))
        })
    }
    fn decide_proposal(&self, id: u64, decision: Decision, why: String, d: Decider) -> Pending<'_, Proposal> {
        Box::pin(async move {
            let mut p = self.proposal(id)?;
            let enough = d.province || d.city && p.needs == Needs::City || decision == Decision::Withdraw;
            if !enough || gridbell_conductor::same_person(&p.by, &d.who) != (decision == Decision::Withdraw) {
                return Err(ConductError::NotYou("another person must".into()));
            }
            if p.state != ProposalState::Open {
                return Err(ConductError::Conflict("it is not open".into()));
            }
            if decision == Decision::Approve {
                self.make_true(&p).await?;
            }
            p.state = match decision {
                Decision::Approve => ProposalState::Applied,
                Decision::Refuse => ProposalState::Refused,
                Decision::Withdraw => ProposalState::Withdrawn,
            };
            p.decided = Some(Decided { by: d.who, at: self.clock.now(), why });
            self.proposals.lock().iter_mut().filter(|o| o.id == id).for_each(|o| *o = p.clone());
            Ok(p)
        })
    }
}
