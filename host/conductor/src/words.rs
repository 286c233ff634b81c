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
/// Questions.
const ASK_BALANCE: [&str; 11] =
    ["CX", "YE", "CXYE", "余额", "查询", "查余额", "查询余额", "余额查询", "电费", "查电费", "查询电费"];
const ASK_OUTAGE: [&str; 6] = ["TDCX", "CXTD", "停电", "查停电", "查询停电", "停电查询"];
const ASK_HELP: [&str; 5] = ["BZ", "H", "HELP", "帮助", "?"];

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
    /// Asks what is left or owed.
    AskBalance,
    /// Asks whether there is an outage.
    AskOutage,
    /// Asks what can be written.
    AskHelp,
}

impl Word {
    /// The word that `text` is; none where it says anything else or more: 「退订。」 is one, 「不要退订」 is not.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let bare = bare(text);
        // Of a question mark alone nothing is left.
        let bare = if is_question_mark(text) { "?" } else { bare.as_str() };
        let lists: [(&[&str], Self); 8] = [
            (&OPT_OUT, Self::OptOut),
            (&WRONG_NUMBER, Self::WrongNumber),
            (&BILL, Self::SubscribeBill),
            (&BALANCE, Self::SubscribeBalance),
            (&OUTAGE, Self::SubscribeOutage),
            (&ASK_BALANCE, Self::AskBalance),
            (&ASK_OUTAGE, Self::AskOutage),
            (&ASK_HELP, Self::AskHelp),
        ];
        lists.into_iter().find(|(words, _)| words.contains(&bare)).map(|(_, word)| word)
    }

    /// Whether it changes nothing: a question.
    pub(crate) fn only_asks(self) -> bool {
        matches!(self, Self::AskBalance | Self::AskOutage | Self::AskHelp)
    }
}

/// Whether a text is question marks and nothing else.
fn is_question_mark(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| matches!(c, '?' | '？'))
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
            ("cx", Word::AskBalance),
            ("“余额”", Word::AskBalance),
            ("停电？", Word::AskOutage),
            ("tdcx", Word::AskOutage),
            (" ？", Word::AskHelp),
            ("帮助!", Word::AskHelp),
        ] {
            assert_eq!(Word::of(text), Some(word), "{text}");
        }
        for other in ["是不是本人来缴", "我不是本人能缴吗", "怎么订阅账单", "", "收到", "停电了", "我家余额", "！"]
        {
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
