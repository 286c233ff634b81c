//! What a customer's reply says, where it is a word that we know and nothing else. Everything else is for a person to read.

/// Words that opt out of everything but statutory notices, as carriers and customers write them.
const OPT_OUT: [&str; 9] = ["R", "T", "TD", "QX", "0000", "退订", "取消", "拒收", "N"];
/// Words that say that the number is not the customer's.
const WRONG_NUMBER: [&str; 14] = [
    "不是本人",
    "不是我",
    "不是我家",
    "不是我的",
    "不是户主",
    "错号",
    "号码错误",
    "号码错了",
    "发错",
    "发错了",
    "打错了",
    "发错人了",
    "你发错了",
    "非本人",
];
const BILL: [&str; 3] = ["订阅账单", "订阅电费", "DYZD"];
const BALANCE: [&str; 2] = ["订阅余额", "DYYE"];
const OUTAGE: [&str; 2] = ["订阅停电", "DYTD"];

/// A reply that the host acts on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Nothing but what is statutory any more.
    OptOut,
    /// The number is somebody else's.
    WrongNumber,
    /// Subscribes to bills.
    SubscribeBill,
    /// Subscribes to low balances.
    SubscribeBalance,
    /// Subscribes to outages.
    SubscribeOutage,
}

impl Word {
    /// The word that `text` is; none where it says anything else or more: 「退订。」 is one, 「不要退订」 is not.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let bare = bare(text);
        let lists: [(&[&str], Self); 5] = [
            (&OPT_OUT, Self::OptOut),
            (&WRONG_NUMBER, Self::WrongNumber),
            (&BILL, Self::SubscribeBill),
            (&BALANCE, Self::SubscribeBalance),
            (&OUTAGE, Self::SubscribeOutage),
        ];
        lists.into_iter().find(|(words, _)| words.contains(&bare.as_str())).map(|(_, word)| word)
    }
}

/// A text without what people type around a word, in narrow capital letters.
fn bare(text: &str) -> String {
    let bare = text.trim_matches(|c: char| {
        c.is_whitespace() || c.is_ascii_punctuation() || "。，！？、；：“”‘’（）【】「」".contains(c)
    });
    // Full-width letters as some telephones type them: Ｔ is T.
    let narrow = bare.chars().map(|c| match c {
        '！'..='～' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    });
    narrow.collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_in_every_spelling_and_a_sentence_is_for_a_person() {
        for (text, word) in [
            ("退订。", Word::OptOut),
            (" 不是本人！", Word::WrongNumber),
            ("【发错了】", Word::WrongNumber),
            ("订阅账单", Word::SubscribeBill),
            ("ｄｙｙｅ", Word::SubscribeBalance),
            ("订阅停电", Word::SubscribeOutage),
        ] {
            assert_eq!(Word::of(text), Some(word), "{text}");
        }
        for other in ["是不是本人来缴", "我不是本人能缴吗", "怎么订阅账单", "", "收到"] {
            assert_eq!(Word::of(other), None, "{other}");
        }
    }

    #[test]
    fn opt_out_words_are_known_in_every_spelling_and_nothing_else_is_one() {
        let is_opt_out = |text| Word::of(text) == Some(Word::OptOut);
        for word in ["T", "td", " R ", "退订", "退订。", "ＴＤ", "【拒收】", "0000"] {
            assert!(is_opt_out(word), "{word}");
        }
        for other in ["收到", "不要退订", "TT", "", "。", "10000"] {
            assert!(!is_opt_out(other), "{other}");
        }
    }
}
