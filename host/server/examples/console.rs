//! The console on a small generated province: `cargo run -p gridbell-server --example console [-- ADDRESS]`. Sign in as `operator`, `approver` or
//! `clerk` with the password `gridbell-demo`. Nothing is kept and nothing is sent.
#![allow(clippy::unwrap_used, reason = "an example stops where it fails")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_conductor::{Extent, StopMode};
use gridbell_model::{Initiator, OrgCode};
use gridbell_server::{Conduct, Role, RunOrder, Scope, Server, ServerOptions, create_user};

fn order(prefecture: gridbell_model::PrefectureCode, orgs: Vec<OrgCode>) -> RunOrder {
    RunOrder {
        prefecture,
        policy: "arrears-reminder".into(),
        orgs,
        sections: vec![],
        exclude: vec![],
        dry_run: false,
        who: "clerk".into(),
    }
}

#[tokio::main]
async fn main() {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8799".into());
    let mut stand = support::stand_at(Clock::system(), 4_000).await;
    let users = [
        ("operator", "王建国", Role::Operator, Scope::All),
        ("approver", "李敏", Role::Approver, Scope::All),
        ("clerk", "张秀英", Role::Clerk, Scope::Unit(OrgCode(140_105))),
        ("office", "赵志强", Role::CityOffice, Scope::Unit(OrgCode(140_100))),
    ];
    for (name, title, role, scope) in users {
        create_user(&stand.state, name, title, role, scope, "gridbell-demo").await.unwrap();
    }
    let station = vec![OrgCode(14_010_501)];
    stand.run(order(support::TAIYUAN, station), Initiator::Person("clerk".into())).await.unwrap();
    support::deliver(&stand).await;
    stand.run(order(support::TAIYUAN, vec![]), Initiator::System).await.unwrap();
    support::deliver(&stand).await;
    stand.ceiling = 100;
    stand.run(order(support::DATONG, vec![]), Initiator::System).await.unwrap();
    support::reply(&stand, 5, "收到").await;
    stand.alarms.lock().push(support::alarm(
        "link.unreachable",
        "山西电信",
        "网关连接不上，正在按退避重连；短信在队列中等待，不会丢失",
        stand.clock.now(),
    ));
    stand
        .stop(
            Extent::Topic(gridbell_model::Topic::Campaign),
            StopMode::Hold,
            "节日期间暂停宣传".into(),
            "operator".into(),
        )
        .await
        .unwrap();
    let options = ServerOptions::plain(addr.parse().unwrap(), Arc::new(stand));
    let server = Server::start(options).await.unwrap();
    println!("http://{}/", server.addr());
    tokio::signal::ctrl_c().await.unwrap();
    server.shutdown().await.unwrap();
}
