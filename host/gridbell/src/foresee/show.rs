//! A preview as tables: Chinese first, English beside it. Everything in it is in the JSON too; what is long is cut and says so.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::IsTerminal;

use comfy_table::{ContentArrangement, Table, presets};
use gridbell_conductor::{PolicyPreview, PreviewDifference, PreviewPlugin, PreviewSample, PreviewTotals};
use gridbell_planner::LinkLoad;

use crate::output::yuan;

/// Samples of each kind of difference; all twenty are for `--json`.
const FEW: usize = 5;

/// Everything, one table below the other.
pub(super) fn tables(p: &PolicyPreview) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", head(p));
    section(&mut out, "合计 totals", totals(p));
    if let Some(d) = &p.difference {
        let _ = writeln!(out, "\n{}", difference(d));
    }
    section(&mut out, "按日 by day", by_day(p));
    section(&mut out, "按县区和渠道 by county and channel", by_county(p));
    if !p.load.links.is_empty() {
        section(&mut out, "通道负荷 load of links", load(&p.load.links));
    }
    let lost =
        [(p.load.expired_parts, "过期 expire before their turn"), (p.load.waiting_parts, "没有通道 have no link")];
    for (parts, what) in lost.iter().filter(|(n, _)| *n > 0) {
        let _ = writeln!(out, "  注意 {parts} 条 parts {what}");
    }
    section(&mut out, "样例 samples", samples(&p.samples));
    if let Some(d) = &p.difference {
        for (title, list) in [("新增样例 added", &d.added_samples), ("减少样例 dropped", &d.dropped_samples)] {
            section(&mut out, title, samples(&list[..list.len().min(FEW)]));
        }
        section(&mut out, "改期样例 moved", moved(d));
    }
    for warning in &p.warnings {
        let _ = writeln!(out, "注意 {warning}");
    }
    for line in &p.assumptions {
        let _ = writeln!(out, "· {line}");
    }
    let _ = writeln!(out, "预览编号 digest {}：提案时可引用，审批人看到同样的数字 a proposal names it", p.digest);
    let _ = write!(
        out,
        "{} ms；没有写入，没有发送 nothing was written or sent; --json 有全部明细 has all of it",
        p.elapsed_ms
    );
    out
}

fn head(p: &PolicyPreview) -> String {
    let plugin = |x: &PreviewPlugin| format!("{} {} ({})", x.name, x.version, &x.digest[..x.digest.len().min(12)]);
    let when = match p.days {
        Some(days) => format!("{} 起 {days} 天 days, {} 次执行 runs", p.from, p.runs.len()),
        None => format!("{} 一次 once", p.from),
    };
    let live = p.live_plugin.as_ref().map_or_else(String::new, |l| format!("，现行 live {}", plugin(l)));
    format!(
        "{} {} {}：{when}，{} 户 customers\n候选 candidate {}{live}\n参数 parameters {}",
        p.prefecture,
        p.policy,
        p.title,
        p.customers,
        plugin(&p.plugin),
        p.parameters
    )
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(header);
    table
}

fn section(out: &mut String, title: &str, table: Table) {
    if table.row_count() > 0 {
        let _ = writeln!(out, "\n{title}\n{table}");
    }
}

/// The difference with its sign, written by `text`.
fn signed(ours: u64, live: u64, text: impl Fn(u64) -> String) -> String {
    match ours.cmp(&live) {
        std::cmp::Ordering::Less => format!("-{}", text(live - ours)),
        std::cmp::Ordering::Equal => "0".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", text(ours - live)),
    }
}

fn totals(p: &PolicyPreview) -> Table {
    let compared = p.live_totals.is_some();
    let none = PreviewTotals::default();
    let (ours, live) = (&p.totals, p.live_totals.as_ref().unwrap_or(&none));
    let mut t = if compared {
        table(&["", "候选 candidate", "现行 live", "差 difference"])
    } else {
        table(&["", "候选 candidate"])
    };
    let mut row = |name: String, a: u64, b: u64, money: bool| {
        let text = |n: u64| if money { yuan(n) } else { n.to_string() };
        let mut cells = vec![name, text(a)];
        if compared {
            let change = signed(a, b, text);
            cells.extend([text(b), change]);
        }
        t.add_row(cells);
    };
    row("消息 messages".to_owned(), ours.messages, live.messages, false);
    row("用户 customers".to_owned(), ours.customers, live.customers, false);
    row("条数 parts".to_owned(), ours.parts, live.parts, false);
    row("费用至多 cost at most（元）".to_owned(), ours.cost_milli_fen, live.cost_milli_fen, true);
    row("决定 decided".to_owned(), ours.decided, live.decided, false);
    let reasons: std::collections::BTreeSet<_> = ours.held.keys().chain(live.held.keys()).collect();
    for why in reasons {
        let of = |t: &PreviewTotals| t.held.get(why).copied().unwrap_or(0);
        row(format!("拦截 held {}（{why}）", why.chinese()), of(ours), of(live), false);
    }
    t
}

fn difference(d: &PreviewDifference) -> String {
    format!(
        "与现行相比 against the live policy：新增 added {}（新增用户 customers {}），减少 dropped {}（不再通知的用户 customers {}），改期 moved in day {}，改渠道 moved in channel {}，不变 same {}",
        d.added, d.customers_added, d.dropped, d.customers_dropped, d.moved_day, d.moved_channel, d.same
    )
}

fn by_day(p: &PolicyPreview) -> Table {
    let mut days: BTreeMap<_, [u64; 4]> = BTreeMap::new();
    for c in &p.counts {
        let sums = days.entry(c.day).or_default();
        for (sum, n) in sums.iter_mut().zip([c.messages, c.parts, c.cost_milli_fen, c.live_messages]) {
            *sum += n;
        }
    }
    let mut t = table(&["日期 day", "消息 messages", "条数 parts", "费用至多 cost at most（元）", "现行 live"]);
    for (day, [messages, parts, cost, live]) in days {
        t.add_row([day.to_string(), messages.to_string(), parts.to_string(), yuan(cost), live.to_string()]);
    }
    t
}

fn by_county(p: &PolicyPreview) -> Table {
    let mut counties: BTreeMap<_, (String, [u64; 4])> = BTreeMap::new();
    for c in &p.counts {
        let entry = counties.entry((c.county, c.channel)).or_insert_with(|| (c.county_name.clone(), [0; 4]));
        for (sum, n) in entry.1.iter_mut().zip([c.messages, c.parts, c.cost_milli_fen, c.live_messages]) {
            *sum += n;
        }
    }
    let mut t = table(&[
        "县区 county",
        "渠道 channel",
        "消息 messages",
        "条数 parts",
        "费用至多 cost at most（元）",
        "现行 live",
    ]);
    for ((code, channel), (name, [messages, parts, cost, live])) in counties {
        t.add_row([
            format!("{code} {name}"),
            channel.chinese().to_owned(),
            messages.to_string(),
            parts.to_string(),
            yuan(cost),
            live.to_string(),
        ]);
    }
    t
}

fn load(links: &[LinkLoad]) -> Table {
    let mut t = table(&[
        "通道 link",
        "授权 grant 条/秒",
        "日期 day",
        "条数 parts",
        "最忙小时 peak hour",
        "占授权 of grant",
        "清空 clears at",
    ]);
    for link in links {
        for day in &link.days {
            // Thousandths of what the grant allows in an hour.
            let share = (day.peak_parts * 1000).checked_div(u64::from(link.grant) * 3600);
            t.add_row([
                link.link.clone(),
                link.grant.to_string(),
                day.day.to_string(),
                day.parts.to_string(),
                day.peak_hour.to_string(),
                share.map_or_else(|| "—".to_owned(), |s| format!("{}.{} %", s / 10, s % 10)),
                day.clears_at.map_or_else(|| "次日 not on this day".to_owned(), |at| at.to_string()),
            ]);
        }
    }
    t
}

fn samples(list: &[PreviewSample]) -> Table {
    let mut t = table(&["户号", "县区", "通知", "级", "原因", "时间", "文本"]);
    for s in list {
        t.add_row([
            s.account.to_string(),
            s.county.clone(),
            s.notice.clone(),
            s.step.to_string(),
            s.reason.clone(),
            s.send_after.to_string(),
            s.text.clone(),
        ]);
    }
    t
}

fn moved(d: &PreviewDifference) -> Table {
    let mut t = table(&["户号", "通知", "级", "现行 live", "候选 candidate"]);
    for m in d.moved_samples.iter().take(FEW) {
        let at = |s: &PreviewSample| format!("{} {}", s.channel.chinese(), s.send_after);
        t.add_row([m.to.account.to_string(), m.to.notice.clone(), m.to.step.to_string(), at(&m.from), at(&m.to)]);
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_to_a_thousandth_of_a_fen() {
        for (milli_fen, text) in
            [(0, "0.00"), (3_500, "0.035"), (100_000, "1.00"), (123_456_789, "1234.56789"), (7, "0.00007")]
        {
            assert_eq!(yuan(milli_fen), text);
        }
        let signed = |a, b| super::signed(a, b, |n| n.to_string());
        assert_eq!((signed(3, 5), signed(5, 3), signed(2, 2)), ("-2".into(), "+2".into(), "0".into()));
        assert_eq!(super::signed(150_000, 200_000, yuan), "-0.50");
    }
}
