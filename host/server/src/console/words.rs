//! How values read on a page: amounts, times, states, words of the domain in Chinese.

use minijinja::{Environment, Value};

pub(super) fn add_filters(env: &mut Environment<'static>) {
    env.add_filter("yuan", |fen: i64| gridbell_model::Fen(fen).yuan());
    env.add_filter("num", grouped);
    env.add_filter("url", in_query);
    env.add_filter("cost", |milli_fen: u64| {
        format!("{}.{:02}", grouped((milli_fen / 100_000) as i64), milli_fen % 100_000 / 1_000)
    });
    env.add_filter("share", |part: u64, whole: u64| {
        if whole == 0 { "—".to_owned() } else { format!("{:.1}%", part as f64 * 100.0 / whole as f64) }
    });
    env.add_filter("when", when);
    env.add_filter("clock", |text: String| text.get(11..16).unwrap_or(&text).to_owned());
    env.add_filter("date", date);
    env.add_filter("period", |yyyymm: Option<u32>| {
        yyyymm.map_or_else(String::new, |p| format!("{}年{}月", p / 100, p % 100))
    });
    env.add_filter("word", |text: String| word(&text).to_owned());
    env.add_filter("cron", |text: String| cron(&text));
    env.add_filter("run_pill", |status: String| {
        let (kind, text) = match status.as_str() {
            "published" => ("good", "已发布"),
            "waiting" => ("warn", "待放行"),
            "failed" => ("bad", "失败"),
            "refused" => ("bad", "已驳回"),
            _ => ("", "未知"),
        };
        pill(kind, text)
    });
    env.add_filter("message_pill", |state: String| {
        let known = gridbell_model::MessageState::ALL.iter().find(|s| s.word() == state);
        let kind = match state.as_str() {
            "delivered" => "good",
            "failed" => "bad",
            "expired" | "cancelled" => "warn",
            _ => "calm",
        };
        pill(kind, known.map_or("未知", |s| s.chinese()))
    });
    env.add_filter("import_pill", |state: String| {
        let known = gridbell_conductor::ImportState::ALL.iter().find(|s| s.word() == state);
        let kind = match state.as_str() {
            "done" => "good",
            "failed" => "bad",
            "interrupted" => "warn",
            _ => "calm",
        };
        pill(kind, known.map_or("未知", |s| s.chinese()))
    });
    env.add_filter("inbound_pill", |handled: String| match handled.as_str() {
        "inbox" => pill("warn", "待人工处理"),
        h if h.starts_with("opt-out") => pill("good", "已退订"),
        "test-number" => pill("", "试点测试号码，未退订"),
        "subscribe" => pill("good", "已订阅"),
        "wrong-number" => pill("warn", "号码错误，已转工单"),
        "balance" => pill("", "查询余额"),
        "outage" => pill("", "查询停电"),
        "help" => pill("", "查询口令"),
        _ => pill("", "已记录"),
    });
    env.add_filter("answer_words", |answer: String| match answer.as_str() {
        "" => "",
        "due" => "已自动答复",
        "hour-limit" | "day-limit" => "答复次数已满，未答复",
        "repeated" => "一分钟内重复，未答复",
        "busy" => "上行过多，未答复",
        "machine" => "非手机号码，未答复",
        _ => "自动答复已关闭",
    });
    env.add_filter("link_pill", |state: String| {
        let (kind, text) = match state.as_str() {
            "up" => ("good", "正常"),
            "connecting" => ("warn", "正在连接"),
            "held" => ("warn", "人工暂停"),
            "stopped" => ("bad", "已停止"),
            "draining" => ("calm", "正在收尾"),
            "closed" => ("", "已关闭"),
            _ => ("", "未知"),
        };
        pill(kind, text)
    });
}

/// Both parts are the house's own words, so nothing needs escaping.
fn pill(kind: &str, text: &str) -> Value {
    Value::from_safe_string(format!("<span class=\"pill {kind}\">{text}</span>"))
}

/// 1,234,567
fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    if n < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `2026-11-21T09:30:00.000+08:00` as 11月21日 09:30.
fn when(text: String) -> String {
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(clock)) => format!("{} {clock}", month_day(day)),
        _ => text,
    }
}

/// A code as the value of a query.
fn in_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `2026-11-21` as 2026年11月21日.
fn date(text: Option<String>) -> String {
    let text = text.unwrap_or_default();
    match text.get(..4) {
        Some(year) if text.len() >= 10 => format!("{year}年{}", month_day(&text)),
        _ => text,
    }
}

fn month_day(date: &str) -> String {
    let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default().trim_start_matches('0').to_owned();
    format!("{}月{}日", part(5..7), part(8..10))
}

/// The schedules that cities use, in words; any other stays cron.
fn cron(text: &str) -> String {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, "*", week] = fields[..] else { return text.to_owned() };
    let (Ok(minute), Ok(hour)) = (minute.parse::<u32>(), hour.parse::<u32>()) else { return text.to_owned() };
    let clock = format!("{hour:02}:{minute:02}");
    match (day, week) {
        ("*", "*") => format!("每天 {clock}"),
        ("*", "1-5") => format!("周一至周五 {clock}"),
        (day, "*") if day.bytes().all(|b| b.is_ascii_digit() || b == b',') => {
            format!("每月 {} 日 {clock}", day.replace(',', "、"))
        }
        _ => text.to_owned(),
    }
}

/// Chinese for the words of traits, preferences and sources.
const WORDS: &[(&str, &str)] = &[
    ("sms", "短信"),
    ("wechat", "微信"),
    ("alipay", "支付宝"),
    ("resident", "居民"),
    ("important", "重要客户"),
    ("prepaid", "费控"),
    ("school", "学校"),
    ("firm", "企业"),
    ("public", "机关与公共服务"),
    ("elderly", "老年或独居"),
    ("bank-debit", "银行批扣"),
    ("subscribes-bill", "订阅账单"),
    ("subscribes-balance", "订阅余额"),
    ("debit-pending", "批扣在途"),
    ("disputed", "电费争议"),
    ("closed", "已销户"),
    ("paused", "暂停催费"),
    ("do-not-remind", "免催"),
    ("rebilled", "账单已重发行"),
    ("multiple-sources", "多电源"),
    ("reads-wechat", "微信"),
    ("reads-alipay", "支付宝"),
    ("has-mobile", "有手机号"),
    ("no-sms-service", "退订服务短信"),
    ("no-sms-subscribed", "退订订阅短信"),
    ("no-sms-marketing", "退订宣传短信"),
    ("marketing-consent", "同意接收宣传"),
    ("no-wechat-service", "退订微信服务消息"),
    ("no-alipay-service", "退订支付宝服务消息"),
    ("subscribes-outage", "订阅停电信息"),
    ("unknown", "未知"),
    ("archive", "档案"),
    ("counter", "营业厅"),
    ("online", "网上"),
    ("hotline", "95598"),
    ("field", "现场"),
    ("carrier", "运营商"),
];

fn word(text: &str) -> &str {
    WORDS.iter().find(|(w, _)| *w == text).map_or(text, |(_, chinese)| chinese)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_domain_has_its_chinese() {
        use gridbell_model::{Preferences, Traits};
        for text in Traits::WORDS.iter().map(|(_, w)| w).chain(Preferences::WORDS.iter().map(|(_, w)| w)) {
            assert_ne!(word(text), *text);
        }
    }

    #[test]
    fn values_read_as_an_office_writes_them() {
        assert_eq!(grouped(-1_234_567), "-1,234,567");
        assert_eq!(grouped(999), "999");
        assert_eq!(when("2026-01-02T09:30:00.000+08:00".to_owned()), "1月2日 09:30");
        assert_eq!(date(Some("2026-11-21".to_owned())), "2026年11月21日");
        assert_eq!(cron("30 8 * * *"), "每天 08:30");
        assert_eq!(cron("0 9 1,15 * *"), "每月 1、15 日 09:00");
        assert_eq!(cron("*/5 * * * *"), "*/5 * * * *");
    }
}
