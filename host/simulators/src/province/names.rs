//! Invented names.

use super::draw::Draw;
use super::geography::{County, Prefecture};

/// Common surnames, the more common ones several times.
const SURNAMES: &[&str] = &[
    "王", "王", "王", "王", "李", "李", "李", "李", "张", "张", "张", "张", "刘", "刘", "刘", "陈", "陈", "杨", "杨",
    "赵", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "高", "林", "何", "郭", "郭", "马", "马", "罗", "梁",
    "宋", "郑", "谢", "韩", "韩", "唐", "冯", "于", "董", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾",
    "彭", "吕", "苏", "卢", "蒋", "蔡", "贾", "贾", "丁", "魏", "薛", "薛", "叶", "阎", "余", "潘", "杜", "戴", "夏",
    "钟", "汪", "田", "任", "任", "姜", "范", "方", "石", "姚", "谭", "廖", "邹", "熊", "金", "陆", "郝", "郝", "孔",
    "白", "崔", "康", "毛", "邱", "秦", "江", "史", "顾", "侯", "邵", "孟", "龙", "万", "段", "雷", "钱", "汤", "尹",
    "黎", "易", "常", "武", "乔", "贺", "赖", "龚", "文", "欧阳", "司马", "上官",
];

/// Characters of given names.
const GIVEN: &[&str] = &[
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超", "秀", "霞",
    "平", "刚", "桂", "英", "华", "玉", "兰", "建", "国", "志", "文", "晓", "红", "梅", "海", "燕", "春", "生", "德",
    "福", "宝", "珍", "俊", "峰", "浩", "宇", "欣", "怡", "子", "轩", "涵", "梓", "瑞", "雪", "琳", "佳", "慧", "鹏",
    "飞", "凯", "斌", "波", "辉", "亮", "云", "龙", "虎", "金", "银", "喜", "根", "栓", "柱", "爱", "莲", "巧", "凤",
    "仙", "翠", "花", "香", "彩", "素", "贵", "富", "荣", "祥", "成", "林", "山", "河", "庆", "胜",
];

const STYLES: &[&str] = &[
    "鑫源", "宏达", "恒通", "晋泰", "华盛", "兴隆", "汇丰", "金鼎", "瑞祥", "三晋", "博远", "天成", "永盛", "正大",
    "佳美", "东升",
];
const TRADES: &[&str] = &[
    "商贸有限公司",
    "机械制造有限公司",
    "物业服务有限公司",
    "建材有限公司",
    "餐饮管理有限公司",
    "煤业有限公司",
    "食品有限公司",
    "超市",
    "汽车修理厂",
    "农业科技（集团）有限公司",
];
const SCHOOLS: &[&str] = &["中学", "小学", "幼儿园", "职业技术学校"];
const OFFICES: &[&str] = &["人民医院", "中医院", "公安局", "水务局", "教育局", "图书馆", "疾病预防控制中心", "供热站"];
const NUMERALS: &[&str] = &["一", "二", "三", "四", "五", "六", "七", "八", "九", "十"];

pub(super) fn person(draw: &mut Draw) -> String {
    let mut name = String::with_capacity(12);
    name.push_str(draw.one(SURNAMES));
    name.push_str(draw.one(GIVEN));
    if draw.chance(7_800) {
        name.push_str(draw.one(GIVEN));
    }
    name
}

pub(super) fn firm(draw: &mut Draw, prefecture: &Prefecture) -> String {
    [prefecture.name, draw.one(STYLES), draw.one(TRADES)].concat()
}

pub(super) fn school(draw: &mut Draw, county: &County) -> String {
    [county.name, "第", draw.one(NUMERALS), draw.one(SCHOOLS)].concat()
}

pub(super) fn office(draw: &mut Draw, county: &County) -> String {
    [county.name, draw.one(OFFICES)].concat()
}
