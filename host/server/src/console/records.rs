//! What is only looked at: the audit log, customers' replies, the org tree.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use gridbell_model::{OrgCode, OrgLevel, OrgUnit};
use minijinja::{Value, context};

use super::page::{Said, data};
use crate::access::Session;
use crate::api::{AuditFilter, PageQuery, inbound_views, org_units, search_audit, verify_audit};
use crate::app::App;
use crate::extract::Query;
use crate::problem::Problem;

pub(super) async fn audit(
    State(app): State<App>,
    session: Session,
    Query(filter): Query<AuditFilter>,
) -> Result<Response, Problem> {
    let found = search_audit(&app, &session.caller, &filter).await?;
    let chain = if filter.verify { Some(verify_audit(&app, &session.caller).await?) } else { None };
    let said = chain.map(|c| match c {
        Ok(n) => Said::good(format!("全部 {n} 条记录首尾相连，没有被改动、删除或插入。")),
        Err(broken) => Said { kind: "bad", text: "审计链已断，请立即报告".to_owned(), list: vec![broken] },
    });
    let entries: Vec<Value> = found
        .items
        .iter()
        .map(|e| {
            let value = data(e);
            let detail = serde_json::to_value(e).ok().and_then(|v| v.get("detail").cloned()).unwrap_or_default();
            let detail = if detail.is_null() || detail == "" { String::new() } else { detail.to_string() };
            context! { detail_text => detail, ..value }
        })
        .collect();
    let more = context! { entries, next => found.next, f => data(&filter), said => data(said) };
    Ok(app.pages.show(&app, &session, "audit.html", "/audit", more))
}

pub(super) async fn inbound(
    State(app): State<App>,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let page = inbound_views(&app, &session.caller, &query).await?;
    let more = context! { messages => data(&page.items), next => page.next };
    Ok(app.pages.show(&app, &session, "inbound.html", "/inbound", more))
}

/// Units of a group, with how deep each lies under the group's head.
fn under<'a>(
    children: &BTreeMap<OrgCode, Vec<&'a OrgUnit>>,
    unit: &'a OrgUnit,
    depth: usize,
    out: &mut Vec<(usize, &'a OrgUnit)>,
) {
    if depth > gridbell_model::OrgTree::MAX_DEPTH {
        return;
    }
    for child in children.get(&unit.code).into_iter().flatten() {
        out.push((depth, child));
        under(children, child, depth + 1, out);
    }
}

pub(super) async fn org(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    let units = org_units(&app, &session.caller);
    let mut children: BTreeMap<OrgCode, Vec<&OrgUnit>> = BTreeMap::new();
    for unit in &units {
        children.entry(unit.parent.unwrap_or(OrgCode(0))).or_default().push(unit);
    }
    let here = |code: OrgCode| units.iter().any(|u| u.code == code);
    // The heads of what the caller sees: prefectures, and whatever a narrower scope begins with.
    let is_head = |u: &&OrgUnit| {
        u.level == OrgLevel::Prefecture || u.level > OrgLevel::Prefecture && u.parent.is_none_or(|p| !here(p))
    };
    let customers = app.state().prefectures();
    let groups: Vec<Value> = units
        .iter()
        .filter(is_head)
        .map(|head| {
            let mut rows = Vec::new();
            under(&children, head, 1, &mut rows);
            let lines: Vec<Value> = rows
                .iter()
                .map(|(depth, u)| context! { depth => *depth, code => u.code.0, name => u.name.clone(), level => level(u.level) })
                .collect();
            let count = customers.get(&gridbell_model::PrefectureCode(head.code.0)).copied();
            context! { code => head.code.0, name => head.name.clone(), level => level(head.level), customers => count, lines }
        })
        .collect();
    let province = units.iter().find(|u| u.level == OrgLevel::Province).map(|u| u.name.clone());
    let more = context! { groups, province, total => units.len() };
    Ok(app.pages.show(&app, &session, "org.html", "/org", more))
}

fn level(level: OrgLevel) -> &'static str {
    match level {
        OrgLevel::Province => "省",
        OrgLevel::Prefecture => "市",
        OrgLevel::County => "县",
        OrgLevel::Station => "供电所",
    }
}
