//! Customers who are all told something: as many messages as customers, without the numbers and ids of a province that has them by chance.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gridbell_conductor::Host;
use gridbell_model::{Date, OrgCode, OrgLevel, OrgTree, OrgUnit, PrefectureCode};

use super::rig::{TEXTS, WHO};
use crate::error::CommandError;
use crate::import::{ImportKind, Target};
use crate::simulated::{self, SMS_ROUTE, alipay_id, openid};
use crate::{defaults, open};

/// Where the crowd lives: 太原.
pub(super) const HOME: PrefectureCode = PrefectureCode(140_100);
const STATION: u32 = 140_105_501;
/// Prefixes of numbers: of ten customers six are with Mobile, two each with Unicom and Telecom.
const PREFIXES: [u32; 10] = [139, 139, 130, 139, 133, 139, 139, 130, 139, 133];
/// What the policy says, by the name that the rig's has.
const POLICY_TEXT: &str = r#"
prefecture = 140100
name = "太原"

[[policy]]
name = "arrears-reminder"
title = "电费催缴"
plugin = "arrears-reminder"
version = "0.1"
topic = "arrears-reminder"
days = "all"
cost_per_part_milli_fen = 3500
routes = { sms = [{ channel = "sms" }] }
ceiling = 10000000
lane = "bulk"

[policy.parameters]
steps = [7]

[[policy.schedule]]
name = "yearly"
cron = "0 0 29 2 *"
"#;

/// By which channel a member reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Sms,
    WeChat,
    Alipay,
}

/// The crowd, and its files.
pub(super) struct Crowd {
    dir: PathBuf,
}

impl Crowd {
    /// Writes the files of `members` customers, each by its channel, who owe since `today`'s bills, into `dir`.
    pub(super) fn write(
        dir: &Path,
        members: u64,
        today: Date,
        reads: impl Fn(u64) -> Reads,
    ) -> Result<Self, CommandError> {
        std::fs::create_dir_all(dir).map_err(CommandError::file("create", dir))?;
        let mut customers = String::from("户号,供电单位,抄表段,户名,手机号\n");
        let mut bills = String::from("户号,电费年月,应收金额（元）,发行日期,违约金起算日,数据日期\n");
        let mut contacts = String::from("户号,渠道,标识,来源,绑定时间\n");
        let (issued, due, bound) = (today.plus_days(-10), today.plus_days(5), today.plus_days(-30).at(9, 30));
        let (y, m, _) = issued.ymd();
        for n in 0..members {
            let account = account(n);
            // Writing into memory does not fail.
            let _ = writeln!(customers, "{account},{STATION},{STATION}1,客户{n},{}", phone(n));
            let _ = writeln!(bills, "{account},{y}{m:02},{}.50,{issued},{due},{today}", 30 + n % 300);
            let _ = match reads(n) {
                Reads::Sms => Ok(()),
                Reads::WeChat => writeln!(contacts, "{account},wechat,{},website,{bound}", openid(n)),
                Reads::Alipay => writeln!(contacts, "{account},alipay,{},website,{bound}", alipay_id(n)),
            };
        }
        for (name, text) in [("customers.csv", customers), ("bills.csv", bills), ("contacts.csv", contacts)] {
            let path = dir.join(name);
            std::fs::write(&path, text).map_err(CommandError::file("write", &path))?;
        }
        Ok(Self { dir: dir.to_owned() })
    }

    /// Brings the crowd into an empty host with rules that let messages go at any hour, the channels' texts, and a policy that tells by `route`.
    pub(super) async fn settle(&self, host: &Host, route: &str) -> Result<(), CommandError> {
        open::install_defaults(host).await?;
        host.state().set_org(org(), Vec::new()).await?;
        for (kind, name) in [
            (ImportKind::Customers, "customers.csv"),
            (ImportKind::Bills, "bills.csv"),
            (ImportKind::Contacts, "contacts.csv"),
        ] {
            let target = Target::of(host, WHO, false)?;
            let rejects = self.dir.join(format!("{name}.rejects.csv"));
            let report = target.import(kind, &self.dir.join(name), &target.options(), &rejects).await?;
            if report.rejected > 0 {
                let text = format!("{} rows of {name} were rejected: see {}", report.rejected, rejects.display());
                return Err(CommandError::Found(text));
            }
        }
        let (name, rules) = defaults::RULES;
        let awake: String = rules.lines().filter(|l| !l.starts_with("quiet =")).map(|l| format!("{l}\n")).collect();
        host.apply_rules(name, &awake, WHO).await?;
        host.apply_templates("bench-templates.toml", &format!("{TEXTS}\n{}", simulated::TEXTS), WHO).await?;
        let policy = POLICY_TEXT.replace(SMS_ROUTE, route);
        host.apply_policies("bench-policy.toml", &policy, None, WHO, false).await?;
        Ok(())
    }
}

/// The account of the `n`-th member.
pub(super) fn account(n: u64) -> String {
    format!("001{n:07}")
}

/// Its number.
pub(super) fn phone(n: u64) -> String {
    format!("{}{n:08}", PREFIXES[(n % 10) as usize])
}

fn org() -> OrgTree {
    let mut tree = OrgTree::default();
    for (code, parent, level, name) in [
        (140_000, None, OrgLevel::Province, "山西"),
        (HOME.0, Some(140_000), OrgLevel::Prefecture, "太原"),
        (140_105, Some(HOME.0), OrgLevel::County, "小店"),
        (STATION, Some(140_105), OrgLevel::Station, "小店供电所"),
    ] {
        tree.insert(OrgUnit { code: OrgCode(code), parent: parent.map(OrgCode), level, name: name.to_owned() });
    }
    tree
}
