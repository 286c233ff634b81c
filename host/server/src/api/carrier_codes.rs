//! What carriers' codes mean to whoever looks a failed message up (N13). The meanings are the specification's; gateways' own codes stay as they
//! came.

/// Codes as a message's status keeps them, and what an office reads. CMPP 3.0 sections 7.4.2.3 (Stat) and 7.4.3.2 (Result).
const KNOWN: &[(&str, &str)] = &[
    ("DELIVRD", "已送达手机"),
    ("EXPIRED", "运营商在有效期内未能送达：关机、不在服务区"),
    ("DELETED", "被运营商删除"),
    ("UNDELIV", "无法送达：空号、停机或手机拒收"),
    ("ACCEPTD", "运营商已受理，结果未定"),
    ("UNKNOWN", "运营商不知其状态"),
    ("REJECTD", "被运营商拒绝：黑名单、内容或频次限制"),
    ("result 1", "消息结构有误"),
    ("result 2", "命令字有误"),
    ("result 3", "消息序号重复"),
    ("result 4", "消息长度有误"),
    ("result 5", "资费代码有误"),
    ("result 6", "超过最大信息长度"),
    ("result 7", "业务代码有误"),
    ("result 8", "流量控制，稍后重发"),
    ("result 9", "本网关不负责该号码"),
    ("result 10", "源号码有误"),
    ("result 11", "消息源有误"),
    ("result 12", "计费号码有误"),
    ("result 13", "目的号码有误：空号或格式不对"),
];

/// Prefixes of gateways' own codes.
const PREFIXES: &[(&str, &str)] = &[
    ("MA:", "移动网关内部代码"),
    ("MB:", "移动短信中心代码"),
    ("MC:", "移动短信中心代码"),
    ("CA:", "网关转发失败代码"),
    ("CB:", "网关转发失败代码"),
    ("DA:", "网关鉴权代码"),
    ("DB:", "网关鉴权代码"),
    ("IA:", "网关间转发代码"),
    ("IB:", "网关间转发代码"),
    ("ID:", "网关业务代码"),
    ("MK:", "手机或归属网络代码：多为停机、关机、空号"),
    ("MI:", "短信中心代码：多为手机不可及"),
];

/// What `code` means; none where there is none or it is not known.
pub(crate) fn explain(code: &str) -> Option<String> {
    let known = KNOWN.iter().find(|(c, _)| *c == code);
    let prefix = || PREFIXES.iter().find(|(p, _)| code.starts_with(p));
    known.or_else(prefix).map(|(_, text)| (*text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn known_codes_are_explained_and_others_left_alone() {
        assert!(explain("UNDELIV").unwrap().contains("空号"));
        assert!(explain("MK:0005").is_some());
        assert_eq!(explain("XY:1"), None);
        assert_eq!(explain(""), None);
    }
}
