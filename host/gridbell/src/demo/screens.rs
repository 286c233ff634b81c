//! Two communities with a screen that one can open, and a notice that was corrected.

use gridbell_conductor::Host;
use gridbell_model::{Date, PrefectureCode};
use gridbell_screens::{Certainty, Community, CommunityKey, Content, Kind, NoticeOrder, Severity, Urgency};

use crate::error::CommandError;

/// 太原.
const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
const WHO: &str = "demo";

/// Enters the communities, publishes and corrects, and says where the screens are.
pub(super) async fn show(host: &Host, base: &str, today: Date, say: &impl Fn(String)) -> Result<(), CommandError> {
    let screens = host.screens();
    let key = |code: &str| CommunityKey::new(TAIYUAN, code).map_err(|e| CommandError::Failed(e.to_string()));
    let homes = [("jinxiu", "锦绣花园", "南门门厅"), ("xingfu", "幸福里", "1号楼大厅")];
    let grid = host.state().grid();
    let of_city = grid.transformers().filter(|(_, t)| t.prefecture == TAIYUAN).map(|(_, t)| t.code.to_string());
    let mut transformers = of_city.take(homes.len());
    let mut pages = Vec::new();
    for (code, name, place) in homes {
        let community = Community {
            key: key(code)?,
            name: name.to_owned(),
            transformers: transformers.next().into_iter().collect(),
            sections: Default::default(),
            contacts: Vec::new(),
        };
        screens.put_community(community, WHO).await?;
        let path = gridbell_server::open_screen(screens, key(code)?, place, WHO).await;
        pages.push((name, place, path.map_err(|e| CommandError::Failed(e.to_string()))?));
    }
    let tomorrow = today.plus_days(1);
    let content = |title: &str, from: u32, to: u32, body: &str| Content {
        kind: Kind::PlannedOutage,
        severity: Severity::Moderate,
        urgency: Urgency::Future,
        certainty: Certainty::Likely,
        title: title.to_owned(),
        body: body.to_owned(),
        begins: Some(tomorrow.at(from, 0).moment()),
        ends: Some(tomorrow.at(to, 0).moment()),
        expires: tomorrow.at(to, 30).moment(),
    };
    let order = |content: Content, communities: Vec<CommunityKey>, origin: &str, why: &str| NoticeOrder {
        prefecture: TAIYUAN,
        origin: origin.to_owned(),
        content,
        communities,
        by: WHO.to_owned(),
        why: why.to_owned(),
        sender: String::new(),
    };
    let text = "10kV城南线检修，全部楼栋停电。停电期间电梯停运，请提前做好准备。检修可能提前结束并恢复供电。";
    let planned = content("10kV城南线检修停电", 8, 12, text);
    // A data directory that has them keeps them.
    if screens.book(|book| book.of_origin("demo/outage", host.clock().now()).is_none()) {
        screens.say(order(planned, vec![key("jinxiu")?, key("xingfu")?], "demo/outage", "")).await?;
        let later = content("停电推迟一小时", 9, 13, text);
        screens.say(order(later, vec![key("jinxiu")?], "demo/outage", "施工车辆晚到；幸福里改由城北线供电")).await?;
        let safety = Content {
            kind: Kind::Safety,
            severity: Severity::Minor,
            begins: None,
            ends: None,
            ..content("冬季取暖用电安全", 9, 13, "请勿超负荷使用电器，离家请关闭电热毯、取暖器。")
        };
        screens.say(order(safety, vec![key("jinxiu")?, key("xingfu")?], "demo/safety", "")).await?;
    }
    for (name, place, path) in pages {
        say(format!("  screen of {name}, {place}: {base}{path}"));
    }
    say(format!("  its CAP feed: {base}/cap/140100-jinxiu.atom"));
    Ok(())
}
