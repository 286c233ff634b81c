//! What the house brings along: reference plugins, the province's documents and the eleven prefectures' policies, all replaceable.

/// Reference plugins, prebuilt from `plugins/`; CI rebuilds them and checks that they behave the same.
pub(crate) const PLUGINS: &[&[u8]] = &[
    include_bytes!("../../../plugins/prebuilt/arrears-reminder.wasm"),
    include_bytes!("../../../plugins/prebuilt/bill-notice.wasm"),
    include_bytes!("../../../plugins/prebuilt/balance-warning.wasm"),
    include_bytes!("../../../plugins/prebuilt/payment-received.wasm"),
];

/// The province's rules.
pub(crate) const RULES: (&str, &str) = ("province.toml", include_str!("../../../policies/province.toml"));
/// Working days.
pub(crate) const CALENDAR: (&str, &str) = ("calendar.toml", include_str!("../../../policies/calendar.toml"));
/// Texts.
pub(crate) const TEMPLATES: (&str, &str) = ("templates.toml", include_str!("../../../policies/templates.toml"));
/// Carriers' number segments.
pub(crate) const SEGMENTS: (&str, &str) = ("segments.toml", include_str!("../../../policies/segments.toml"));

/// Policies, one file for each prefecture.
pub(crate) const POLICIES: &[(&str, &str)] = &[
    ("140100-taiyuan.toml", include_str!("../../../policies/140100-taiyuan.toml")),
    ("140200-datong.toml", include_str!("../../../policies/140200-datong.toml")),
    ("140300-yangquan.toml", include_str!("../../../policies/140300-yangquan.toml")),
    ("140400-changzhi.toml", include_str!("../../../policies/140400-changzhi.toml")),
    ("140500-jincheng.toml", include_str!("../../../policies/140500-jincheng.toml")),
    ("140600-shuozhou.toml", include_str!("../../../policies/140600-shuozhou.toml")),
    ("140700-jinzhong.toml", include_str!("../../../policies/140700-jinzhong.toml")),
    ("140800-yuncheng.toml", include_str!("../../../policies/140800-yuncheng.toml")),
    ("140900-xinzhou.toml", include_str!("../../../policies/140900-xinzhou.toml")),
    ("141000-linfen.toml", include_str!("../../../policies/141000-linfen.toml")),
    ("141100-lvliang.toml", include_str!("../../../policies/141100-lvliang.toml")),
];
