//! Changes that need a second person: policies, parameters, who decides, the province's rules. Somebody proposes, another agrees, and in the commit
//! that makes it true the proposal says so. Nobody agrees with himself, and nothing is made true that was read at another version.

mod apply;
mod record;

pub(crate) use apply::Beside;
pub use record::{
    Decided, MAX_KEPT_PROPOSALS, MAX_OPEN_PROPOSALS, Needs, PROPOSAL_DAYS, Proposal, ProposalState, Proposed,
};

use gridbell_model::{Moment, PrefectureCode};
use gridbell_planner::{Change, PolicyFile, PolicySet};
use gridbell_state::{DocChange, StateError};

use crate::deployment::DeployOrder;
use crate::documents::{self, CORRECTION, DEPLOYMENT, POLICY, PROPOSAL, PROVINCE, note};
use crate::error::HostError;
use crate::forecast::SeenPreview;
use crate::host::Host;
use crate::person::same_person;
use crate::province::{ProvinceFile, ProvinceProposal};
use crate::settings::RULES;

/// Changes that a proposal lists at most.
const MAX_LISTED: usize = 200;
/// How often a number is tried that somebody else took.
const TRIES: usize = 5;

/// What somebody wants changed.
#[derive(Clone, Debug)]
pub struct ProposalOrder {
    /// Where; none for the province.
    pub prefecture: Option<PrefectureCode>,
    /// What.
    pub what: Proposed,
    /// The version that they have read; none for the one in force.
    pub expected: Option<u64>,
    /// Why.
    pub why: String,
    /// Who.
    pub who: String,
    /// The digest of the preview that they saw; it must be of this change.
    pub preview: Option<String>,
}

/// Who wants to decide about a proposal, and what their role and scope let them agree to.
#[derive(Clone, Debug)]
pub struct Decider {
    /// Who.
    pub who: String,
    /// Whether they may agree for the city.
    pub city: bool,
    /// Whether they may agree for the province.
    pub province: bool,
}

/// What is to become of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is made true.
    Approve,
    /// It is not.
    Refuse,
    /// Its author takes it back.
    Withdraw,
}

/// A proposal before it has a number.
pub(crate) struct Draft {
    pub(crate) prefecture: Option<PrefectureCode>,
    pub(crate) base: u64,
    pub(crate) changes: Vec<Change>,
    pub(crate) needs: Needs,
    pub(crate) by: String,
    pub(crate) why: String,
    pub(crate) expires: Moment,
    pub(crate) preview: Option<SeenPreview>,
}

/// What an order comes to before it is a proposal.
struct Weighed {
    changes: Vec<Change>,
    needs: Needs,
    base: u64,
}

impl Host {
    /// Keeps a change until another person agrees; none if nothing would change.
    ///
    /// # Errors
    /// With every problem of the change, as if it were made; or when too many wait.
    pub async fn propose(&self, order: ProposalOrder) -> Result<Option<Proposal>, HostError> {
        let weighed = self.weigh(&order).await?;
        if let Some(expected) = order.expected.filter(|e| *e != weighed.base) {
            let key = order.what.subject(order.prefecture);
            return Err(StateError::Conflict { key, expected, found: weighed.base }.into());
        }
        if weighed.changes.is_empty() {
            return Ok(None);
        }
        let preview = order.preview.as_deref();
        let preview = preview.map(|digest| self.seen_preview(digest, order.prefecture, &order.what)).transpose()?;
        let draft = Draft {
            prefecture: order.prefecture,
            base: weighed.base,
            needs: weighed.needs,
            by: order.who.clone(),
            why: order.why.clone(),
            expires: self.clock().now().plus_ms(PROPOSAL_DAYS * 86_400_000),
            preview,
            changes: weighed.changes,
        };
        self.open_proposal(draft, |_| Ok((order.what.clone(), Vec::new()))).await.map(Some)
    }

    /// Keeps a proposal until another person decides, under the next number; `made` says with it what is proposed, and what else goes into the commit.
    pub(crate) async fn open_proposal(
        &self,
        draft: Draft,
        made: impl Fn(u64) -> Result<(Proposed, Vec<DocChange>), HostError>,
    ) -> Result<Proposal, HostError> {
        for _ in 0..TRIES {
            let all = self.proposals();
            if all.iter().filter(|p| p.state == ProposalState::Open).count() >= MAX_OPEN_PROPOSALS {
                let text = format!("{MAX_OPEN_PROPOSALS} proposals wait; decide about some or withdraw them first");
                return Err(HostError::Busy(text));
            }
            let id = all.iter().map(|p| p.id).max().unwrap_or(0) + 1;
            let (what, mut docs) = made(id)?;
            let proposal = Proposal {
                id,
                prefecture: draft.prefecture,
                what,
                base: draft.base,
                changes: draft.changes.iter().take(MAX_LISTED).cloned().collect(),
                more: draft.changes.len().saturating_sub(MAX_LISTED) as u64,
                needs: draft.needs,
                by: draft.by.clone(),
                why: draft.why.chars().take(crate::versions::MAX_WHY).collect(),
                at: self.clock().now(),
                expires: draft.expires,
                preview: draft.preview.clone(),
                state: ProposalState::Open,
                decided: None,
            };
            docs.push(documents::put(PROPOSAL, &proposal.key(), &proposal, Some(0))?);
            docs.extend(record::too_old(&all));
            let detail = serde_json::json!({
                "what": proposal.what.word(), "needs": proposal.needs, "why": proposal.why,
                "preview": proposal.preview.as_ref().map(|p| &p.digest),
            });
            let subject = format!("{} {}", proposal.key(), proposal.what.subject(draft.prefecture));
            let audit = vec![note(&draft.by, "proposal.create", &subject, detail)];
            match self.state().put_docs(docs, audit).await {
                Ok(_) => return Ok(proposal),
                Err(StateError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(HostError::Busy("too many propose at once; try again".to_owned()))
    }

    /// All proposals, newest first, each as it stands now.
    #[must_use]
    pub fn proposals(&self) -> Vec<Proposal> {
        let docs = self.state().docs(PROPOSAL).into_iter().rev();
        docs.filter_map(|(key, doc)| documents::parse::<Proposal>(PROPOSAL, &key, &doc.value).ok())
            .map(|p| self.as_it_stands(p))
            .collect()
    }

    /// One proposal, as it stands now.
    ///
    /// # Errors
    /// When there is none.
    pub fn proposal(&self, id: u64) -> Result<Proposal, HostError> {
        let found = documents::read::<Proposal>(self.state(), PROPOSAL, &record::key(id))?;
        found.map(|(_, p)| self.as_it_stands(p)).ok_or(HostError::NoProposal(id))
    }

    /// Agrees, refuses or takes back. Agreeing makes the change true in the same commit, if what it was read from is still in force.
    ///
    /// # Errors
    /// When it is not open, is stale, or `decider` may not.
    pub async fn decide_proposal(
        &self,
        id: u64,
        decision: Decision,
        why: &str,
        decider: &Decider,
    ) -> Result<Proposal, HostError> {
        let proposal = self.proposal(id)?;
        if proposal.state != ProposalState::Open {
            let text = format!("proposal {id} is {}: it cannot be decided about", proposal.state.word());
            return Err(HostError::Refused(text));
        }
        let own = same_person(&proposal.by, &decider.who);
        match decision {
            Decision::Withdraw if !own => {
                return Err(HostError::NotYours(format!("proposal {id} is another person's to withdraw")));
            }
            Decision::Withdraw => {}
            // Refusing one's own is withdrawing it; agreeing with oneself is nothing.
            Decision::Approve | Decision::Refuse if own => {
                return Err(HostError::OwnWork { who: decider.who.clone(), what: format!("proposal {id}") });
            }
            Decision::Approve | Decision::Refuse => match proposal.needs {
                Needs::Province if !decider.province => {
                    let text = format!("proposal {id} needs an approver of the province's");
                    return Err(HostError::NotYours(text));
                }
                Needs::City if !(decider.city || decider.province) => {
                    let text = format!("proposal {id} needs a second person of the city's, or the province's approver");
                    return Err(HostError::NotYours(text));
                }
                Needs::Province | Needs::City => {}
            },
        }
        self.close_proposal(proposal, decision, why, &decider.who).await
    }

    /// Open ones whose time is over or whose base changed are no longer open.
    fn as_it_stands(&self, mut proposal: Proposal) -> Proposal {
        if proposal.state == ProposalState::Open {
            if self.clock().now() >= proposal.expires {
                proposal.state = ProposalState::Expired;
            } else if self.base_of(proposal.prefecture, &proposal.what) != proposal.base {
                proposal.state = ProposalState::Stale;
            }
        }
        proposal
    }

    /// The version of the document that the change is about.
    fn base_of(&self, prefecture: Option<PrefectureCode>, what: &Proposed) -> u64 {
        let city = prefecture.map_or_else(String::new, |p| p.to_string());
        let (kind, key) = match what {
            Proposed::Policies { .. } | Proposed::Parameters { .. } => (POLICY, city),
            Proposed::Deployment { policy, .. } => (DEPLOYMENT, format!("{city}/{policy}")),
            Proposed::Rules { .. } => (PROVINCE, RULES.to_owned()),
            Proposed::Correction { correction, .. } => (CORRECTION, crate::correction::key(*correction)),
        };
        self.state().doc(kind, &key).map_or(0, |d| d.version)
    }

    /// Checks the change as if it were made, and who must agree.
    async fn weigh(&self, order: &ProposalOrder) -> Result<Weighed, HostError> {
        let base = self.base_of(order.prefecture, &order.what);
        let needs_city =
            || order.prefecture.ok_or_else(|| HostError::Invalid("it is some prefecture's: say whose".to_owned()));
        let (changes, needs) = match &order.what {
            Proposed::Policies { document, text } => {
                let set = PolicyFile::parse(document, text)?.set;
                if Some(set.prefecture) != order.prefecture {
                    return Err(HostError::Invalid(format!("the file is for prefecture `{}`", set.prefecture)));
                }
                let changes = self.apply_policies(document, text, None, &order.who, true).await?;
                let needs = self.needs_of(&changes, &set)?;
                (changes, needs)
            }
            Proposed::Parameters { policy, parameters } => {
                let prefecture = needs_city()?;
                let changes =
                    self.set_parameters(prefecture, policy, parameters.clone(), None, &order.who, true).await?;
                let plugin = self.policy(prefecture, policy)?.plugin;
                let within = self.settings()?.rules.beyond_limits(&plugin, parameters).is_empty();
                (changes, if within { Needs::City } else { Needs::Province })
            }
            Proposed::Deployment { policy, change } => {
                let (prefecture, who) = (needs_city()?, order.who.clone());
                let order =
                    DeployOrder { prefecture, policy: policy.clone(), change: change.clone(), why: String::new(), who };
                (self.deployment_changes(&order)?, Needs::Province)
            }
            Proposed::Rules { document, text } => {
                let proposal = ProvinceProposal {
                    file: ProvinceFile::Rules,
                    document: document.clone(),
                    text: text.clone(),
                    expected: None,
                    who: order.who.clone(),
                    dry_run: true,
                };
                (self.apply_province(&proposal).await?.changes, Needs::Province)
            }
            Proposed::Correction { .. } => {
                let text = "a correction is proposed with its list of recipients: `gridbell correct`";
                return Err(HostError::Invalid(text.to_owned()));
            }
        };
        Ok(Weighed { changes, needs, base })
    }

    /// Parameters within the province's limits are the city's; everything else in a policy file is the province's.
    fn needs_of(&self, changes: &[Change], set: &PolicySet) -> Result<Needs, HostError> {
        let rules = self.settings()?.rules;
        let parameters_only = changes.iter().all(|c| c.path.contains(".parameters"));
        let within = set.policies.iter().all(|p| rules.beyond_limits(&p.plugin, &p.parameters).is_empty());
        Ok(if parameters_only && within { Needs::City } else { Needs::Province })
    }

    /// What a change of who decides comes to, as an office reads it.
    fn deployment_changes(&self, order: &DeployOrder) -> Result<Vec<Change>, HostError> {
        let new = self.check_deployment(order)?;
        let old = self.deployment(order.prefecture, &order.policy)?.map(|(_, d)| d);
        let label = |d: &String| self.version(d).map_or_else(|_| d.clone(), |r| r.label());
        let shown = |d: &crate::deployment::Deployment| {
            let canary = d.canary.as_ref().map(|c| format!("{} {} %", label(&c.digest), c.percent));
            let pilot = d.pilot.as_ref().map(|p| {
                let stations: Vec<String> = p.stations.iter().map(ToString::to_string).collect();
                let numbers: Vec<String> = p.test_numbers.iter().map(ToString::to_string).collect();
                let numbers =
                    if numbers.is_empty() { String::new() } else { format!("；样张发往 {}", numbers.join("、")) };
                format!("{}: {}{numbers}", label(&p.digest), stations.join(", "))
            });
            [("live", "正式版本", Some(label(&d.live))), ("canary", "灰度", canary), ("pilot", "试点", pilot)]
        };
        let before = match &old {
            Some(old) => shown(old),
            None => {
                let policy = self.policy(order.prefecture, &order.policy)?;
                let live = self.live_plugin(order.prefecture, &policy).ok().map(|p| label(&p.digest().to_string()));
                [("live", "正式版本", live), ("canary", "灰度", None), ("pilot", "试点", None)]
            }
        };
        let pairs = before.into_iter().zip(shown(&new)).filter(|((.., from), (.., to))| from != to);
        Ok(pairs
            .map(|((word, title, from), (.., to))| Change {
                path: format!("{}.{word}", order.policy),
                label: format!("{} · {title}", order.policy),
                from,
                to,
            })
            .collect())
    }
}
