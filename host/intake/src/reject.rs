//! What was refused, where, and why; and the file that says so, which opens in the office's spreadsheet.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::codes::codes;
use crate::error::IntakeError;

/// Where in a file something stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The line of a CSV file or the row of a sheet, from 1; of a record over several lines the first.
    pub line: u64,
    /// The column's header as the file writes it; none where the whole row is meant.
    pub column: Option<String>,
    /// The cell of a workbook, e.g. `Sheet1!A17`; none in a CSV file.
    pub cell: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cell, &self.column) {
            (Some(cell), Some(column)) => write!(f, "{cell} (`{column}`)"),
            (Some(cell), None) => f.write_str(cell),
            (None, Some(column)) => write!(f, "line {}, `{column}`", self.line),
            (None, None) => write!(f, "line {}", self.line),
        }
    }
}

/// A row that was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reject {
    /// Where.
    pub place: Place,
    /// What stood there, shortened, masked where it may be personal.
    pub value: String,
    /// Why.
    pub reason: Reason,
}

codes! {
    /// Why a row is refused. The code is stable; the sentences say what to do.
    Reason, "Every reason.";
    /// A required field is empty.
    Missing = "missing", "the field is empty but required", "必填项为空";
    /// Bytes that are no text in the file's encoding.
    Encoding = "encoding", "the bytes are not text in the encoding of the file", "内容不符合文件编码，无法识别";
    /// Not an account number.
    Account = "account", "an account number has 10 to 13 digits and nothing else", "户号应为 10 至 13 位数字";
    /// An account number turned into a float.
    AccountFloat = "account-float", "a spreadsheet turned the account number into a float: format the column as text and export again", "户号被表格软件转成了科学计数法：请将该列设为文本后重新导出";
    /// An identifier in a numeric cell.
    NumericCell = "numeric-cell", "the cell holds a number, so that leading zeros may be lost: format the column as text, or say how many digits an account number has", "单元格为数值格式，前导零可能丢失：请将该列设为文本，或在导入时注明户号位数";
    /// Not an org unit's code.
    Station = "station", "an org unit's code has 2 to 9 digits", "供电单位编码应为 2 至 9 位数字";
    /// Not an amount.
    Amount = "amount", "an amount is written in yuan as 123.45, with at most two decimals", "金额应以元为单位，最多两位小数，如 123.45";
    /// An amount that must not be negative is.
    Negative = "negative", "the amount is negative: a bill issued again is given with its new amount, a payment taken back as a reversal", "金额为负：重新发行的电费请给出新金额，退回的缴费请标为冲正";
    /// A payment of nothing.
    Zero = "zero", "a payment of nothing", "缴费金额为零";
    /// The sign and the reversal column contradict one another.
    Reversal = "reversal", "the amount is negative but the column for reversals says it is none, or cannot be read", "金额为负但冲正标志为否，或冲正标志无法识别";
    /// Not a date.
    Date = "date", "a date is written as 2026-11-21", "日期应写作 2026-11-21";
    /// Dates that contradict one another.
    DateOrder = "date-order", "the late fee would start before the bill is issued", "违约金起算日早于发行日期";
    /// A fact from the future.
    Future = "future", "the date lies in the future: a fact cannot be true for a day to come", "日期晚于今天，数据不可能来自未来";
    /// Not a time.
    Minute = "time", "a time is written as 2026-11-21 09:30", "时间应写作 2026-11-21 09:30";
    /// Not a billing period.
    Period = "period", "a billing period is written as 202611", "电费年月应写作 202611";
    /// Not a payment's id.
    PaymentId = "payment-id", "a payment's id has 1 to 64 letters, digits and marks, no spaces", "流水号应为 1 至 64 位字母、数字或符号，不含空格";
    /// Not a threshold.
    Threshold = "threshold", "a warning threshold lies between 0 and 42 949 672.94 yuan", "预警阈值应在 0 至 42949672.94 元之间";
    /// Not a trait that may be given.
    Trait = "trait", "there is no such trait, or the host works it out by itself", "没有这个标签，或该标签由系统自行判定";
    /// Not a channel on which customers have an address of their own.
    Channel = "channel", "the channel is `wechat` or `alipay`", "渠道应为 微信 或 支付宝";
    /// Not an id at a platform.
    PlatformId = "platform-id", "an id at a platform has 1 to 64 letters, digits, `_` and `-`", "渠道标识应为 1 至 64 位字母、数字、下划线或连字符";
    /// Not a source of a binding.
    BindingSource = "binding-source", "the source is `counter`, `website`, `app`, `sms-word`, `import` or `platform`", "来源应为 营业厅、网站、应用、短信口令、导入 或 平台";
    /// A quote that does not end.
    Quote = "quote", "a quote is opened and not closed, or text follows the closing quote", "引号没有成对，或右引号后还有内容";
    /// A line beyond all measure.
    TooLong = "too-long", "the row is longer than 64 KiB", "该行超过 64 KiB";
    /// More fields than headers.
    TooManyFields = "too-many-fields", "the row has more fields than there are headers: a comma inside an amount or an address needs quotes", "该行列数多于表头：金额或地址中的逗号需加引号";
    /// A line break inside a field of ours.
    LineBreak = "line-break", "the field runs over the end of the line: a quote is missing somewhere", "内容跨行，可能缺少引号";
    /// A spreadsheet's error value.
    CellError = "cell-error", "the cell holds an error of the spreadsheet", "单元格为表格软件的错误值";
    /// For those who apply the rows: the account is not known.
    UnknownAccount = "unknown-account", "no customer has this account number: import the customers first", "户号不存在：请先导入客户档案";
    /// For those who apply the rows: the org unit is not known.
    UnknownStation = "unknown-station", "the org unit is not in the tree", "供电单位不在组织树中";
    /// For those who apply the rows: older than what is known.
    Outdated = "outdated", "older than what is known already: import the oldest first", "数据比已有的旧：应按先后顺序导入";
    /// For those who apply the rows: another prefecture has the account.
    OtherPrefecture = "other-prefecture", "the account belongs to another prefecture", "户号属于其他地市";
    /// For those who apply the rows: outside the importer's scope.
    OutsideScope = "outside-scope", "the customer lies outside your part of the org units", "该客户不在您的管辖范围内";
    /// Not a mobile number.
    Mobile = "mobile", "a mobile number has 11 digits and begins with 13 to 19", "手机号码应为以 13 至 19 开头的 11 位数字";
    /// A mobile number of a segment that nobody was given.
    Segment = "segment", "the number's segment is in no carrier's list: correct the number segments first", "号段不在号段表中：请先更新号段表";
    /// Not a carrier.
    Carrier = "carrier", "the carrier is `mobile`, `unicom`, `telecom` or `broadnet`", "运营商应为 移动、联通、电信 或 广电";
    /// For those who apply the rows: no room for more ported numbers.
    PortedFull = "ported-full", "as many ported numbers are known as there is room for", "携号转网号码已达上限";
    /// Not a code of the grid's.
    Code = "code", "a code has 1 to 40 letters, digits and signs, no spaces and no `/`", "编码应为 1 至 40 位字母、数字或符号，不含空格和 /";
    /// Not a name that people can read.
    Text = "text", "a name or place has at most 120 bytes (40 Chinese characters) and no line break", "名称或地点最多 40 个汉字，不能换行";
    /// Not a prefecture.
    Prefecture = "prefecture", "a prefecture is its code of six digits, as 140100", "地市应为六位行政区划代码，如 140100";
    /// Not degrees.
    Position = "position", "longitude and latitude are degrees with at most six decimals, as 112.549248, and come together", "经纬度应为度数，最多六位小数，如 112.549248，且须同时给出";
    /// Neither public nor private.
    Ownership = "ownership", "a transformer is `public` or `private`", "变压器性质应为 公变 或 专变";
    /// Not a telephone number of the staff's.
    StaffPhone = "staff-phone", "a telephone number has digits, spaces and hyphens", "联系电话应为数字、空格或连字符";
    /// Neither a section nor a line.
    HangsOn = "hangs-on", "a transformer hangs on a section or a line: give one of them", "变压器须填写所属区段或线路";
    /// Not the number of a source.
    Source = "source", "a customer's sources are numbered from 1 to 8, the main one is 1", "电源序号应为 1 至 8，主供电源为 1";
    /// Neither yes nor no.
    Ended = "ended", "whether it has ended is yes or no", "是否解除应为 是 或 否";
    /// For those who apply the rows: no such substation.
    UnknownSubstation = "unknown-substation", "there is no such substation: import the substations first", "没有这座变电站：请先导入变电站";
    /// For those who apply the rows: no such line.
    UnknownLine = "unknown-line", "there is no such line: import the lines first", "没有这条线路：请先导入线路";
    /// For those who apply the rows: no such section.
    UnknownSection = "unknown-section", "there is no such section: import the sections first, and check the code of the section upstream", "没有这个区段：请先导入区段，并核对上级区段编码";
    /// For those who apply the rows: no such transformer.
    UnknownTransformer = "unknown-transformer", "there is no such transformer: import the transformers first", "没有这台变压器：请先导入变压器";
    /// For those who apply the rows: sections that feed each other.
    Cycle = "cycle", "sections feed each other in a circle, which is given as the value: correct the section upstream of one of them", "区段互为上级，形成闭环（见“值”一列）：请更正其中一个区段的上级";
    /// For those who apply the rows: the section upstream is of another line.
    OtherLine = "other-line", "the section upstream belongs to another line: correct the line or the section upstream", "上级区段属于其他线路：请更正线路或上级区段";
    /// For those who apply the rows: the line has a first section.
    SecondFirst = "second-first-section", "the line begins with another section already: give the section upstream", "线路已有首段：请填写上级区段";
    /// For those who apply the rows: a first section that would hang elsewhere.
    StaysFirst = "stays-first-section", "the section is the first of its line and stays so: enter another section instead", "该区段是线路首段，不能改接：请另建区段";
    /// For those who apply the rows: another section's switch.
    SwitchTaken = "switch-taken", "the switch belongs to another section: correct its code", "开关已属于其他区段：请更正开关编码";
    /// For those who apply the rows: too many sections behind each other.
    TooDeep = "too-deep", "there are 200 sections one behind another up to the one upstream, which is all there may be", "上级区段已达 200 级上限";
    /// For those who apply the rows: no room in the grid.
    GridFull = "grid-full", "there are as many things of this kind as there is room for", "该类设备已达上限";
    /// For those who apply the rows: the prefecture has no room for more customers.
    Full = "full", "the prefecture holds no more customers", "该地市客户数已达上限";
}

/// Writes rejects as CSV: UTF-8 with a byte order mark so that spreadsheets open it rightly, headers in Chinese and English.
#[derive(Debug)]
pub struct RejectFile {
    target: Target,
    written: u64,
}

enum Target {
    /// Not made yet: a file without a reject is not made.
    Path(PathBuf),
    Open(Box<csv::Writer<Box<dyn Write + Send>>>),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Open(_) => f.write_str("open"),
        }
    }
}

const HEADERS: [&str; 7] =
    ["行号 line", "列名 column", "单元格 cell", "值 value", "原因 reason", "说明 explanation", "代码 code"];

impl RejectFile {
    /// Writes to a file at `path`, made (and an old one replaced) with the first reject: no reject, no file.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { target: Target::Path(path.to_owned()), written: 0 }
    }

    /// Writes to `writer`, headers at once.
    ///
    /// # Errors
    /// The writer's.
    pub fn to(writer: Box<dyn Write + Send>) -> Result<Self, IntakeError> {
        Ok(Self { target: Target::Open(Box::new(start(writer)?)), written: 0 })
    }

    /// Adds one.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn write(&mut self, reject: &Reject) -> Result<(), IntakeError> {
        if let Target::Path(path) = &self.target {
            let file = File::create(path).map_err(IntakeError::Reject)?;
            self.target = Target::Open(Box::new(start(Box::new(BufWriter::new(file)))?));
        }
        if let Target::Open(csv) = &mut self.target {
            let line = reject.place.line.to_string();
            let reason = reject.reason.to_string();
            csv.write_record([
                line.as_str(),
                &harmless(reject.place.column.as_deref().unwrap_or("")),
                &harmless(reject.place.cell.as_deref().unwrap_or("")),
                &harmless(&reject.value),
                reject.reason.chinese(),
                &reason,
                reject.reason.code(),
            ])
            .map_err(|e| IntakeError::Reject(e.into()))?;
            self.written += 1;
        }
        Ok(())
    }

    /// How many were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Hands everything to the system.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(self) -> Result<u64, IntakeError> {
        if let Target::Open(mut csv) = self.target {
            csv.flush().map_err(IntakeError::Reject)?;
        }
        Ok(self.written)
    }
}

fn start(mut writer: Box<dyn Write + Send>) -> Result<csv::Writer<Box<dyn Write + Send>>, IntakeError> {
    writer.write_all("\u{feff}".as_bytes()).map_err(IntakeError::Reject)?;
    // Spreadsheets of the offices expect CRLF.
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(writer);
    csv.write_record(HEADERS).map_err(|e| IntakeError::Reject(e.into()))?;
    Ok(csv)
}

/// A text that a spreadsheet would run as a formula gets an apostrophe before it.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}
