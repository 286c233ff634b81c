//! Corrections as the tests' conductor has them: one in Taiyuan that waits, and what a further one would do.

use std::collections::BTreeMap;

use gridbell_conductor::{
    Correction, CorrectionChange, CorrectionCounts, CorrectionEnds, CorrectionOrder, CorrectionPart, CorrectionPreview,
    CorrectionRow, CorrectionScope, CorrectionState, Recipient, RecipientSeen, Wrong,
};
use gridbell_model::{Channel, HoldReason, MessageId, MessageState, Phone, PrefectureCode, RunId, Topic};
use gridbell_planner::TextPlan;
use gridbell_server::{ConductError, Correct, Pending};

use super::stand::Stand;

const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
const TEXT: &str = "昨日短信有误，深表歉意。";

fn counts() -> CorrectionCounts {
    CorrectionCounts {
        told: BTreeMap::from([(Channel::Sms, 2)]),
        held: BTreeMap::from([(HoldReason::SuspendedAddress, 1)]),
        parts: 2,
        cost_milli_fen: 7_000,
    }
}

fn recipients() -> Vec<Recipient> {
    let one = |n: u32, held| Recipient {
        account: format!("{:010}", 8 + n).parse().unwrap(),
        message: MessageId::new(TAIYUAN, n + 1),
        channel: Channel::Sms,
        state: MessageState::Delivered,
        held,
    };
    vec![one(0, None), one(1, None), one(2, Some(HoldReason::SuspendedAddress))]
}

impl Stand {
    fn kept_correction(&self, id: u64, scope: CorrectionScope, by: &str, why: &str) -> Correction {
        let now = self.clock.now();
        Correction {
            id,
            scope,
            topic: Topic::ArrearsReminder,
            texts: BTreeMap::from([(Channel::Sms, TEXT.to_owned())]),
            states_fact: false,
            tells_account: false,
            wrong: vec![RunId(1)],
            counts: counts(),
            recalled: 4,
            parts: vec![CorrectionPart {
                prefecture: TAIYUAN,
                policy: "arrears-reminder".into(),
                plugin: ("arrears-reminder".into(), "0.1.0".into(), "00".into()),
                listed: 3,
                chunks: 1,
                list: "00".into(),
                cost_per_part_milli_fen: 3_500,
                runs: vec![],
                settled: false,
            }],
            digest: "5f".repeat(32),
            by: by.into(),
            why: why.into(),
            at: now,
            expires: now.plus_ms(86_400_000),
            decision: CorrectionState::Open,
            decided: None,
        }
    }
}

impl Correct for Stand {
    fn corrections(&self) -> Vec<Correction> {
        let scope = CorrectionScope { wrong: Wrong::Run(RunId(1)), prefecture: None, from: None, to: None };
        vec![self.kept_correction(1, scope, "operator", "价目有误")]
    }
    fn correction(&self, id: u64) -> Result<Correction, ConductError> {
        let found = self.corrections().into_iter().find(|c| c.id == id);
        found.ok_or_else(|| ConductError::NotFound(format!("C{id}")))
    }
    fn preview_correction(&self, order: CorrectionOrder) -> Pending<'_, CorrectionPreview> {
        let text = TextPlan { text: format!("【国网】{TEXT}"), chars: 16, parts: 1, cost_milli_fen: 3_500 };
        let row = |recipient: Recipient| CorrectionRow {
            recipient,
            phone: Phone::from_text("13812341234"),
            text: recipient.held.is_none().then(|| text.clone()),
        };
        let would = CorrectionPreview {
            topic: Topic::ArrearsReminder,
            runs: vec![RunId(1)],
            waiting: 4,
            texts: order.texts,
            counts: counts(),
            first: recipients().into_iter().map(row).collect(),
        };
        Box::pin(async move { Ok(would) })
    }
    fn propose_correction(&self, order: CorrectionOrder) -> Pending<'_, Correction> {
        let made = self.kept_correction(2, order.scope, &order.who, &order.why);
        Box::pin(async move { Ok(made) })
    }
    fn correction_change(&self, _: Correction) -> Pending<'_, CorrectionChange> {
        Box::pin(async move { Ok(CorrectionChange { never_came: 1, held: BTreeMap::new(), not_listed: 2 }) })
    }
    fn correction_ends(&self, _: Correction) -> Pending<'_, CorrectionEnds> {
        Box::pin(async move { Ok(CorrectionEnds::default()) })
    }
    fn correction_recipients(
        &self,
        _: Correction,
        from: usize,
        limit: usize,
    ) -> Pending<'_, (Vec<RecipientSeen>, bool)> {
        let all = recipients();
        let more = from + limit < all.len();
        let seen = |recipient: Recipient| RecipientSeen {
            recipient,
            phone: Phone::from_text("13812341234"),
            correction: None,
            state: None,
            held: recipient.held,
        };
        let page = all.into_iter().skip(from).take(limit).map(seen).collect();
        Box::pin(async move { Ok((page, more)) })
    }
}
