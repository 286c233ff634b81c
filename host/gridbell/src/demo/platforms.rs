//! The simulated platforms of the demo, WeChat and Alipay, with followers among the province's customers, and what the policies say there. The ids and
//! the keys are invented, and everybody has them.

use std::net::SocketAddr;
use std::path::Path;

use gridbell_conductor::Host;
use gridbell_model::{PrefectureCode, Traits};
use gridbell_providers::AccountConfig;
use gridbell_simulators::province::Province;
use gridbell_simulators::web::{Callbacks, Faults, Gateway};
use gridbell_simulators::{alipay, wechat};

use crate::error::CommandError;
use crate::{defaults, platforms};

/// Texts of the platforms' templates, beside the province's SMS texts.
const TEXTS: &str = include_str!("platforms.toml");
/// The route of the shipped policies, and the demo's: who follows is told where he follows.
const SMS_ROUTE: &str = "routes = { sms = [{ channel = \"sms\" }] }";
const ROUTE: &str = "routes = { sms = [{ channel = \"wechat\", wait_minutes = 30 }, { channel = \"alipay\", wait_minutes = 30 }, { channel = \"sms\" }] }";
const TOKEN: &str = "gridbell";
const SECRET: &str = "demo-secret";

/// The platforms while they run.
pub(super) struct Platforms {
    wechat: wechat::Gateway,
    alipay: Gateway<alipay::Alipay>,
}

impl Platforms {
    /// Starts the platforms, which call the host's server at `callbacks`, and the host's links to them; secrets are kept in files of `dir`, as an
    /// operator would.
    pub(super) async fn start(host: &Host, callbacks: SocketAddr, seed: u64, dir: &Path) -> Result<Self, CommandError> {
        let failed = |e: gridbell_simulators::web::Error| CommandError::Failed(e.to_string());
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        // The same ones each time do not follow any more: their messages go on by the route.
        let faults = Faults { unreachable: 0.02, report_delay_ms: (5, 120), ..Faults::default() };
        let call = |name: &str| Callbacks {
            url: Some(format!("http://{callbacks}/callbacks/{name}")),
            tries: 50,
            retry_ms: 200,
        };
        let config = wechat::Config {
            secret: SECRET.to_owned(),
            token: TOKEN.to_owned(),
            seed,
            faults: faults.clone(),
            callbacks: call("wechat"),
            ..wechat::Config::default()
        };
        let wechat = wechat::Gateway::start(config.clone(), host.clock().clone(), here).await.map_err(failed)?;
        let of_alipay = alipay::Config { seed, faults, callbacks: call("alipay"), ..alipay::Config::default() };
        let app_id = of_alipay.app_id.clone();
        let alipay = Gateway::<alipay::Alipay>::start(of_alipay, host.clock().clone(), here).await.map_err(failed)?;
        for (name, text) in [
            ("wechat.secret", SECRET),
            ("wechat.token", TOKEN),
            ("alipay-app.pem", alipay::APP_PRIVATE_KEY),
            ("alipay.pem", alipay::PLATFORM_PUBLIC_KEY),
        ] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(CommandError::file("write", &path))?;
        }
        let accounts = [
            serde_json::json!({
                "address": format!("http://{}", wechat.addr()), "plain-http": true, "link": { "name": "wechat" },
                "account": {
                    "kind": "wechat", "appid": config.appid, "secret": { "file": dir.join("wechat.secret") },
                    "callback-token": { "file": dir.join("wechat.token") },
                },
            }),
            serde_json::json!({
                "address": format!("http://{}", alipay.addr()), "plain-http": true, "link": { "name": "alipay" },
                "account": {
                    "kind": "alipay", "app-id": app_id, "app-key": dir.join("alipay-app.pem"), "alipay-key": dir.join("alipay.pem"),
                },
            }),
        ];
        let mut built = Vec::new();
        for account in accounts {
            let account: AccountConfig = serde_json::from_value(account)?;
            built.push(account.build(host.clock().clone()).map_err(|e| CommandError::Failed(e.to_string()))?);
        }
        platforms::start(host, built)?;
        Ok(Self { wechat, alipay })
    }

    pub(super) async fn shutdown(&self) {
        self.wechat.shutdown().await;
        self.alipay.shutdown().await;
    }
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
            let ids = [
                (Traits::READS_WECHAT, "wechat", format!("oGridbell{n:019}")),
                (Traits::READS_ALIPAY, "alipay", format!("2088{n:012}")),
            ];
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
