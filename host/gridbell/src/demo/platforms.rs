//! Who of the demo's customers follows at the simulated platforms, and what the policies say there.

use std::net::SocketAddr;
use std::path::Path;

use gridbell_conductor::Host;
use gridbell_model::{PrefectureCode, Traits};
use gridbell_simulators::province::Province;
use gridbell_simulators::web::Faults;

use crate::defaults;
use crate::error::CommandError;
use crate::simulated::{Platforms, SMS_ROUTE, TEXTS, Terms, alipay_id, openid};

/// Messages that WeChat takes a day.
const DAY_QUOTA: u64 = 100_000;
/// Calls under way at once.
const WINDOW: usize = 16;
/// Messages intended ahead of them.
const COMMIT_GROUP: usize = 64;
/// The demo's route: who follows is told where he follows.
const ROUTE: &str = "routes = { sms = [{ channel = \"wechat\", wait_minutes = 30 }, { channel = \"alipay\", wait_minutes = 30 }, { channel = \"sms\" }] }";

/// Starts the platforms, which call the host's server at `callbacks`, and the host's links to them.
pub(super) async fn start(
    host: &Host,
    callbacks: SocketAddr,
    seed: u64,
    dir: &Path,
) -> Result<Platforms, CommandError> {
    // The same ones each time do not follow any more: their messages go on by the route.
    let faults = Faults { unreachable: 0.02, report_delay_ms: (5, 120), ..Faults::default() };
    let terms = Terms { seed, faults, day_quota: DAY_QUOTA, window: WINDOW, commit_group: COMMIT_GROUP };
    let platforms = Platforms::start(host.clock(), callbacks, terms, dir).await?;
    platforms.link(host)?;
    Ok(platforms)
}

/// The bindings of those who read there, as a website would send them.
pub(super) fn write_contacts(province: &Province, path: &Path) -> Result<(), CommandError> {
    let failed = |e: csv::Error| CommandError::Failed(e.to_string());
    let file = std::fs::File::create(path).map_err(CommandError::file("create", path))?;
    let mut rows = csv::Writer::from_writer(file);
    rows.write_record(["户号", "渠道", "标识", "来源", "绑定时间"]).map_err(failed)?;
    let bound = province.today().plus_days(-30).at(9, 30).to_string();
    let mut n = 0_u64;
    for (prefecture, _) in province.prefectures() {
        for customer in province.customers(PrefectureCode(prefecture.code)) {
            n += 1;
            let ids = [(Traits::READS_WECHAT, "wechat", openid(n)), (Traits::READS_ALIPAY, "alipay", alipay_id(n))];
            for (_, channel, id) in ids.into_iter().filter(|(reads, ..)| customer.traits.has(*reads)) {
                rows.write_record([customer.account.to_string().as_str(), channel, &id, "website", &bound])
                    .map_err(failed)?;
            }
        }
    }
    Ok(rows.flush()?)
}

/// Puts the platforms' texts beside the others, and routes into the shipped policies that try them first.
pub(super) async fn install(host: &Host) -> Result<(), CommandError> {
    const WHO: &str = "demo";
    host.apply_templates("templates.toml", &format!("{}\n{TEXTS}", defaults::TEMPLATES.1), WHO).await?;
    for (name, text) in defaults::POLICIES {
        host.apply_policies(name, &text.replace(SMS_ROUTE, ROUTE), None, WHO, false).await?;
    }
    Ok(())
}
