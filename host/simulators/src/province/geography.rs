//! Shanxi's prefectures and counties by their GB/T 2260 codes, and invented stations below them.

/// The province's code and name.
pub(super) const PROVINCE: (u32, &str) = (14, "山西省");

/// A prefecture (地市).
#[derive(Debug, PartialEq, Eq)]
pub struct Prefecture {
    /// GB/T 2260.
    pub code: u32,
    /// Its name.
    pub name: &'static str,
    /// Residents in ten thousands (census of 2020), by which customers are shared out.
    pub weight: u64,
    /// The telephone area code without its zero.
    pub area_code: u32,
    /// Its counties, districts and county-level cities.
    pub counties: &'static [County],
}

/// A county, a district or a county-level city.
#[derive(Debug, PartialEq, Eq)]
pub struct County {
    /// GB/T 2260.
    pub code: u32,
    /// Its name.
    pub name: &'static str,
}

impl County {
    /// How many stations it has: six to twelve.
    pub(super) fn stations(&self) -> u32 {
        6 + self.code.wrapping_mul(2_654_435_761) / 7 % 7
    }

    /// How many customers its stations have, against a county's.
    pub(super) fn weight(&self) -> usize {
        match self.name.chars().last() {
            Some('区') => 3,
            Some('市') => 2,
            _ => 1,
        }
    }

    /// The name without its last word: 清徐 of 清徐县.
    pub(super) fn short(&self) -> &'static str {
        let cut = self.name.len() - self.name.chars().last().map_or(0, char::len_utf8);
        // 古县 stays whole.
        if self.name.chars().count() > 2 { &self.name[..cut] } else { self.name }
    }
}

const PLACES: [&str; 12] =
    ["城关", "城东", "城西", "城南", "城北", "开发区", "新城", "桥头", "东关", "河西", "南庄", "北山"];

/// The name of a county's station `number`, from 1.
pub(super) fn station_name(county: &County, number: u32) -> String {
    let place = PLACES[(number as usize - 1) % PLACES.len()];
    format!("{}{place}供电所", county.short())
}

macro_rules! prefectures {
    ($($code:literal $name:literal $weight:literal $area:literal: $($county:literal $county_name:literal),*;)*) => {
        /// The eleven prefectures by code.
        pub const PREFECTURES: &[Prefecture] = &[$(Prefecture {
            code: $code, name: $name, weight: $weight, area_code: $area,
            counties: &[$(County { code: $county, name: $county_name }),*],
        }),*];
    };
}

// Source: GB/T 2260 as the Ministry of Civil Affairs keeps it (行政区划代码), without the development zones that are no counties.
prefectures! {
    140100 "太原市" 530 351: 140105 "小店区", 140106 "迎泽区", 140107 "杏花岭区", 140108 "尖草坪区", 140109 "万柏林区", 140110 "晋源区",
        140121 "清徐县", 140122 "阳曲县", 140123 "娄烦县", 140181 "古交市";
    140200 "大同市" 311 352: 140212 "新荣区", 140213 "平城区", 140214 "云冈区", 140215 "云州区", 140221 "阳高县", 140222 "天镇县",
        140223 "广灵县", 140224 "灵丘县", 140225 "浑源县", 140226 "左云县";
    140300 "阳泉市" 132 353: 140302 "城区", 140303 "矿区", 140311 "郊区", 140321 "平定县", 140322 "盂县";
    140400 "长治市" 318 355: 140403 "潞州区", 140404 "上党区", 140405 "屯留区", 140406 "潞城区", 140423 "襄垣县", 140425 "平顺县",
        140426 "黎城县", 140427 "壶关县", 140428 "长子县", 140429 "武乡县", 140430 "沁县", 140431 "沁源县";
    140500 "晋城市" 219 356: 140502 "城区", 140521 "沁水县", 140522 "阳城县", 140524 "陵川县", 140525 "泽州县", 140581 "高平市";
    140600 "朔州市" 159 349: 140602 "朔城区", 140603 "平鲁区", 140621 "山阴县", 140622 "应县", 140623 "右玉县", 140681 "怀仁市";
    140700 "晋中市" 338 354: 140702 "榆次区", 140703 "太谷区", 140721 "榆社县", 140722 "左权县", 140723 "和顺县", 140724 "昔阳县",
        140725 "寿阳县", 140727 "祁县", 140728 "平遥县", 140729 "灵石县", 140781 "介休市";
    140800 "运城市" 477 359: 140802 "盐湖区", 140821 "临猗县", 140822 "万荣县", 140823 "闻喜县", 140824 "稷山县", 140825 "新绛县",
        140826 "绛县", 140827 "垣曲县", 140828 "夏县", 140829 "平陆县", 140830 "芮城县", 140881 "永济市", 140882 "河津市";
    140900 "忻州市" 269 350: 140902 "忻府区", 140921 "定襄县", 140922 "五台县", 140923 "代县", 140924 "繁峙县", 140925 "宁武县",
        140926 "静乐县", 140927 "神池县", 140928 "五寨县", 140929 "岢岚县", 140930 "河曲县", 140931 "保德县", 140932 "偏关县",
        140981 "原平市";
    141000 "临汾市" 398 357: 141002 "尧都区", 141021 "曲沃县", 141022 "翼城县", 141023 "襄汾县", 141024 "洪洞县", 141025 "古县",
        141026 "安泽县", 141027 "浮山县", 141028 "吉县", 141029 "乡宁县", 141030 "大宁县", 141031 "隰县", 141032 "永和县", 141033 "蒲县",
        141034 "汾西县", 141081 "侯马市", 141082 "霍州市";
    141100 "吕梁市" 340 358: 141102 "离石区", 141121 "文水县", 141122 "交城县", 141123 "兴县", 141124 "临县", 141125 "柳林县",
        141126 "石楼县", 141127 "岚县", 141128 "方山县", 141129 "中阳县", 141130 "交口县", 141181 "孝义市", 141182 "汾阳市";
}
