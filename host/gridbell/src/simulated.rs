//! The simulated platforms of the demo and the bench, WeChat and Alipay, with the accounts by which a host reaches them. The ids and the keys are
//! invented, and everybody has them: no real customer must ever be told through these.

use std::net::SocketAddr;
use std::path::Path;

use gridbell_clock::Clock;
use gridbell_conductor::Host;
use gridbell_providers::AccountConfig;
use gridbell_simulators::web::{Callbacks, Faults, Gateway};
use gridbell_simulators::{alipay, wechat};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::platforms;

/// The route of the shipped policies.
pub(crate) const SMS_ROUTE: &str = "routes = { sms = [{ channel = \"sms\" }] }";
/// Texts of the platforms' templates, beside the province's SMS texts.
pub(crate) const TEXTS: &str = include_str!("simulated.toml");

const TOKEN: &str = "gridbell";
const SECRET: &str = "demo-secret";

/// How the platforms and the links to them are.
pub(crate) struct Terms {
    /// From which every random choice descends.
    pub(crate) seed: u64,
    /// What goes wrong at both.
    pub(crate) faults: Faults,
    /// Messages that WeChat takes a day; more than its account's beginning grants.
    pub(crate) day_quota: u64,
    /// Calls under way at once on each link.
    pub(crate) window: usize,
    /// Messages intended ahead of them.
    pub(crate) commit_group: usize,
}

/// The platforms while they run.
pub(crate) struct Platforms {
    pub(crate) wechat: wechat::Gateway,
    pub(crate) alipay: Gateway<alipay::Alipay>,
    /// Entries of `[[platform]]` in a host's configuration.
    pub(crate) accounts: [Value; 2],
}

impl Platforms {
    /// Starts the platforms, which call a host's server at `callbacks`; secrets are kept in files of `dir`, as an operator would.
    pub(crate) async fn start(
        clock: &Clock,
        callbacks: SocketAddr,
        terms: Terms,
        dir: &Path,
    ) -> Result<Self, CommandError> {
        let failed = |e: gridbell_simulators::web::Error| CommandError::Failed(e.to_string());
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        // A host that is killed and started again has time to come back.
        let call = |name: &str| Callbacks {
            url: Some(format!("http://{callbacks}/callbacks/{name}")),
            tries: 500,
            retry_ms: 200,
        };
        let Terms { seed, faults, day_quota, window, commit_group } = terms;
        let config = wechat::Config {
            secret: SECRET.to_owned(),
            token: TOKEN.to_owned(),
            seed,
            day_quota,
            faults: faults.clone(),
            callbacks: call("wechat"),
            ..wechat::Config::default()
        };
        let appid = config.appid.clone();
        let wechat = wechat::Gateway::start(config, clock.clone(), here).await.map_err(failed)?;
        let config = alipay::Config { seed, faults, callbacks: call("alipay"), ..alipay::Config::default() };
        let app_id = config.app_id.clone();
        let alipay = Gateway::<alipay::Alipay>::start(config, clock.clone(), here).await.map_err(failed)?;
        for (name, text) in [
            ("wechat.secret", SECRET),
            ("wechat.token", TOKEN),
            ("alipay-app.pem", alipay::APP_PRIVATE_KEY),
            ("alipay.pem", alipay::PLATFORM_PUBLIC_KEY),
        ] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(CommandError::file("write", &path))?;
        }
        let link = |name: &str| json!({ "name": name, "window": window, "commit-group": commit_group });
        let accounts = [
            json!({
                "address": format!("http://{}", wechat.addr()), "plain-http": true, "link": link("wechat"),
                "account": {
                    "kind": "wechat", "appid": appid, "secret": { "file": dir.join("wechat.secret") },
                    "callback-token": { "file": dir.join("wechat.token") },
                },
            }),
            json!({
                "address": format!("http://{}", alipay.addr()), "plain-http": true, "link": link("alipay"),
                "account": {
                    "kind": "alipay", "app-id": app_id, "app-key": dir.join("alipay-app.pem"), "alipay-key": dir.join("alipay.pem"),
                },
            }),
        ];
        Ok(Self { wechat, alipay, accounts })
    }

    /// Starts the host's links to them.
    pub(crate) fn link(&self, host: &Host) -> Result<(), CommandError> {
        let mut built = Vec::new();
        for account in &self.accounts {
            let account: AccountConfig = serde_json::from_value(account.clone())?;
            built.push(account.build(host.clock().clone()).map_err(|e| CommandError::Failed(e.to_string()))?);
        }
        platforms::start(host, built)
    }

    pub(crate) async fn shutdown(&self) {
        self.wechat.shutdown().await;
        self.alipay.shutdown().await;
    }
}

/// The id of the `n`-th customer at WeChat.
pub(crate) fn openid(n: u64) -> String {
    format!("oGridbell{n:019}")
}

/// The same at Alipay.
pub(crate) fn alipay_id(n: u64) -> String {
    format!("2088{n:012}")
}
