//! Role × scope × route: every operation of the document, asked by every role within and outside its scope.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use std::collections::BTreeSet;

use gridbell_conductor::{ProvinceFile, ProvinceProposal};
use gridbell_server::{Action, Role};
use gridbell_topology::{GridFact, LineFact, SectionFact, Spot, SubstationFact, TransformerFact};
use serde_json::{Value, json};
use support::{Desk, TAIYUAN, stand, token};

/// Where the thing lies that an operation asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Site {
    /// A customer or unit of Taiyuan: 404 from elsewhere.
    Taiyuan,
    /// The province's: 404 from a prefecture.
    Province,
    /// Nobody's in particular: asked for within whatever scope there is.
    Anywhere,
}

struct Case {
    operation: &'static str,
    path: String,
    action: Option<Action>,
    site: Site,
    body: Option<Value>,
}

fn cases() -> Vec<Case> {
    use Action as A;
    use Site as S;
    let account = "0000000008";
    let bill = json!({ "rows": [{ "account": account, "period": 202611, "amount_fen": 1, "issued": "2026-11-21", "late_fee_from": "2026-11-28", "as_of": "2026-11-21" }] });
    let customer = json!({ "station": 14010501 });
    let template = json!({ "topic": "arrears-reminder", "notice": "reminder", "channel": "sms", "text": "您好！截至{{ as_of }}，户号尾号{{ account_tail }}有电费{{ amount }}元待缴，{{ late_fee_from }}起将产生违约金。" });
    let approval = json!({ "topic": "arrears-reminder", "notice": "reminder", "channel": "sms", "version": 1 });
    let run = json!({ "prefecture": 140100, "policy": "arrears-reminder", "dry_run": true });
    let user = json!({ "title": "新人", "role": "clerk", "scope": 140105, "password": "long enough it is" });
    let plugin = |rest: &str| format!("/v1/plugins/arrears-reminder@0.1.0{rest}");
    let policy = |rest: &str| format!("/v1/policies/140100/arrears-reminder/{rest}");
    let because = || Some(json!({ "why": "试验" }));
    let outage = |rest: &str| format!("/v1/outages/O00000001{rest}");
    let tail = |rest: &str| format!("/v1/customers/{account}{rest}");
    let case = |operation, path: String, action, site, body| Case { operation, path, action, site, body };
    vec![
        case("GET /v1/me", "/v1/me".into(), None, S::Anywhere, None),
        case("GET /v1/customers", "/v1/customers?org=140105".into(), Some(A::CustomerRead), S::Taiyuan, None),
        case("GET /v1/customers/{account}", tail(""), Some(A::CustomerRead), S::Taiyuan, None),
        case("PUT /v1/customers/{account}", tail(""), Some(A::CustomerWrite), S::Taiyuan, Some(customer)),
        case(
            "PATCH /v1/customers/{account}",
            tail(""),
            Some(A::ContactWrite),
            S::Taiyuan,
            Some(json!({ "suspended": true })),
        ),
        case(
            "DELETE /v1/customers/{account}/contact",
            "/v1/customers/0000000012/contact".into(),
            Some(A::Erase),
            S::Taiyuan,
            None,
        ),
        case("GET /v1/customers/{account}/contacts", tail("/contacts"), Some(A::CustomerRead), S::Taiyuan, None),
        case(
            "PUT /v1/customers/{account}/contacts/{channel}",
            tail("/contacts/wechat"),
            Some(A::ContactWrite),
            S::Taiyuan,
            Some(json!({ "id": "oFollower0000000000000000001", "source": "counter" })),
        ),
        case(
            "DELETE /v1/customers/{account}/contacts/{channel}",
            tail("/contacts/wechat"),
            Some(A::ContactWrite),
            S::Taiyuan,
            None,
        ),
        case("GET /v1/customers/{account}/preferences", tail("/preferences"), Some(A::CustomerRead), S::Taiyuan, None),
        case(
            "PUT /v1/customers/{account}/preferences",
            tail("/preferences"),
            Some(A::PreferenceWrite),
            S::Taiyuan,
            Some(json!({ "source": "counter", "preferences": { "marketing": false } })),
        ),
        case("GET /v1/customers/{account}/held", tail("/held"), Some(A::CustomerRead), S::Taiyuan, None),
        case("GET /v1/customers/{account}/explain", tail("/explain"), Some(A::MessageRead), S::Taiyuan, None),
        case("POST /v1/bills", "/v1/bills".into(), Some(A::FactsWrite), S::Anywhere, Some(bill)),
        case(
            "POST /v1/balances",
            "/v1/balances".into(),
            Some(A::FactsWrite),
            S::Anywhere,
            Some(json!({ "rows": [{ "account": account, "balance_fen": 1, "as_of": "2026-11-21" }] })),
        ),
        case(
            "POST /v1/payments",
            "/v1/payments".into(),
            Some(A::FactsWrite),
            S::Anywhere,
            Some(
                json!({ "rows": [{ "account": account, "payment_id": "p1", "amount_fen": 1, "paid_at": "2026-11-21T09:00" }] }),
            ),
        ),
        case("GET /v1/imports", "/v1/imports".into(), Some(A::ImportRead), S::Anywhere, None),
        case("POST /v1/imports/customers", "/v1/imports/customers".into(), Some(A::Import), S::Anywhere, None),
        case("POST /v1/imports/bills", "/v1/imports/bills".into(), Some(A::Import), S::Anywhere, None),
        case("POST /v1/imports/balances", "/v1/imports/balances".into(), Some(A::Import), S::Anywhere, None),
        case("POST /v1/imports/contacts", "/v1/imports/contacts".into(), Some(A::Import), S::Anywhere, None),
        case("POST /v1/imports/ported", "/v1/imports/ported".into(), Some(A::Import), S::Province, None),
        case("POST /v1/imports/substations", "/v1/imports/substations".into(), Some(A::Import), S::Province, None),
        case("POST /v1/imports/lines", "/v1/imports/lines".into(), Some(A::Import), S::Province, None),
        case("POST /v1/imports/sections", "/v1/imports/sections".into(), Some(A::Import), S::Province, None),
        case("POST /v1/imports/transformers", "/v1/imports/transformers".into(), Some(A::Import), S::Province, None),
        case("POST /v1/imports/supply", "/v1/imports/supply".into(), Some(A::Import), S::Anywhere, None),
        case("GET /v1/topology", "/v1/topology".into(), Some(A::CustomerRead), S::Anywhere, None),
        case("GET /v1/topology/things", "/v1/topology/things?code=L1".into(), Some(A::CustomerRead), S::Anywhere, None),
        case("GET /v1/topology/check", "/v1/topology/check".into(), Some(A::CustomerRead), S::Anywhere, None),
        case("GET /v1/topology/feeds", "/v1/topology/feeds".into(), Some(A::CustomerRead), S::Anywhere, None),
        case(
            "POST /v1/topology/feeds",
            "/v1/topology/feeds".into(),
            Some(A::ProvinceWrite),
            S::Province,
            Some(json!({ "section": "S2", "from_line": "L2", "since": "2026-11-21T09:00", "why": "试验" })),
        ),
        case(
            "POST /v1/topology/feeds/end",
            "/v1/topology/feeds/end".into(),
            Some(A::ProvinceWrite),
            S::Province,
            Some(json!({ "section": "S2", "why": "试验" })),
        ),
        case(
            "POST /v1/topology/remove",
            "/v1/topology/remove".into(),
            Some(A::ProvinceWrite),
            S::Province,
            Some(json!({ "kind": "transformer", "code": "T9", "why": "试验" })),
        ),
        case("POST /v1/imports/payments", "/v1/imports/payments".into(), Some(A::Import), S::Anywhere, None),
        case("GET /v1/imports/{id}", "/v1/imports/I1".into(), Some(A::ImportRead), S::Taiyuan, None),
        case("GET /v1/imports/{id}/rejects", "/v1/imports/I1/rejects".into(), Some(A::ImportRead), S::Taiyuan, None),
        case("GET /v1/org-units", "/v1/org-units".into(), None, S::Anywhere, None),
        case("PUT /v1/org-units", "/v1/org-units".into(), Some(A::ProvinceWrite), S::Province, None),
        case("GET /v1/rules", "/v1/rules".into(), Some(A::PolicyRead), S::Anywhere, None),
        case("PUT /v1/rules", "/v1/rules".into(), Some(A::ProvinceWrite), S::Province, None),
        case("GET /v1/calendar", "/v1/calendar".into(), Some(A::PolicyRead), S::Anywhere, None),
        case("PUT /v1/calendar", "/v1/calendar".into(), Some(A::ProvinceWrite), S::Province, None),
        case("GET /v1/segments", "/v1/segments".into(), Some(A::PolicyRead), S::Anywhere, None),
        case("PUT /v1/segments", "/v1/segments".into(), Some(A::ProvinceWrite), S::Province, None),
        case("GET /v1/ported", "/v1/ported".into(), Some(A::PolicyRead), S::Anywhere, None),
        case(
            "GET /v1/ported/number",
            "/v1/ported/number?number=13800000000".into(),
            Some(A::CustomerRead),
            S::Province,
            None,
        ),
        case(
            "POST /v1/ported/forget",
            "/v1/ported/forget".into(),
            Some(A::ProvinceWrite),
            S::Province,
            Some(json!({ "number": "13800000000", "why": "试验" })),
        ),
        case("GET /v1/backups", "/v1/backups".into(), Some(A::Backup), S::Province, None),
        case("POST /v1/backups", "/v1/backups".into(), Some(A::Backup), S::Province, None),
        case("GET /v1/policies", "/v1/policies".into(), Some(A::PolicyRead), S::Anywhere, None),
        case("GET /v1/policies/{prefecture}", "/v1/policies/140100".into(), Some(A::PolicyRead), S::Taiyuan, None),
        case(
            "PUT /v1/policies/{prefecture}",
            "/v1/policies/140100?dry_run=true".into(),
            Some(A::PolicyWrite),
            S::Taiyuan,
            Some(json!({ "document": "x.toml", "text": support::repo("policies/140100-taiyuan.toml") })),
        ),
        case(
            "GET /v1/policies/{prefecture}/{policy}",
            "/v1/policies/140100/arrears-reminder".into(),
            Some(A::PolicyRead),
            S::Taiyuan,
            None,
        ),
        case(
            "PATCH /v1/policies/{prefecture}/{policy}/parameters",
            "/v1/policies/140100/arrears-reminder/parameters?dry_run=true".into(),
            Some(A::PolicyWrite),
            S::Taiyuan,
            Some(json!({ "minimum": 200 })),
        ),
        case(
            "POST /v1/policies/{prefecture}/{policy}/preview",
            "/v1/policies/140100/arrears-reminder/preview".into(),
            Some(A::PolicyRead),
            S::Taiyuan,
            Some(json!({ "parameters": { "minimum": 200 }, "days": 3 })),
        ),
        case(
            "GET /v1/policies/{prefecture}/{policy}/preview",
            "/v1/policies/140100/arrears-reminder/preview".into(),
            Some(A::PolicyRead),
            S::Taiyuan,
            None,
        ),
        case(
            "DELETE /v1/policies/{prefecture}/{policy}/preview",
            "/v1/policies/140100/arrears-reminder/preview".into(),
            Some(A::PolicyRead),
            S::Taiyuan,
            None,
        ),
        case("GET /v1/runs", "/v1/runs".into(), Some(A::RunRead), S::Anywhere, None),
        case("POST /v1/runs", "/v1/runs".into(), Some(A::RunStart), S::Taiyuan, Some(run)),
        case("GET /v1/runs/{id}", "/v1/runs/R2".into(), Some(A::RunRead), S::Taiyuan, None),
        case("GET /v1/runs/{id}/decisions", "/v1/runs/R2/decisions".into(), Some(A::RunRead), S::Taiyuan, None),
        case("POST /v1/runs/{id}/replay", "/v1/runs/R2/replay".into(), Some(A::RunRead), S::Taiyuan, None),
        case("GET /v1/runs/{id}/replay", "/v1/runs/R2/replay".into(), Some(A::RunRead), S::Taiyuan, None),
        case("DELETE /v1/runs/{id}/replay", "/v1/runs/R2/replay".into(), Some(A::RunRead), S::Taiyuan, None),
        case("GET /v1/runs/{id}/diff/{other}", "/v1/runs/R2/diff/R1".into(), Some(A::RunRead), S::Taiyuan, None),
        case("POST /v1/runs/{id}/release", "/v1/runs/R1/release".into(), Some(A::RunDecide), S::Taiyuan, None),
        case("POST /v1/runs/{id}/refuse", "/v1/runs/R1/refuse".into(), Some(A::RunDecide), S::Taiyuan, None),
        case("GET /v1/messages", format!("/v1/messages?account={account}"), Some(A::MessageRead), S::Taiyuan, None),
        case("GET /v1/messages/{id}", "/v1/messages/140100-1".into(), Some(A::MessageRead), S::Taiyuan, None),
        case("GET /v1/archive", format!("/v1/archive?account={account}"), Some(A::MessageRead), S::Taiyuan, None),
        case("GET /v1/templates", "/v1/templates".into(), Some(A::TemplateRead), S::Anywhere, None),
        case("POST /v1/templates", "/v1/templates".into(), Some(A::TemplateWrite), S::Anywhere, Some(template.clone())),
        case(
            "POST /v1/templates/preview",
            "/v1/templates/preview".into(),
            Some(A::TemplateRead),
            S::Anywhere,
            Some(template),
        ),
        case(
            "POST /v1/templates/approval",
            "/v1/templates/approval".into(),
            Some(A::TemplateApprove),
            S::Province,
            Some(approval),
        ),
        case("GET /v1/plugins", "/v1/plugins".into(), Some(A::PluginRead), S::Anywhere, None),
        case("POST /v1/plugins", "/v1/plugins".into(), Some(A::PluginUpload), S::Anywhere, None),
        case("GET /v1/plugins/{version}", plugin(""), Some(A::PluginRead), S::Anywhere, None),
        case("GET /v1/plugins/{version}/faults", plugin("/faults"), Some(A::PluginRead), S::Anywhere, None),
        case("POST /v1/plugins/{version}/approve", plugin("/approve"), Some(A::CodeApprove), S::Province, because()),
        case("POST /v1/plugins/{version}/retire", plugin("/retire"), Some(A::PluginRetire), S::Province, because()),
        case("POST /v1/plugins/{version}/cancel", plugin("/cancel"), Some(A::PluginUpload), S::Anywhere, because()),
        case(
            "GET /v1/policies/{prefecture}/{policy}/deployment",
            policy("deployment"),
            Some(A::PolicyRead),
            S::Taiyuan,
            None,
        ),
        case(
            "POST /v1/policies/{prefecture}/{policy}/deployment",
            policy("deployment"),
            Some(A::PolicyWrite),
            S::Taiyuan,
            Some(json!({ "change": { "mode": "end-canary" }, "why": "试验" })),
        ),
        case(
            "POST /v1/policies/{prefecture}/{policy}/rollback",
            policy("rollback"),
            Some(A::Rollback),
            S::Taiyuan,
            because(),
        ),
        case("GET /v1/policies/{prefecture}/{policy}/shadow", policy("shadow"), Some(A::RunRead), S::Taiyuan, None),
        case("GET /v1/proposals", "/v1/proposals".into(), Some(A::PolicyRead), S::Anywhere, None),
        case("GET /v1/proposals/{id}", "/v1/proposals/1".into(), Some(A::PolicyRead), S::Taiyuan, None),
        case(
            "POST /v1/proposals/{id}/approve",
            "/v1/proposals/1/approve".into(),
            Some(A::ProposalDecide),
            S::Taiyuan,
            because(),
        ),
        case(
            "POST /v1/proposals/{id}/refuse",
            "/v1/proposals/1/refuse".into(),
            Some(A::ProposalDecide),
            S::Taiyuan,
            because(),
        ),
        case("GET /v1/links", "/v1/links".into(), Some(A::LinkRead), S::Province, None),
        case("PUT /v1/links/{link}/hold", "/v1/links/mobile/hold".into(), Some(A::LinkControl), S::Province, None),
        case("DELETE /v1/links/{link}/hold", "/v1/links/mobile/hold".into(), Some(A::LinkControl), S::Province, None),
        case("GET /v1/reconciliation", "/v1/reconciliation".into(), Some(A::LinkRead), S::Province, None),
        case(
            "PUT /v1/reconciliation/{day}/{link}",
            "/v1/reconciliation/2026-01-05/mobile".into(),
            Some(A::LinkControl),
            S::Province,
            Some(json!({ "accepted": 1 })),
        ),
        case("GET /v1/alarms", "/v1/alarms".into(), Some(A::LinkRead), S::Province, None),
        case("GET /v1/stops", "/v1/stops".into(), Some(A::LinkRead), S::Anywhere, None),
        case(
            "POST /v1/stops",
            "/v1/stops".into(),
            Some(A::StopSet),
            S::Taiyuan,
            Some(json!({ "scope": "prefecture:140100", "why": "试验" })),
        ),
        case("DELETE /v1/stops/{scope}", "/v1/stops/prefecture:140100".into(), Some(A::StopRelease), S::Taiyuan, None),
        case(
            "POST /v1/recalls",
            "/v1/recalls".into(),
            Some(A::Recall),
            S::Taiyuan,
            Some(json!({ "scope": "prefecture:140100", "why": "试验", "dry_run": true })),
        ),
        case("GET /v1/corrections", "/v1/corrections".into(), Some(A::RunRead), S::Anywhere, None),
        case(
            "POST /v1/corrections",
            "/v1/corrections".into(),
            Some(A::Correct),
            S::Taiyuan,
            Some(json!({ "campaign": "arrears-reminder", "prefecture": 140100, "why": "试验", "dry_run": true })),
        ),
        case("GET /v1/corrections/{id}", "/v1/corrections/C1".into(), Some(A::RunRead), S::Taiyuan, None),
        case(
            "GET /v1/corrections/{id}/recipients",
            "/v1/corrections/C1/recipients".into(),
            Some(A::MessageRead),
            S::Taiyuan,
            None,
        ),
        case("GET /v1/communities", "/v1/communities".into(), Some(A::ScreenRead), S::Anywhere, None),
        case(
            "GET /v1/communities/{community}",
            "/v1/communities/140100-jinxiu".into(),
            Some(A::ScreenRead),
            S::Taiyuan,
            None,
        ),
        case(
            "PUT /v1/communities/{community}",
            "/v1/communities/140100-jinxiu".into(),
            Some(A::ScreenWrite),
            S::Taiyuan,
            Some(json!({ "name": "锦绣花园", "transformers": ["T-1"] })),
        ),
        // There is a screen in it, which nobody removes before.
        case(
            "DELETE /v1/communities/{community}",
            "/v1/communities/140100-jinxiu".into(),
            Some(A::ScreenWrite),
            S::Taiyuan,
            None,
        ),
        case("GET /v1/screens", "/v1/screens".into(), Some(A::ScreenRead), S::Anywhere, None),
        case(
            "POST /v1/screens",
            "/v1/screens".into(),
            Some(A::ScreenWrite),
            S::Taiyuan,
            Some(json!({ "community": "140100-jinxiu", "place": "南门门厅" })),
        ),
        case("GET /v1/screens/{screen}", "/v1/screens/S00000001".into(), Some(A::ScreenRead), S::Taiyuan, None),
        case(
            "POST /v1/screens/{screen}/rotate",
            "/v1/screens/S00000001/rotate".into(),
            Some(A::ScreenWrite),
            S::Taiyuan,
            None,
        ),
        case("GET /v1/notices", "/v1/notices".into(), Some(A::ScreenRead), S::Anywhere, None),
        case(
            "POST /v1/notices",
            "/v1/notices?dry_run=true".into(),
            Some(A::NoticeWrite),
            S::Taiyuan,
            Some(support::notice("计划停电")),
        ),
        case("GET /v1/notices/{notice}", "/v1/notices/N00000001".into(), Some(A::ScreenRead), S::Taiyuan, None),
        case(
            "POST /v1/notices/{notice}/correct",
            "/v1/notices/N00000001/correct".into(),
            Some(A::NoticeWrite),
            S::Taiyuan,
            Some(support::notice("更正")),
        ),
        case(
            "POST /v1/notices/{notice}/cancel",
            "/v1/notices/N00000001/cancel".into(),
            Some(A::NoticeWrite),
            S::Taiyuan,
            because(),
        ),
        case("GET /v1/outages", "/v1/outages".into(), Some(A::OutageRead), S::Anywhere, None),
        case(
            "POST /v1/outages",
            "/v1/outages?dry_run=true".into(),
            Some(A::OutageWrite),
            S::Taiyuan,
            Some(support::outage("planned")),
        ),
        case("GET /v1/outages/{outage}", outage(""), Some(A::OutageRead), S::Taiyuan, None),
        case(
            "PUT /v1/outages/{outage}",
            outage("?dry_run=true"),
            Some(A::OutageWrite),
            S::Taiyuan,
            Some(support::outage("planned")),
        ),
        case(
            "POST /v1/outages/{outage}/approve",
            outage("/approve?dry_run=true"),
            Some(A::OutageApprove),
            S::Taiyuan,
            Some(json!({})),
        ),
        case(
            "POST /v1/outages/{outage}/publish",
            outage("/publish?dry_run=true"),
            Some(A::OutageWrite),
            S::Taiyuan,
            Some(json!({})),
        ),
        case(
            "POST /v1/outages/{outage}/change",
            outage("/change?dry_run=true"),
            Some(A::OutageWrite),
            S::Taiyuan,
            because(),
        ),
        case(
            "POST /v1/outages/{outage}/begin",
            outage("/begin?dry_run=true"),
            Some(A::OutageWrite),
            S::Taiyuan,
            because(),
        ),
        case(
            "POST /v1/outages/{outage}/restore-part",
            outage("/restore-part?dry_run=true"),
            Some(A::OutageWrite),
            S::Taiyuan,
            Some(json!({ "scope": { "customers": [account] } })),
        ),
        case(
            "POST /v1/outages/{outage}/restore",
            outage("/restore?dry_run=true"),
            Some(A::OutageWrite),
            S::Taiyuan,
            because(),
        ),
        case(
            "POST /v1/outages/{outage}/cancel",
            outage("/cancel?dry_run=true"),
            Some(A::OutageWrite),
            S::Taiyuan,
            because(),
        ),
        case(
            "POST /v1/outages/{outage}/crew",
            outage("/crew"),
            Some(A::OutageWrite),
            S::Taiyuan,
            Some(json!({ "event": "arrived" })),
        ),
        case("GET /v1/fault-reports", "/v1/fault-reports".into(), Some(A::OutageRead), S::Anywhere, None),
        case(
            "POST /v1/fault-reports",
            "/v1/fault-reports".into(),
            Some(A::FaultReport),
            S::Taiyuan,
            Some(json!({ "account": account })),
        ),
        case("GET /v1/customers/{account}/outages", tail("/outages"), Some(A::OutageRead), S::Taiyuan, None),
        case(
            "GET /v1/outage-rules/{prefecture}",
            "/v1/outage-rules/140100".into(),
            Some(A::OutageRead),
            S::Taiyuan,
            None,
        ),
        case(
            "PUT /v1/outage-rules/{prefecture}",
            "/v1/outage-rules/140100".into(),
            Some(A::OutageWrite),
            S::Taiyuan,
            Some(json!({ "lead": [], "proposal": { "reports": 0, "minutes": 15 } })),
        ),
        case("GET /v1/statistics", "/v1/statistics?org=140100".into(), Some(A::StatsRead), S::Taiyuan, None),
        case("GET /v1/audit", "/v1/audit".into(), Some(A::AuditRead), S::Province, None),
        case("GET /v1/inbound", "/v1/inbound".into(), Some(A::InboundRead), S::Province, None),
        case(
            "GET /v1/undelivered",
            "/v1/undelivered?prefecture=140100&day=2026-11-21".into(),
            Some(A::MessageRead),
            S::Anywhere,
            None,
        ),
        case("GET /v1/work-orders", "/v1/work-orders".into(), Some(A::WorkOrderRead), S::Anywhere, None),
        case("GET /v1/users", "/v1/users".into(), Some(A::AccessManage), S::Anywhere, None),
        case("PUT /v1/users/{name}", "/v1/users/newcomer".into(), Some(A::AccessManage), S::Anywhere, Some(user)),
        case("DELETE /v1/users/{name}", "/v1/users/somebody".into(), Some(A::AccessManage), S::Anywhere, None),
        case("GET /v1/tokens", "/v1/tokens".into(), Some(A::AccessManage), S::Anywhere, None),
        case(
            "POST /v1/tokens",
            "/v1/tokens".into(),
            Some(A::AccessManage),
            S::Anywhere,
            Some(json!({ "name": "feed", "role": "feed", "days": 1, "scope": null })),
        ),
        case("DELETE /v1/tokens/{id}", "/v1/tokens/none".into(), Some(A::AccessManage), S::Anywhere, None),
    ]
}

fn operations() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&gridbell_server::openapi().unwrap()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |m| format!("{} {path}", m.to_uppercase()))
        })
        .collect()
}

#[test]
fn every_operation_of_the_document_is_in_the_matrix() {
    let mut listed: BTreeSet<String> = cases().iter().map(|c| c.operation.to_owned()).collect();
    // Whoever may propose is refused what another proposed: `only_its_author_withdraws_a_proposal`.
    listed.insert("POST /v1/proposals/{id}/withdraw".to_owned());
    // Who removed it finds nothing the second time: `a_screen_is_removed_by_who_may_and_its_community_after_it`.
    listed.insert("DELETE /v1/screens/{screen}".to_owned());
    assert_eq!(listed, operations());
}

/// A line of a substation, a section on it that another line can feed, and a transformer on which nobody hangs.
fn grid() -> Vec<GridFact> {
    let code = |text: &str| text.parse().unwrap();
    let line = |text| LineFact { code: code(text), name: "锦绣线".into(), substation: code("A1") };
    let section = |text, upstream: Option<&str>| {
        GridFact::Section(SectionFact {
            code: code(text),
            line: code("L1"),
            upstream: upstream.map(code),
            switch: None,
        })
    };
    let transformer = TransformerFact {
        code: code("T9"),
        name: "锦绣花园 9 号公变".into(),
        prefecture: TAIYUAN,
        hangs_on: Spot::Section(code("S2")),
        place: None,
        position: None,
        private: None,
        manager: None,
    };
    vec![
        GridFact::Substation(SubstationFact { code: code("A1"), name: "城西站".into(), prefecture: TAIYUAN }),
        GridFact::Line(line("L1")),
        GridFact::Line(line("L2")),
        section("S1", None),
        section("S2", Some("S1")),
        GridFact::Transformer(Box::new(transformer)),
    ]
}

async fn prepared() -> support::Stand {
    let mut stand = stand(60).await;
    let known = stand.state.facts(gridbell_state::Facts::Grid(grid()), false, vec![]).await.unwrap();
    assert_eq!(known.grid.created, 6);
    let order = |ceiling_run: bool| gridbell_server::RunOrder {
        prefecture: TAIYUAN,
        policy: if ceiling_run { "bill-notice" } else { "arrears-reminder" }.into(),
        orgs: vec![],
        sections: vec![],
        exclude: vec![],
        dry_run: false,
        who: "system".into(),
    };
    stand.ceiling = 0;
    stand.run(order(true), gridbell_model::Initiator::System).await.unwrap();
    stand.ceiling = 1_000;
    stand.run(order(false), gridbell_model::Initiator::System).await.unwrap();
    let feed = token(&stand, Role::Feed, Some(140_100)).await;
    let path = "/v1/imports/customers";
    let csv = axum::http::Request::builder().method("POST").uri(path).header("authorization", format!("Bearer {feed}"));
    let file = "户号,供电单位\n0000000008,14010501\n";
    let begun = Desk::of(&stand).send(csv.body(axum::body::Body::from(file)).unwrap()).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    support::ended(&stand, "I1").await;
    for (file, name) in
        [(ProvinceFile::Rules, "province"), (ProvinceFile::Calendar, "calendar"), (ProvinceFile::Segments, "segments")]
    {
        let text = support::repo(&format!("policies/{name}.toml"));
        let (document, who) = (name.to_owned(), "system".to_owned());
        let proposal = ProvinceProposal { file, document, text, expected: None, who, dry_run: false };
        gridbell_server::Conduct::apply_province(&stand, proposal).await.unwrap();
    }
    let office = token(&stand, Role::CityOffice, Some(140_100)).await;
    let path = "/v1/policies/140100/arrears-reminder/parameters";
    let proposed = Desk::of(&stand).ask(&office, "PATCH", path, Some(json!({ "minimum": 300 })), &[]).await;
    assert_eq!((proposed.status.as_u16(), &proposed.json()["proposal"]), (202, &json!(1)), "{}", proposed.text);
    support::community(&stand).await;
    let jinxiu = "140100-jinxiu".parse().unwrap();
    gridbell_server::open_screen(&stand.screens, jinxiu, "南门门厅", "system").await.unwrap();
    let published = Desk::of(&stand).ask(&office, "POST", "/v1/notices", Some(support::notice("计划停电")), &[]).await;
    assert_eq!(published.status, 201, "{}", published.text);
    let entered = gridbell_outages::DraftOrder {
        prefecture: TAIYUAN,
        kind: gridbell_outages::Kind::Planned,
        content: gridbell_outages::Content {
            scope: gridbell_outages::Scope {
                customers: ["0000000008".parse().unwrap()].into(),
                ..gridbell_outages::Scope::default()
            },
            from: "2026-12-20T08:00".parse::<gridbell_model::CivilMinute>().unwrap().moment(),
            until: Some("2026-12-20T12:00".parse::<gridbell_model::CivilMinute>().unwrap().moment()),
            reason: "10kV城南线检修".to_owned(),
            class: gridbell_outages::Class::Minor,
        },
        by: String::new(),
        why: String::new(),
    };
    stand.outages.enter(entered, false, "system", false).await.unwrap();
    let state = &stand.state;
    gridbell_server::create_user(
        state,
        "somebody",
        "某人",
        Role::Clerk,
        gridbell_server::Scope::Unit(gridbell_model::OrgCode(140_105)),
        "a good password",
    )
    .await
    .unwrap();
    stand
}

#[tokio::test]
async fn without_the_right_it_is_403_and_outside_the_scope_404() {
    let stand = prepared().await;
    let desk = Desk::of(&stand);
    for case in cases() {
        let method = case.operation.split(' ').next().unwrap();
        for role in Role::ALL {
            let may = case.action.is_none_or(|a| role.may(a));
            let within = token(&stand, *role, None).await;
            let answer = desk.ask(&within, method, &case.path, case.body.clone(), &[]).await;
            let forbidden = answer.status == 403;
            let what = format!("{role} {}: {} {}", case.operation, answer.status, answer.text);
            assert_eq!(forbidden, !may, "{what}");
            let missing = answer.status == 404
                && !case.path.ends_with("/none")
                && case.operation != "DELETE /v1/users/{name}"
                && case.operation != "DELETE /v1/stops/{scope}";
            assert!(!missing && answer.status != 401 && answer.status.as_u16() != 500, "{what}");

            let outside = token(&stand, *role, Some(140_200)).await;
            let answer = desk.ask(&outside, method, &case.path, case.body.clone(), &[]).await;
            let what = format!("{role} in Datong {}: {} {}", case.operation, answer.status, answer.text);
            match case.site {
                Site::Taiyuan | Site::Province => assert_eq!(answer.status, 404, "{what}"),
                Site::Anywhere => assert_eq!(answer.status == 403, !may, "{what}"),
            }
        }
        let stranger = desk.ask("gb_0_0", method, &case.path, case.body.clone(), &[]).await;
        assert_eq!(stranger.status, 401, "{}", case.operation);
        assert_eq!(stranger.header("www-authenticate"), "Bearer realm=\"gridbell\"");
    }
}

#[tokio::test]
async fn only_its_author_withdraws_a_proposal() {
    let stand = prepared().await;
    let desk = Desk::of(&stand);
    let because = || Some(json!({ "why": "试验" }));
    let withdraw = "/v1/proposals/1/withdraw";
    for role in Role::ALL {
        let other = token(&stand, *role, None).await;
        assert_eq!(desk.ask(&other, "POST", withdraw, because(), &[]).await.status, 403, "{role}");
        let outside = token(&stand, *role, Some(140_200)).await;
        assert_eq!(desk.ask(&outside, "POST", withdraw, because(), &[]).await.status, 404, "{role} elsewhere");
    }
}

#[tokio::test]
async fn a_county_sees_its_stations_and_nothing_beside_them() {
    let stand = prepared().await;
    let desk = Desk::of(&stand);
    let clerk = token(&stand, Role::Clerk, Some(140_105)).await;
    let all = desk.get(&clerk, "/v1/customers?limit=500").await.json();
    let stations: BTreeSet<u64> =
        all["items"].as_array().unwrap().iter().map(|c| c["station"]["code"].as_u64().unwrap()).collect();
    assert_eq!(stations, BTreeSet::from([14_010_501, 14_010_502]));
    // Account 2 hangs on another county's station of the same prefecture.
    assert_eq!(desk.get(&clerk, "/v1/customers/0000000002").await.status, 404);
    assert_eq!(
        desk.get(&clerk, &format!("/v1/customers?phone={}", support::phone_of(2))).await.json()["items"],
        json!([])
    );
    // The prefecture's policies are read, not written, and a run without a unit stays in the county.
    assert_eq!(desk.get(&clerk, "/v1/policies/140100").await.status, 200);
    let run = json!({ "prefecture": 140100, "policy": "arrears-reminder", "dry_run": true });
    let report = desk.ask(&clerk, "POST", "/v1/runs", Some(run), &[]).await.json();
    assert_eq!(report["customers"], 30, "half of the sixty customers");
    let beyond = json!({ "prefecture": 140100, "policy": "arrears-reminder", "dry_run": true, "orgs": [140106] });
    assert_eq!(desk.ask(&clerk, "POST", "/v1/runs", Some(beyond), &[]).await.status, 404);
    // A payment for an account beyond the scope is as unknown as one that is not there.
    let feed = token(&stand, Role::Feed, Some(140_105)).await;
    let row = |account: &str| json!({ "account": account, "payment_id": "p9", "amount_fen": 100, "paid_at": "2026-11-21T09:00" });
    let both = desk
        .ask(&feed, "POST", "/v1/payments", Some(json!({ "rows": [row("0000000002"), row("0000000004")] })), &[])
        .await
        .json();
    assert_eq!((both["changed"].as_u64(), both["rejected"][0]["row"].as_u64()), (Some(1), Some(0)), "{both}");
}

#[tokio::test]
async fn a_preview_keeps_to_the_callers_scope_and_shows_customers_only_to_who_sees_messages() {
    let stand = prepared().await;
    let desk = Desk::of(&stand);
    let path = "/v1/policies/140100/arrears-reminder/preview";
    let body = |days: u8| Some(json!({ "parameters": { "minimum": 200 }, "at": "2026-11-25T08:30", "days": days }));
    let mut withheld = 0;
    for role in Role::ALL.iter().filter(|r| r.may(Action::PolicyRead)) {
        let caller = token(&stand, *role, Some(140_100)).await;
        let seen = desk.ask(&caller, "POST", path, body(3), &[]).await.json();
        assert_eq!(
            (seen["parameters"]["minimum"].as_u64(), seen["from"].as_str()),
            (Some(200), Some("2026-11-25T08:30"))
        );
        assert_eq!(
            (seen["totals"]["held"]["opted-out"].as_u64(), seen["load"]["links"][0]["days"][0]["clears_at"].as_str()),
            (Some(2), Some("2026-11-25T09:01"))
        );
        let shown =
            seen["samples"].as_array().unwrap().len() + seen["difference"]["moved_samples"].as_array().unwrap().len();
        let sees = role.may(Action::MessageRead);
        assert_eq!((shown, seen["samples_withheld"].as_bool()), (if sees { 2 } else { 0 }, Some(!sees)), "{role}");
        assert!(sees || !seen.to_string().contains("0000000008"), "{role}: an account");
        withheld += usize::from(!sees);
    }
    assert!(withheld > 0, "a developer sees no customer");
    // A county's preview is of its own customers, and its office is the county; the prefecture's and the province's are of all.
    for (scope, title) in [(Some(140_105), "[140105] 140105"), (Some(140_100), "[] 140100"), (None, "[] province")] {
        let caller = token(&stand, Role::CityOffice, scope).await;
        assert_eq!(desk.ask(&caller, "POST", path, body(3), &[]).await.json()["title"], title);
    }
    let office = token(&stand, Role::CityOffice, Some(140_100)).await;
    let busy = desk.ask(&office, "POST", path, body(31), &[]).await;
    assert_eq!((busy.status.as_u16(), busy.json()["code"].as_str()), (503, Some("busy")), "{}", busy.text);
    assert_eq!(desk.get(&office, path).await.json(), json!({ "done": 3, "of": 60 }));
    assert_eq!(desk.ask(&office, "DELETE", path, None, &[]).await.status, 204);
    // Of a policy that is not there nothing is seen, unless the body brings it; what is wrong is told with its field.
    let nowhere = "/v1/policies/140100/no-such/preview";
    assert_eq!(desk.ask(&office, "POST", nowhere, Some(json!({})), &[]).await.status, 404);
    for (field, bad) in [("at", json!({ "at": "soon" })), ("policy", json!({ "policy": { "name": 1 } }))] {
        let refused = desk.ask(&office, "POST", path, Some(bad), &[]).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["errors"][0]["field"].as_str()),
            (422, Some(field)),
            "{}",
            refused.text
        );
    }
    let unknown = desk.ask(&office, "POST", path, Some(json!({ "parameter": {} })), &[]).await;
    assert!(unknown.status.is_client_error(), "{}", unknown.text);
}
