//! Applying what people propose: policy files, parameters, the province's rules and texts. A bad document leaves the old one in force.

use gridbell_contract::Manifest;
use gridbell_model::{Channel, CivilMinute, PrefectureCode, Topic};
use gridbell_planner::{
    Change, CorrectionText, Event, PolicyFile, PolicySet, Problem, Problems, ProvinceRules, Template, TemplateFile,
    TemplateSet, TemplateStatus, TextPlan, check_policy, corrected_topic, diff, title_parameters,
};
use gridbell_state::DocChange;

use crate::documents::{self, CHANGED_BY, POLICY, PROVINCE, SCHEDULE, note};
use crate::error::HostError;
use crate::host::Host;
use crate::person::same_person;
use crate::proposals::Beside;
use crate::province::{ProvinceFile, ProvinceProposal};
use crate::runs::schedule_key;
use crate::settings::{RULES, TEMPLATES};
use crate::versions::Pinned;

impl Host {
    /// Applies a policy file: checked against the plugins' schemas and the province's rules, the difference returned, recorded with who did it.
    /// A dry run changes nothing.
    ///
    /// # Errors
    /// With every problem, its line and the schema's own words; the policies in force stay.
    pub async fn apply_policies(
        &self,
        file: &str,
        text: &str,
        expected: Option<u64>,
        who: &str,
        dry_run: bool,
    ) -> Result<Vec<Change>, HostError> {
        self.apply_policies_beside(file, text, expected, who, dry_run, Beside::default()).await
    }

    pub(crate) async fn apply_policies_beside(
        &self,
        file: &str,
        text: &str,
        expected: Option<u64>,
        who: &str,
        dry_run: bool,
        beside: Beside,
    ) -> Result<Vec<Change>, HostError> {
        let parsed = PolicyFile::parse(file, text)?;
        let settings = self.settings()?;
        let catalog = self.catalog();
        let pinned = Pinned { catalog: &catalog, first: self.first_plugins(parsed.set.prefecture) };
        parsed.check(&pinned, &settings.rules)?;
        Problems::refuse(file, self.unknown_scopes(&parsed))?;
        self.apply_set(file, parsed.set, expected, (who, "policy.apply"), dry_run, beside).await
    }

    /// Sets the parameters of one policy.
    ///
    /// # Errors
    /// With every problem in the schema's words, or [`gridbell_state::StateError::Conflict`] when somebody was faster.
    pub async fn set_parameters(
        &self,
        prefecture: PrefectureCode,
        policy: &str,
        parameters: serde_json::Map<String, serde_json::Value>,
        expected: Option<u64>,
        who: &str,
        dry_run: bool,
    ) -> Result<Vec<Change>, HostError> {
        let change = (prefecture, policy, parameters);
        self.set_parameters_beside(change, expected, who, dry_run, Beside::default()).await
    }

    pub(crate) async fn set_parameters_beside(
        &self,
        (prefecture, policy, parameters): (PrefectureCode, &str, serde_json::Map<String, serde_json::Value>),
        expected: Option<u64>,
        who: &str,
        dry_run: bool,
        beside: Beside,
    ) -> Result<Vec<Change>, HostError> {
        self.policy(prefecture, policy)?;
        let (_, set) = self.policies(prefecture).ok_or(HostError::NoPolicies(prefecture))?;
        let mut set = (*set).clone();
        let Some(target) = set.policies.iter_mut().find(|p| p.name == policy) else {
            return Err(HostError::NoPolicies(prefecture));
        };
        target.parameters = parameters;
        let catalog = self.catalog();
        let pinned = Pinned { catalog: &catalog, first: self.live_plugin(prefecture, target).into_iter().collect() };
        Problems::refuse(policy, check_policy(target, &pinned, &self.settings()?.rules))?;
        self.apply_set(policy, set, expected, (who, "policy.parameters"), dry_run, beside).await
    }

    /// Policies whose unit there is not, or not in their prefecture, each at its line.
    fn unknown_scopes(&self, file: &PolicyFile) -> Vec<Problem> {
        let org = self.state().org();
        let problem = |(at, policy): (usize, &gridbell_planner::Policy)| {
            let message = crate::province::scope_problem(&org, file.set.prefecture, policy.scope?)?;
            Some(Problem {
                place: file.place(at, "/scope"),
                field: format!("policy `{}`, scope", policy.name),
                message,
            })
        };
        file.set.policies.iter().enumerate().filter_map(problem).collect()
    }

    async fn apply_set(
        &self,
        document: &str,
        set: PolicySet,
        expected: Option<u64>,
        (who, action): (&str, &str),
        dry_run: bool,
        beside: Beside,
    ) -> Result<Vec<Change>, HostError> {
        Problems::refuse(document, not_yet(&set))?;
        let old = self.policies(set.prefecture).map(|(_, old)| old);
        let mut changes = diff(old.as_deref(), &set);
        title_parameters(&mut changes, &set, &*self.catalog());
        if dry_run || changes.is_empty() {
            return Ok(changes);
        }
        let key = set.prefecture.to_string();
        let mut docs = vec![documents::put(POLICY, &key, &set, expected)?];
        docs.extend(self.first_occurrences(&set)?);
        docs.extend(self.first_versions(&set, who)?);
        for policy in &set.policies {
            let changed = old.as_deref().and_then(|o| o.policy(&policy.name)) != Some(policy);
            if changed {
                docs.push(documents::put(CHANGED_BY, &format!("{key}/{}", policy.name), &who, None)?);
            }
        }
        let told: Vec<String> = changes.iter().map(|c| format!("{}: {:?} → {:?}", c.path, c.from, c.to)).collect();
        docs.extend(beside.docs);
        let mut audit = vec![note(who, action, &format!("policy/{key}"), told)];
        audit.extend(beside.audit);
        self.state().put_docs(docs, audit).await?;
        self.reload_policies()?;
        Ok(changes)
    }

    /// A schedule that is new owes nothing from before now.
    fn first_occurrences(&self, set: &PolicySet) -> Result<Vec<DocChange>, HostError> {
        let now: CivilMinute = self.clock().civil_minute();
        let mut docs = Vec::new();
        for policy in &set.policies {
            for schedule in &policy.schedules {
                let key = schedule_key(set.prefecture, &policy.name, &schedule.name);
                if self.state().doc(SCHEDULE, &key).is_none() {
                    docs.push(documents::put(SCHEDULE, &key, &now, None)?);
                }
            }
        }
        Ok(docs)
    }

    /// Applies the province's rules from a TOML file.
    ///
    /// # Errors
    /// With every problem and its line; the rules in force stay.
    pub async fn apply_rules(&self, file: &str, text: &str, who: &str) -> Result<(), HostError> {
        self.replace(ProvinceFile::Rules, file, text, who).await
    }

    /// Applies the calendar of working days from a TOML file.
    ///
    /// # Errors
    /// With every problem and its line.
    pub async fn apply_calendar(&self, file: &str, text: &str, who: &str) -> Result<(), HostError> {
        self.replace(ProvinceFile::Calendar, file, text, who).await
    }

    /// Applies the carriers' number segments from a TOML file.
    ///
    /// # Errors
    /// When the file is not one of segments.
    pub async fn apply_segments(&self, file: &str, text: &str, who: &str) -> Result<(), HostError> {
        self.replace(ProvinceFile::Segments, file, text, who).await
    }

    async fn replace(&self, file: ProvinceFile, document: &str, text: &str, who: &str) -> Result<(), HostError> {
        let proposal = ProvinceProposal {
            file,
            document: document.to_owned(),
            text: text.to_owned(),
            expected: None,
            who: who.to_owned(),
            dry_run: false,
        };
        self.apply_province(&proposal).await.map(|_| ())
    }

    /// Applies all texts from a TOML file, checked against the notices of the plugins that are there.
    ///
    /// # Errors
    /// With every problem and its line.
    pub async fn apply_templates(&self, file: &str, text: &str, who: &str) -> Result<(), HostError> {
        let parsed = TemplateFile::parse(file, text)?;
        let rules = self.province_rules()?;
        parsed.check(&self.catalog().manifests(), &rules)?;
        self.put_province(TEMPLATES, documents::put(PROVINCE, TEMPLATES, &parsed.set, None)?, who).await
    }

    /// A likely text of `template`, checked as when it is saved.
    ///
    /// # Errors
    /// With line and column within the text.
    pub fn preview_template(&self, template: &Template) -> Result<TextPlan, HostError> {
        let settings = self.settings()?;
        if template.topic == Topic::Correction {
            let topic = corrected_topic(template)?;
            let text = CorrectionText::new(&template.text, template.channel, topic, &settings.rules)?;
            return Ok(text.sample().clone());
        }
        let manifests = self.catalog().manifests();
        let notice = manifests
            .iter()
            .filter(|m| m.topic() == template.topic)
            .flat_map(Manifest::notices)
            .find(|n| n.name == template.notice)
            .ok_or_else(|| {
                let (topic, notice) = (template.topic, &template.notice);
                HostError::Invalid(format!("no plugin of topic `{topic}` has a notice `{notice}`"))
            })?;
        Ok(template.compile(notice, &settings.rules)?.sample().clone())
    }

    /// Saves a text as a new draft.
    ///
    /// # Errors
    /// When the text does not fit the notice, or somebody was faster.
    pub async fn put_template(
        &self,
        mut template: Template,
        expected: Option<u64>,
        who: &str,
    ) -> Result<Template, HostError> {
        self.preview_template(&template)?;
        let (version, mut set) = self.template_set()?;
        let like = |t: &&Template| same_text(t, template.topic, &template.notice, template.channel);
        template.version = set.templates.iter().filter(like).map(|t| t.version).max().unwrap_or(0) + 1;
        template.status = TemplateStatus::Draft;
        set.templates.push(template.clone());
        let author = documents::put(CHANGED_BY, &author_key(&template), &who, None)?;
        self.save_templates(set, expected.unwrap_or(version), vec![author], "template.save", &template, who).await?;
        Ok(template)
    }

    /// Approves a draft as it stands. Nobody approves his own.
    ///
    /// # Errors
    /// When there is no such draft or `who` wrote it.
    pub async fn approve_template(
        &self,
        topic: Topic,
        notice: &str,
        channel: Channel,
        version: u32,
        who: &str,
    ) -> Result<(), HostError> {
        let (doc_version, mut set) = self.template_set()?;
        let found = set.templates.iter_mut().find(|t| same_text(t, topic, notice, channel) && t.version == version);
        let Some(draft) = found.filter(|t| t.status == TemplateStatus::Draft) else {
            return Err(HostError::Invalid(format!("there is no draft {version} of {topic}/{notice}/{channel}")));
        };
        let author = documents::read::<String>(self.state(), CHANGED_BY, &author_key(draft))?;
        if author.is_some_and(|(_, a)| same_person(&a, who)) {
            return Err(HostError::OwnText { who: who.to_owned() });
        }
        draft.status = TemplateStatus::Approved;
        let approved = draft.clone();
        self.save_templates(set, doc_version, Vec::new(), "template.approve", &approved, who).await
    }

    fn template_set(&self) -> Result<(u64, TemplateSet), HostError> {
        documents::read::<TemplateSet>(self.state(), PROVINCE, TEMPLATES)?
            .ok_or_else(|| HostError::Invalid("apply the province's texts first".to_owned()))
    }

    async fn save_templates(
        &self,
        set: TemplateSet,
        expected: u64,
        mut docs: Vec<DocChange>,
        action: &str,
        template: &Template,
        who: &str,
    ) -> Result<(), HostError> {
        docs.push(documents::put(PROVINCE, TEMPLATES, &set, Some(expected))?);
        let subject =
            format!("template/{}/{}/{}/{}", template.topic, template.notice, template.channel, template.version);
        self.state().put_docs(docs, vec![note(who, action, &subject, &template.text)]).await?;
        self.reload_settings()
    }

    fn province_rules(&self) -> Result<ProvinceRules, HostError> {
        documents::read::<ProvinceRules>(self.state(), PROVINCE, RULES)?
            .map(|(_, rules)| rules)
            .ok_or_else(|| HostError::Invalid("apply the province's rules first".to_owned()))
    }

    async fn put_province(&self, name: &str, doc: DocChange, who: &str) -> Result<(), HostError> {
        let unchanged = self.state().doc(PROVINCE, name).is_some_and(|d| Some(&*d.value) == doc.value.as_deref());
        if !unchanged {
            let action = format!("{name}.apply");
            self.state().put_docs(vec![doc], vec![note(who, &action, &format!("province/{name}"), "")]).await?;
        }
        self.reload_settings()
    }
}

fn same_text(t: &Template, topic: Topic, notice: &str, channel: Channel) -> bool {
    t.topic == topic && t.notice == notice && t.channel == channel
}

/// Under which document the author of a text is kept.
fn author_key(t: &Template) -> String {
    format!("template/{}/{}/{}/{}", t.topic, t.notice, t.channel, t.version)
}

/// What policies may not ask for yet.
pub(crate) fn not_yet(set: &PolicySet) -> Vec<Problem> {
    const SAID: [Topic; 4] = [Topic::ArrearsReminder, Topic::BillNotice, Topic::BalanceWarning, Topic::PaymentReceived];
    let mut problems = Vec::new();
    for policy in &set.policies {
        let mut note = |field: &str, message: String| {
            problems.push(Problem { place: None, field: format!("policy `{}`, {field}", policy.name), message });
        };
        if !SAID.contains(&policy.topic) {
            note("topic", format!("`{}` keeps no record of what was said and so could be told twice", policy.topic));
        }
        for event in policy.events.iter().filter(|e| **e != Event::PaymentReceived) {
            note("events", format!("`{}` is not collected by this version; use a schedule", event.word()));
        }
        let telling = |p: &&gridbell_planner::Policy| p.enabled && p.events.contains(&Event::PaymentReceived);
        let first = set.policies.iter().find(telling).filter(|first| telling(&policy) && first.name != policy.name);
        if let Some(first) = first {
            // A payment waits for one run: the second policy would see none.
            note("events", format!("`{}` tells of payments already; one policy of a prefecture can", first.name));
        }
    }
    problems
}
