//! The live map: what it draws of the grid, how it shows what is without power, to whom, and where it leads.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use gridbell_model::{OrgCode, PrefectureCode};
use gridbell_server::{Role, Scope, create_user};
use gridbell_state::{Facts, SupplyFact};
use gridbell_topology::{
    Code, GridFact, LineFact, Position, SectionFact, Spot, SubstationFact, Switch, TransformerFact,
};
use serde_json::json;
use support::{Desk, Stand, account, stand, token};

const PASSWORD: &str = "correct horse";

fn code(text: &str) -> Code {
    text.parse().unwrap()
}

fn transformer(n: u32, hangs_on: Spot, position: Option<(i32, i32)>) -> GridFact {
    GridFact::Transformer(Box::new(TransformerFact {
        code: code(&format!("T{n}")),
        name: format!("锦绣花园{n}号公变"),
        prefecture: PrefectureCode(140_100),
        hangs_on,
        place: Some("锦绣花园".to_owned()),
        position: position.map(|(longitude, latitude)| Position { latitude, longitude }),
        private: None,
        manager: None,
    }))
}

/// One line with two sections: T1 and T2 on the first, T3 behind a switch, T4 that nobody placed. Two customers hang on T3.
async fn city() -> (Stand, Desk) {
    let stand = stand(12).await;
    let line = || Spot::Line(code("L1"));
    let facts = vec![
        GridFact::Substation(SubstationFact {
            code: code("S1"),
            name: "城西变电站".to_owned(),
            prefecture: PrefectureCode(140_100),
        }),
        GridFact::Line(LineFact { code: code("L1"), name: "10kV锦绣线".to_owned(), substation: code("S1") }),
        GridFact::Section(SectionFact {
            code: code("L1#2"),
            line: code("L1"),
            upstream: Some(code("L1")),
            switch: Some(Switch { code: code("K1"), name: String::new() }),
        }),
        transformer(1, line(), Some((112_540_000, 37_870_000))),
        transformer(2, line(), Some((112_550_000, 37_872_000))),
        transformer(3, Spot::Section(code("L1#2")), Some((112_560_000, 37_880_000))),
        transformer(4, line(), None),
    ];
    let done = stand.state.facts(Facts::Grid(facts), false, Vec::new()).await.unwrap();
    assert!(done.grid.refused.is_empty(), "{:?}", done.grid.refused);
    let t3 = stand.state.grid().find_transformer("T3").unwrap();
    let hang = |n| SupplyFact { account: account(n), transformer: t3, source: 1, ended: false };
    stand.state.facts(Facts::Supply(vec![hang(1), hang(2)]), false, Vec::new()).await.unwrap();
    for (name, role, scope) in [
        ("city", Role::CityOffice, Scope::Unit(OrgCode(140_100))),
        ("other", Role::CityOffice, Scope::Unit(OrgCode(140_200))),
    ] {
        create_user(&stand.state, name, "某人", role, scope, PASSWORD).await.unwrap();
    }
    let desk = Desk::of(&stand);
    (stand, desk)
}

#[tokio::test]
async fn the_map_shows_what_is_off_and_leads_to_one_transformer_with_its_count() {
    let (stand, desk) = city().await;
    let (cookie, _) = desk.sign_in("city", PASSWORD).await;
    let page = desk.page(&cookie, "/map").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.text.matches("<circle").count(), 3, "{}", page.text);
    assert!(page.text.contains("1 台配变没有坐标") && page.text.contains("城西变电站"), "{}", page.text);
    assert!(page.text.contains("没有停电") && !page.text.contains("class=\"off"), "{}", page.text);

    // A switch opens: what is behind it is off, now; the rest is not.
    let operator = token(&stand, Role::Operator, None).await;
    let fault = json!({ "prefecture": 140100, "kind": "fault", "scope": { "switches": ["K1"] }, "from": stand.clock.civil_minute().to_string(), "reason": "电缆故障", "publish": true });
    let entered = desk.ask(&operator, "POST", "/v1/outages", Some(fault), &[]).await;
    assert_eq!(entered.status, 201, "{}", entered.text);
    let page = desk.page(&cookie, "/map?prefecture=140100").await.text;
    assert_eq!(page.matches("class=\"off dot\"><title>").count(), 1, "{page}");
    assert!(page.contains("锦绣花园3号公变（锦绣花园）：停电中") && page.contains("电缆故障"), "{page}");
    assert!(page.contains("待定"), "nobody knows yet until when: {page}");

    let one = desk.page(&cookie, "/map?transformer=T3").await.text;
    assert!(one.contains("2 户") && one.contains("停电中") && one.contains("10kV锦绣线"), "{one}");
    let dark = desk.page(&cookie, "/map?transformer=T1").await.text;
    assert!(dark.contains("0 户") && dark.contains("没有停电"), "{dark}");
}

#[tokio::test]
async fn a_map_is_drawn_for_who_may_see_the_place_and_says_what_is_not_there() {
    let (_stand, desk) = city().await;
    let (cookie, _) = desk.sign_in("other", PASSWORD).await;
    for path in ["/map?prefecture=140100", "/map?transformer=T3", "/map?line=L1"] {
        assert_eq!(desk.page(&cookie, path).await.status, 404, "{path}");
    }
    let own = desk.page(&cookie, "/map").await;
    assert!(own.status == 200 && own.text.contains("没有可画的配变"), "{}", own.text);
    let (cookie, _) = desk.sign_in("city", PASSWORD).await;
    let unknown = desk.page(&cookie, "/map?transformer=%3Cscript%3E").await;
    assert!(unknown.status == 404 && !unknown.text.contains("<script>"), "{}", unknown.text);
}
