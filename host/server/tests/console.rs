//! The console's pages for files, people and records: what they do, for whom, and that no form works without its session's token.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use axum::body::Body;
use axum::http::{Request, header};
use gridbell_model::OrgCode;
use gridbell_server::{Conduct, Role, Scope, create_user};
use serde_json::json;
use support::{Answer, Desk, Stand, community, ended, stand, token};

const PASSWORD: &str = "correct horse";

async fn office() -> (Stand, Desk) {
    let stand = stand(12).await;
    for (name, role, scope) in [
        ("boss", Role::Operator, Scope::All),
        ("city", Role::CityOffice, Scope::Unit(OrgCode(140_100))),
        ("agent", Role::Agent, Scope::Unit(OrgCode(140_100))),
        ("auditor", Role::Auditor, Scope::All),
    ] {
        create_user(&stand.state, name, "某人", role, scope, PASSWORD).await.unwrap();
    }
    let desk = Desk::of(&stand);
    (stand, desk)
}

async fn upload(desk: &Desk, cookie: &str, path: &str, fields: &[(&str, &str)], name: &str, file: &[u8]) -> Answer {
    let mut body = Vec::new();
    for (key, value) in fields {
        body.extend(format!("--XX\r\nContent-Disposition: form-data; name=\"{key}\"\r\n\r\n{value}\r\n").bytes());
    }
    let head = format!("--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
    body.extend(head.bytes());
    body.extend(file);
    body.extend(b"\r\n--XX--\r\n");
    let request = Request::builder().method("POST").uri(path).header(header::COOKIE, cookie);
    let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=XX");
    desk.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn each_page_opens_for_those_whose_role_and_scope_have_it() {
    let (_stand, desk) = office().await;
    let mut cookies = Vec::new();
    for name in ["boss", "city", "agent", "auditor"] {
        cookies.push(desk.sign_in(name, PASSWORD).await.0);
    }
    let table: [(&str, [u16; 4]); 9] = [
        ("/imports", [200, 200, 403, 200]),
        ("/plugins", [200, 200, 403, 200]),
        ("/proposals", [200, 200, 403, 200]),
        ("/corrections", [200, 200, 403, 200]),
        ("/people", [200, 403, 403, 403]),
        // The province's own: a city's office sees nothing there, whatever its role.
        ("/audit", [200, 404, 404, 200]),
        ("/inbound", [200, 404, 404, 200]),
        ("/org", [200, 200, 200, 200]),
        ("/notices", [200, 200, 200, 200]),
    ];
    for (path, expected) in table {
        for (cookie, status) in cookies.iter().zip(expected) {
            let answer = desk.page(cookie, path).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
            assert!(!answer.text.contains("style=\"") && !answer.text.contains("<script>"), "{path}");
            let shown = answer.text.replace("&#x2f;", "/").contains(&format!("href=\"{path}\""));
            assert_eq!(shown, status == 200, "the menu shows {path} to whoever may open it");
        }
    }
    let org = desk.page(&cookies[1], "/org").await.text;
    assert!(org.contains("坞城供电所") && !org.contains("古城供电所"), "a subtree and no more");
    let nowhere = Request::builder().uri("/nowhere").header("accept", "text/html").header("cookie", &cookies[0]);
    let nowhere = desk.send(nowhere.body(Body::empty()).unwrap()).await;
    assert!(nowhere.status == 404 && nowhere.text.contains("<nav"), "{}", nowhere.text);
    let statistics = desk.page(&cookies[0], "/statistics").await.text;
    assert!(!statistics.contains("None") && !statistics.contains("none&"), "{statistics}");
    let refused = desk.page(&cookies[2], "/people").await;
    assert!(refused.text.contains(refused.header("x-request-id")), "the page names the request by its own id");
}

#[tokio::test]
async fn a_file_is_imported_on_a_page_within_the_scope_and_never_without_the_token() {
    let (stand, desk) = office().await;
    let (cookie, csrf) = desk.sign_in("city", PASSWORD).await;
    let file =
        "户号,供电单位,户名,手机号\n0010000001,14010501,李敏,13900000001\n0010000002,14021301,王强,13900000002\n";
    let send = async |csrf: &str, kind: &str| {
        let fields = [("csrf", csrf), ("kind", kind), ("sheet", ""), ("account_digits", ""), ("mapping", "")];
        upload(&desk, &cookie, "/imports", &fields, "档案.csv", file.as_bytes()).await
    };
    assert_eq!(send("", "customers").await.status, 403);
    assert_eq!(send(&"0".repeat(64), "customers").await.status, 403);
    assert!(stand.imports().list().is_empty());
    let sent = send(&csrf, "customers").await;
    assert_eq!((sent.status.as_u16(), sent.header("location")), (303, "/imports/I1"), "{}", sent.text);
    ended(&stand, "I1").await;
    let page = desk.page(&cookie, "/imports/I1").await.text;
    assert!(
        page.contains("已完成") && page.contains("该客户不在您的管辖范围内") && page.contains("档案.csv"),
        "{page}"
    );
    assert!(!page.contains("http-equiv"), "what is over needs no refreshing");
    let report = desk.page(&cookie, "/imports/I1/rejects").await;
    assert!(report.text.contains("outside-scope") && !report.text.contains("139000000"), "{}", report.text);
    let nothing = upload(&desk, &cookie, "/imports", &[("csrf", &csrf), ("kind", "bills")], "", b"").await;
    assert!(nothing.text.contains("请选择文件"), "{}", nothing.text);
}

#[tokio::test]
async fn a_plugin_is_checked_on_the_page_that_uploads_it() {
    let (_stand, desk) = office().await;
    let (cookie, csrf) = desk.sign_in("boss", PASSWORD).await;
    let send = async |cookie: &str, csrf: &str, file: &[u8]| {
        upload(&desk, cookie, "/plugins", &[("csrf", csrf)], "p.wasm", file).await
    };
    assert_eq!(send(&cookie, "", b"\0asm").await.status, 403);
    let wrong = send(&cookie, &csrf, b"MZ").await.text;
    assert!(wrong.contains("this is no WebAssembly"), "{wrong}");
    let good = send(&cookie, &csrf, b"\0asm").await.text;
    assert!(good.contains("已上传，正在检查和认证") && good.contains("0000000000000000"), "{good}");
    let (city, csrf) = desk.sign_in("city", PASSWORD).await;
    assert!(!desk.page(&city, "/plugins").await.text.contains("type=\"file\""));
    assert_eq!(send(&city, &csrf, b"\0asm").await.status, 403);
}

#[tokio::test]
async fn people_and_tokens_are_made_changed_and_revoked() {
    let (_stand, desk) = office().await;
    let (cookie, csrf) = desk.sign_in("boss", PASSWORD).await;
    let token = csrf.as_str();
    let user = [("csrf", token), ("name", "wang"), ("title", "王"), ("role", "clerk"), ("scope", "140105")];
    let weak =
        desk.form(&cookie, "/people/user", &[&user[..], &[("password", "short"), ("enabled", "on")]].concat()).await;
    assert!(weak.text.contains("内容不符合规则") && weak.text.contains("value=\"wang\""), "{}", weak.text);
    let made =
        desk.form(&cookie, "/people/user", &[&user[..], &[("password", PASSWORD), ("enabled", "on")]].concat()).await;
    assert!(made.text.contains("用户 wang 已保存"), "{}", made.text);
    desk.sign_in("wang", PASSWORD).await;
    // Without the box the same user may sign in no more.
    desk.form(&cookie, "/people/user", &user).await;
    let refused = desk.form("", "/signin", &[("name", "wang"), ("password", PASSWORD)]).await;
    assert_eq!(refused.status, 401);
    assert_eq!(desk.form(&cookie, "/people/user/delete", &[("csrf", token), ("name", "wang")]).await.status, 303);
    assert!(!desk.page(&cookie, "/people").await.text.contains(">wang<"));
    let own = desk.form(&cookie, "/people/user/delete", &[("csrf", token), ("name", "boss")]).await;
    assert!(own.text.contains("不能删除自己"));

    let order = [("name", "billing"), ("role", "feed"), ("scope", ""), ("days", "30")];
    assert_eq!(desk.form(&cookie, "/people/token", &[&[("csrf", "")][..], &order].concat()).await.status, 403);
    let shown = desk.form(&cookie, "/people/token", &[&[("csrf", token)][..], &order].concat()).await.text;
    let text = shown.split("<code>gb_").nth(1).unwrap().split('<').next().unwrap();
    let bearer = format!("gb_{text}");
    assert_eq!(desk.get(&bearer, "/v1/me").await.json()["role"], "feed");
    let list = desk.page(&cookie, "/people").await.text;
    assert!(list.contains("billing") && !list.contains(&bearer), "a token is shown once");
    let id = bearer.split('_').nth(1).unwrap();
    assert_eq!(desk.form(&cookie, "/people/token/delete", &[("csrf", token), ("name", id)]).await.status, 303);
    assert_eq!(desk.get(&bearer, "/v1/me").await.status, 401);
}

#[tokio::test]
async fn a_contact_is_corrected_where_the_customer_is_looked_up() {
    let (stand, desk) = office().await;
    let (cookie, csrf) = desk.sign_in("agent", PASSWORD).await;
    let send = async |act: &'static str, phone: &'static str, account: &'static str| {
        let fields = [
            ("csrf", csrf.as_str()),
            ("account", account),
            ("act", act),
            ("phone", phone),
            ("source", "hotline"),
            ("verified", "2026-11-20"),
        ];
        desk.form(&cookie, "/lookup/contact", &fields).await
    };
    let saved = send("save", "139 0000 1111", "0000000008").await.text;
    assert!(
        saved.contains("联系电话已更新") && saved.contains("139****1111") && saved.contains("2026年11月20日核实"),
        "{saved}"
    );
    assert!(send("save", "10086", "0000000008").await.text.contains("不是有效的电话号码"));
    send("suspend", "", "0000000008").await;
    assert!(stand.state.customer(support::account(8)).unwrap().1.phone.is_suspended());
    send("confirm", "", "0000000008").await;
    assert!(!stand.state.customer(support::account(8)).unwrap().1.phone.is_suspended());
    // Account 3 belongs to Datong.
    assert_eq!(send("save", "13900001111", "0000000003").await.status, 404);
}

#[tokio::test]
async fn the_log_is_searched_from_its_end_and_its_chain_is_verified() {
    let (_stand, desk) = office().await;
    let (boss, csrf) = desk.sign_in("boss", PASSWORD).await;
    for n in 0..60 {
        let name = format!("t{n:02}");
        let order = [("csrf", csrf.as_str()), ("name", &name), ("role", "feed"), ("scope", ""), ("days", "1")];
        desk.form(&boss, "/people/token", &order).await;
    }
    let (auditor, _) = desk.sign_in("auditor", PASSWORD).await;
    let rows = |text: &str| text.matches("<code>token.").count();
    let first = desk.page(&auditor, "/audit?action=token&who=boss").await.text;
    assert_eq!(rows(&first), 50, "{first}");
    let before = first.split("name=\"before\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let second = desk.page(&auditor, &format!("/audit?action=token&who=boss&before={before}")).await.text;
    assert_eq!(rows(&second), 10);
    assert_eq!(rows(&desk.page(&auditor, "/audit?who=nobody").await.text), 0);
    assert_eq!(rows(&desk.page(&auditor, "/audit?day=2026-11-20").await.text), 0);
    assert!(desk.page(&auditor, "/audit?verify=true").await.text.contains("首尾相连"));
}

#[tokio::test]
async fn a_correction_shows_its_list_what_it_says_and_what_changed_since() {
    let (stand, desk) = office().await;
    let (cookie, csrf) = desk.sign_in("city", PASSWORD).await;
    let all = desk.page(&cookie, "/corrections").await.text;
    assert!(all.contains("/corrections/C1") && all.contains("待审批") && all.contains("run:R1"), "{all}");
    let page = desk.page(&cookie, "/corrections/C1").await.text;
    for words in [
        "昨日短信有误，深表歉意。",
        "提出以后的变化",
        "原消息确认未送达、不再更正 1 户",
        "不在名单上 2 户",
        "号码待核实：1 户",
        "138****1234",
        "0000000010",
        "价目有误",
        &"5f".repeat(32),
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("13812341234"), "no number is shown whole");
    let (agent, _) = desk.sign_in("agent", PASSWORD).await;
    assert_eq!(desk.page(&agent, "/corrections/C1").await.status, 403);
    let order = gridbell_server::RunOrder {
        prefecture: gridbell_model::PrefectureCode(140_100),
        policy: "arrears-reminder".into(),
        orgs: vec![],
        sections: vec![],
        exclude: vec![],
        dry_run: false,
        who: "system".into(),
    };
    stand.run_policy(order).await.unwrap();
    // From a run's page: tried first, then proposed, never without the token.
    let run = desk.page(&cookie, "/runs/R1").await.text;
    assert!(run.contains("/runs/R1/correct"), "{run}");
    let send = async |csrf: &str, act: &str| {
        let form = format!("csrf={csrf}&text=%E6%AD%89&why=%E8%AF%95%E9%AA%8C&act={act}");
        let request = Request::builder().method("POST").uri("/runs/R1/correct").header(header::COOKIE, &cookie);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        desk.send(request.body(Body::from(form)).unwrap()).await
    };
    assert_eq!(send("", "try").await.status, 403);
    let tried = send(&csrf, "try").await.text;
    assert!(tried.contains("将撤回") && tried.contains("138****1234") && tried.contains("提出更正"), "{tried}");
    let proposed = send(&csrf, "propose").await;
    assert_eq!((proposed.status.as_u16(), proposed.header("location")), (303, "/corrections/C2"), "{}", proposed.text);
    assert_eq!(desk.page(&agent, "/runs/R1/correct").await.status, 403);
    assert_eq!(desk.page(&cookie, "/corrections/C7").await.status, 404);
}

#[tokio::test]
async fn who_agrees_sees_what_the_author_saw() {
    let (stand, desk) = office().await;
    let city = token(&stand, Role::CityOffice, Some(140_100)).await;
    let path = "/v1/policies/140100/arrears-reminder/parameters";
    let with = format!("{path}?preview={}", "ef".repeat(32));
    for (path, steps) in [(with.as_str(), 500), (path, 600)] {
        let proposed = desk.ask(&city, "PATCH", path, Some(json!({ "minimum": steps })), &[]).await;
        assert_eq!(proposed.status, 202, "{}", proposed.text);
    }
    let (cookie, _) = desk.sign_in("city", PASSWORD).await;
    let page = desk.page(&cookie, "/proposals").await.text;
    for words in
        ["提案人所见预览", "2,345 条消息", "123.45 元", "新增 5，减少 6", "efefefefefef", "此后该策略执行 0 次"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(page.matches("提案人没有附上预览").count(), 1, "{page}");
}

#[tokio::test]
async fn a_notice_is_shown_before_it_is_published_corrected_and_taken_back() {
    let (stand, desk) = office().await;
    community(&stand).await;
    let (agent, _) = desk.sign_in("agent", PASSWORD).await;
    assert_eq!(desk.page(&agent, "/notices/new").await.status, 403);
    let (cookie, csrf) = desk.sign_in("city", PASSWORD).await;
    let says = async |path: &str, act: &str, change: &[(&str, &str)]| {
        let mut fields = vec![
            ("csrf", csrf.as_str()),
            ("prefecture", "140100"),
            ("kind", "planned-outage"),
            ("severity", "moderate"),
            ("urgency", "future"),
            ("certainty", "likely"),
            ("title", "11月28日计划停电"),
            ("body", "因检修停电，\r\n可能提前恢复。"),
            ("begins", "2026-11-28T08:00"),
            ("ends", ""),
            ("expires", "2026-11-28T13:00"),
            ("at:140100-jinxiu", "on"),
            ("act", act),
        ];
        for (name, value) in change {
            fields.retain(|(known, _)| known != name);
            fields.push((name, value));
        }
        desk.form(&cookie, path, &fields).await
    };
    let wrong = says("/notices/new", "publish", &[("body", "请致电13800001234")]).await.text;
    assert!(wrong.contains("13800001234") && !wrong.contains("屏幕上将显示"), "what was written stays: {wrong}");
    let nowhere = says("/notices/new", "publish", &[("at:140100-jinxiu", "on"), ("sections", "一")]).await.text;
    assert!(nowhere.contains("`一`"), "{nowhere}");
    let tried = says("/notices/new", "try", &[]).await.text;
    assert!(
        tried.contains("屏幕上将显示") && tried.contains("发布到 0 块屏幕") && tried.contains("checked"),
        "{tried}"
    );
    let (all, _) = (desk.page(&cookie, "/notices").await.text, ());
    assert!(all.contains("还没有屏幕公告"), "a trial publishes nothing: {all}");
    let published = says("/notices/new", "publish", &[]).await;
    assert_eq!(published.status, 303, "{}", published.text);
    let path = published.header("location").to_owned();
    let page = desk.page(&cookie, &path).await.text;
    assert!(page.contains("11月28日计划停电") && page.contains("第 1 版"), "{page}");

    let later = [("title", "停电推迟到11月29日"), ("why", "改期"), ("revision", "1")];
    let tried = says(&path, "try", &later).await.text;
    assert!(tried.contains("屏幕上将显示") && !tried.contains("第 2 版"), "{tried}");
    assert_eq!(says(&path, "correct", &later).await.status, 303);
    let stale = says(&path, "correct", &[("title", "又推迟"), ("why", "改期"), ("revision", "1")]).await.text;
    assert!(stale.contains("又推迟") && !stale.contains("第 3 版"), "from a form that somebody overtook: {stale}");
    let corrected = desk.page(&cookie, &path).await.text;
    assert!(corrected.contains("第 2 版") && corrected.contains("改期"), "{corrected}");

    let end = format!("{path}/cancel");
    let cancel =
        async |csrf: &str| desk.form(&cookie, &end, &[("csrf", csrf), ("why", "取消检修")]).await.status.as_u16();
    assert_eq!((cancel("").await, cancel(&csrf).await), (403, 303));
    let over = desk.page(&cookie, &path).await.text;
    assert!(over.contains("取消检修") && !over.contains("撤销公告</button>"), "{over}");
}
