//! The routes under `/v1`. Handlers read the request and ask a function that takes the caller; the console asks the same functions.
//!
//! Scope before right: whoever looks something up checks the scope first (404), then the right (403). Nothing here writes but through the state's
//! and the conductor's own doors, and every write carries its audit note.

mod access;
mod archive;
mod audit;
mod backups;
mod carrier_codes;
mod communities;
mod contacts;
mod corrections;
mod customers;
mod deployments;
mod explain;
mod facts;
mod fault_reports;
mod imports;
mod inbound;
mod links;
mod me;
mod messages;
mod notices;
mod numbers;
mod outage_views;
mod outages;
mod page;
mod plugins;
mod policies;
mod preferences;
mod previews;
mod proposals;
mod province;
mod recalls;
mod reconciliation;
mod replay;
mod runs;
mod screens;
mod statistics;
mod stops;
mod templates;
mod topology;
mod undelivered;
mod view;
mod work_orders;

use axum::Router;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::ProblemBody;

pub(crate) use access::{
    TokenBody, UserBody, drop_token, drop_user, make_token, save_user, visible_tokens, visible_users,
};
pub(crate) use audit::{AuditFilter, search as search_audit, verify as verify_audit};
pub(crate) use corrections::{
    CorrectionBody, correct, list as correction_list, one as correction_one, recipients as correction_recipients,
};
pub(crate) use customers::{
    CustomerPatch, Unmask, by_phone, formerly_by_phone, held_of, look_up, one as one_customer, patch as patch_customer,
};
pub use imports::UPLOAD_STALL;
pub(crate) use imports::{
    ImportQuery, list as import_list, one as import_one, order as import_order, receive as receive_file,
    report as import_report, start as import_start,
};
pub(crate) use inbound::inbound as inbound_views;
pub(crate) use links::links as link_views;
pub(crate) use messages::of_account;
pub(crate) use notices::{
    NoticeBody, NoticeQuery, cancel as cancel_notice, correct as correct_notice, notices as notice_views,
    publish as publish_notice, story as notice_story,
};
pub(crate) use page::{Page, PageQuery};
pub(crate) use plugins::{step as step_version, upload as upload_plugin_bytes, versions as version_views};
pub(crate) use policies::{ChangeAnswer, DryRun, apply_parameters, form_of, policy_of, visible_prefectures};
pub(crate) use proposals::{decide as decide_proposal, list as proposal_views};
pub(crate) use province::units as org_units;
pub(crate) use recalls::{RecallBody, recall};
pub(crate) use runs::{
    RunBody, RunFilter, decide, decisions as run_decisions, list as run_list, one as run_one, start as run_start,
};
pub(crate) use screens::{ScreenQuery, screens as screen_views};
pub(crate) use statistics::{StatQuery, csv as statistics_csv, rows as statistics_rows};
pub(crate) use stops::{StopBody, clear as clear_stop, set as set_stop, visible as visible_stops};
pub(crate) use templates::{
    ApprovalBody, TemplateBody, approve as approve_template, preview as preview_template, save as save_template,
};
pub(crate) use undelivered::{UndeliveredParams, csv as undelivered_csv, undelivered as undelivered_list};
pub(crate) use view::{CustomerView, RunView};
pub(crate) use work_orders::{WorkOrderQuery, orders as work_order_list};

/// The document's frame; routes add themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gridbell",
        description = "Notification policies of a province's electricity customers. 户号 are text with their leading zeros; money is whole fen; dates and times are Asia/Shanghai. \
Errors are problem details (RFC 9457) with a stable `code`. Lists are paged with `cursor` and `limit`. Writes take an `Idempotency-Key`. Outside the caller's scope there is nothing: 404."
    ),
    components(schemas(ProblemBody)),
    modifiers(&Bearer)
)]
struct Document;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        openapi.security =
            Some(vec![utoipa::openapi::security::SecurityRequirement::new::<_, _, String>("bearer", [])]);
    }
}

/// The router of `/v1` and the document that describes it: made together, so that they cannot part.
pub(crate) fn router() -> (Router<App>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(me::me))
        .routes(routes!(customers::list_customers))
        .routes(routes!(customers::get_customer, customers::put_customer, customers::patch_customer))
        .routes(routes!(customers::erase_contact))
        .routes(routes!(contacts::list_contacts))
        .routes(routes!(contacts::put_contact, contacts::delete_contact))
        .routes(routes!(preferences::get_preferences, preferences::put_preferences))
        .routes(routes!(customers::held_decisions))
        .routes(routes!(explain::explain))
        .routes(routes!(facts::post_bills))
        .routes(routes!(facts::post_balances))
        .routes(routes!(facts::post_payments))
        .routes(routes!(imports::list_imports))
        .routes(routes!(imports::import_customers))
        .routes(routes!(imports::import_bills))
        .routes(routes!(imports::import_balances))
        .routes(routes!(imports::import_payments))
        .routes(routes!(imports::import_contacts))
        .routes(routes!(imports::import_ported))
        .routes(routes!(imports::import_substations))
        .routes(routes!(imports::import_lines))
        .routes(routes!(imports::import_sections))
        .routes(routes!(imports::import_transformers))
        .routes(routes!(imports::import_supply))
        .routes(routes!(imports::get_import))
        .routes(routes!(imports::get_rejects))
        .routes(routes!(province::get_org_units, province::put_org_units))
        .routes(routes!(province::get_rules, province::put_rules))
        .routes(routes!(province::get_calendar, province::put_calendar))
        .routes(routes!(province::get_segments, province::put_segments))
        .routes(routes!(numbers::ported))
        .routes(routes!(numbers::number))
        .routes(routes!(numbers::forget_number))
        .routes(routes!(topology::get_topology))
        .routes(routes!(topology::get_things))
        .routes(routes!(topology::check_topology))
        .routes(routes!(topology::list_feeds, topology::post_feed))
        .routes(routes!(topology::end_feed))
        .routes(routes!(topology::remove_thing))
        .routes(routes!(backups::list_backups, backups::post_backup))
        .routes(routes!(policies::list_policies))
        .routes(routes!(policies::get_policies, policies::put_policies))
        .routes(routes!(policies::get_policy))
        .routes(routes!(policies::patch_parameters))
        .routes(routes!(previews::post_policy_preview, previews::get_policy_preview, previews::delete_policy_preview))
        .routes(routes!(runs::list_runs, runs::post_run))
        .routes(routes!(runs::get_run))
        .routes(routes!(runs::get_decisions))
        .routes(routes!(runs::release_run))
        .routes(routes!(runs::refuse_run))
        .routes(routes!(replay::start_replay, replay::get_replay, replay::cancel_replay))
        .routes(routes!(replay::diff_runs))
        .routes(routes!(messages::find_messages))
        .routes(routes!(messages::get_message))
        .routes(routes!(archive::search_archive))
        .routes(routes!(templates::list_templates, templates::post_template))
        .routes(routes!(templates::post_preview))
        .routes(routes!(templates::post_approval))
        .routes(routes!(plugins::list_plugins, plugins::upload_plugin))
        .routes(routes!(plugins::get_plugin))
        .routes(routes!(plugins::get_faults))
        .routes(routes!(plugins::approve_plugin))
        .routes(routes!(plugins::retire_plugin))
        .routes(routes!(plugins::cancel_plugin))
        .routes(routes!(deployments::get_deployment, deployments::post_deployment))
        .routes(routes!(deployments::post_rollback))
        .routes(routes!(deployments::get_shadow))
        .routes(routes!(proposals::list_proposals))
        .routes(routes!(proposals::get_proposal))
        .routes(routes!(proposals::approve_proposal))
        .routes(routes!(proposals::refuse_proposal))
        .routes(routes!(proposals::withdraw_proposal))
        .routes(routes!(links::list_links))
        .routes(routes!(links::hold_link, links::resume_link))
        .routes(routes!(links::list_alarms))
        .routes(routes!(reconciliation::list_reconciliation))
        .routes(routes!(reconciliation::put_count))
        .routes(routes!(stops::list_stops, stops::post_stop))
        .routes(routes!(stops::delete_stop))
        .routes(routes!(recalls::post_recall))
        .routes(routes!(corrections::list_corrections, corrections::post_correction))
        .routes(routes!(corrections::get_correction))
        .routes(routes!(corrections::get_recipients))
        .routes(routes!(communities::list_communities))
        .routes(routes!(communities::get_community, communities::put_community, communities::delete_community))
        .routes(routes!(outages::list_outages, outages::post_outage))
        .routes(routes!(outages::get_outage, outages::put_outage))
        .routes(routes!(outages::approve_outage))
        .routes(routes!(outages::publish_outage))
        .routes(routes!(outages::change_outage))
        .routes(routes!(outages::begin_outage))
        .routes(routes!(outages::restore_outage_part))
        .routes(routes!(outages::restore_outage))
        .routes(routes!(outages::cancel_outage))
        .routes(routes!(fault_reports::post_crew))
        .routes(routes!(fault_reports::get_outage_rules, fault_reports::put_outage_rules))
        .routes(routes!(fault_reports::list_reports, fault_reports::post_report))
        .routes(routes!(fault_reports::customer_outages))
        .routes(routes!(screens::list_screens, screens::post_screen))
        .routes(routes!(screens::get_screen, screens::delete_screen))
        .routes(routes!(screens::rotate_screen))
        .routes(routes!(notices::list_notices, notices::post_notice))
        .routes(routes!(notices::get_notice))
        .routes(routes!(notices::correct_notice))
        .routes(routes!(notices::cancel_notice))
        .routes(routes!(statistics::get_statistics))
        .routes(routes!(audit::list_audit))
        .routes(routes!(inbound::list_inbound))
        .routes(routes!(work_orders::list_work_orders))
        .routes(routes!(undelivered::list_undelivered))
        .routes(routes!(access::list_users))
        .routes(routes!(access::put_user, access::delete_user))
        .routes(routes!(access::list_tokens, access::post_token))
        .routes(routes!(access::delete_token))
        .split_for_parts()
}
