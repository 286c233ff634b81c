//! The province as the files that an office would send: UTF-8 CSV with Chinese headers, which the importer reads without a reject.

use std::io::{self, Write};

use gridbell_model::{AccountNumber, CivilMinute, Date, Fen, MINUTES_PER_DAY, PrefectureCode, Traits};

use super::{Balance, Bill, Customer, Payment, Province, Supply, Transformer};

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CsvKind {
    /// Customers and contacts.
    Customers,
    /// Bills.
    Bills,
    /// Prepaid balances.
    Balances,
    /// Payments of the days before today.
    Payments,
    /// Payments that arrive today, prefecture by prefecture, by their minute.
    DayPayments,
    /// The grid's substations.
    Substations,
    /// Its lines.
    Lines,
    /// Their sections.
    Sections,
    /// Its transformers.
    Transformers,
    /// Which transformers customers hang on.
    Supply,
}

/// Bytes handed to the writer at once.
const BUFFER: usize = 256 * 1024;

/// The yes/no columns, after the others.
const FLAGS: &[(Traits, &str)] = &[
    (Traits::IMPORTANT, "重要客户"),
    (Traits::PREPAID, "费控"),
    (Traits::ELDERLY, "老年"),
    (Traits::BANK_DEBIT, "银行批扣"),
    (Traits::SUBSCRIBES_BILL, "订阅账单"),
    (Traits::SUBSCRIBES_BALANCE, "订阅余额"),
    (Traits::DEBIT_PENDING, "批扣在途"),
    (Traits::DISPUTED, "电费争议"),
    (Traits::CLOSED, "销户"),
    (Traits::PAUSED, "暂停催费"),
    (Traits::DO_NOT_REMIND, "免催"),
    (Traits::MULTIPLE_SOURCES, "双电源"),
    (Traits::READS_WECHAT, "微信"),
    (Traits::READS_ALIPAY, "支付宝"),
];

impl Province {
    /// Writes a file of all prefectures, or of one, and returns how many rows it has.
    ///
    /// # Errors
    /// The writer's.
    pub fn write_csv(&self, kind: CsvKind, only: Option<PrefectureCode>, out: &mut dyn Write) -> io::Result<u64> {
        let mut csv = Csv { text: String::with_capacity(BUFFER + 1024), out, rows: 0 };
        csv.header(kind);
        for (prefecture, _) in self.prefectures() {
            let code = PrefectureCode(prefecture.code);
            if only.is_some_and(|only| only != code) {
                continue;
            }
            match kind {
                CsvKind::Customers => self.customers(code).try_for_each(|row| csv.customer(&row))?,
                CsvKind::Bills => self.bills(code).try_for_each(|row| csv.bill(&row, self.today()))?,
                CsvKind::Balances => self.balances(code).try_for_each(|row| csv.balance(&row))?,
                CsvKind::Payments => self.payments(code).try_for_each(|row| csv.payment(&row))?,
                CsvKind::DayPayments => self.day_payments(code).iter().try_for_each(|row| csv.payment(row))?,
                CsvKind::Substations => self.substations(code).try_for_each(|s| {
                    let prefecture = s.prefecture.to_string();
                    csv.texts(&[&s.code, &s.name, &prefecture])
                })?,
                CsvKind::Lines => self.lines(code).try_for_each(|l| csv.texts(&[&l.code, &l.name, &l.substation]))?,
                CsvKind::Sections => self.sections(code).try_for_each(|s| {
                    let (upstream, switch) = (s.upstream.unwrap_or_default(), s.switch.unwrap_or_default());
                    csv.texts(&[&s.code, &s.line, &upstream, &switch])
                })?,
                CsvKind::Transformers => self.transformers(code).try_for_each(|t| csv.transformer(&t))?,
                CsvKind::Supply => self.supply(code).try_for_each(|s| csv.supply(&s))?,
            }
        }
        csv.out.write_all(csv.text.as_bytes())?;
        Ok(csv.rows)
    }
}

struct Csv<'a> {
    text: String,
    out: &'a mut dyn Write,
    rows: u64,
}

impl Csv<'_> {
    fn header(&mut self, kind: CsvKind) {
        self.text.push_str(match kind {
            CsvKind::Customers => "户号,供电单位,抄表段,户名,手机号,联系方式来源,核实日期,用电类别,预警阈值",
            CsvKind::Bills => "户号,电费年月,应收金额（元）,电量（千瓦时）,发行日期,违约金起算日,数据日期",
            CsvKind::Balances => "户号,可用余额（元）,数据日期",
            CsvKind::Substations => "变电站编码,变电站名称,地市",
            CsvKind::Lines => "线路编码,线路名称,所属变电站",
            CsvKind::Sections => "区段编码,所属线路,上级区段,开关编码",
            CsvKind::Transformers => "台区编号,台区名称,地市,所属区段,小区,经度,纬度,公专变,台区经理",
            CsvKind::Supply => "户号,台区编号,电源序号",
            CsvKind::Payments | CsvKind::DayPayments => "户号,缴费流水号,缴费金额（元）,缴费时间,冲正",
        });
        if kind == CsvKind::Customers {
            for (_, header) in FLAGS {
                self.comma();
                self.text.push_str(header);
            }
        }
        self.text.push('\n');
    }

    fn customer(&mut self, c: &Customer) -> io::Result<()> {
        self.account(c.account);
        self.comma();
        self.digits(u64::from(c.station.0), 1);
        self.comma();
        self.digits(u64::from(c.section), 1);
        self.comma();
        self.text.push_str(&c.name);
        self.comma();
        c.contact.write(&mut self.text);
        self.comma();
        self.text.push_str(c.source.word());
        self.comma();
        self.date(c.verified);
        self.comma();
        self.text.push_str(category(c.traits));
        self.comma();
        if let Some(threshold) = c.threshold {
            self.amount(threshold);
        }
        for (bit, _) in FLAGS {
            self.text.push_str(if c.traits.has(*bit) { ",1" } else { ",0" });
        }
        self.end()
    }

    fn bill(&mut self, b: &Bill, today: Date) -> io::Result<()> {
        self.account(b.account);
        self.comma();
        self.digits(u64::from(b.period), 6);
        self.comma();
        self.amount(b.amount);
        self.comma();
        self.digits(u64::from(b.kwh), 1);
        self.comma();
        self.date(b.issued);
        self.comma();
        self.date(b.late_fee_from);
        self.comma();
        self.date(today);
        self.end()
    }

    fn balance(&mut self, b: &Balance) -> io::Result<()> {
        self.account(b.account);
        self.comma();
        self.amount(b.balance);
        self.comma();
        self.date(b.as_of);
        self.end()
    }

    fn payment(&mut self, p: &Payment) -> io::Result<()> {
        self.account(p.account);
        self.comma();
        self.text.push_str(&p.payment_id);
        self.comma();
        self.amount(p.amount);
        self.comma();
        self.minute(p.paid_at);
        self.text.push_str(if p.reversal { ",是" } else { ",否" });
        self.end()
    }

    /// A row of texts that need no quotes.
    fn texts(&mut self, texts: &[&str]) -> io::Result<()> {
        for (n, text) in texts.iter().enumerate() {
            if n > 0 {
                self.comma();
            }
            self.text.push_str(text);
        }
        self.end()
    }

    fn transformer(&mut self, t: &Transformer) -> io::Result<()> {
        let degrees = |millionths: i32| format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
        let (longitude, latitude) = (degrees(t.position.0), degrees(t.position.1));
        let prefecture = t.prefecture.to_string();
        self.texts(&[&t.code, &t.name, &prefecture, &t.section, &t.place, &longitude, &latitude, "公变", &t.manager])
    }

    fn supply(&mut self, s: &Supply) -> io::Result<()> {
        self.account(s.account);
        self.comma();
        self.text.push_str(&s.transformer);
        self.comma();
        self.digits(u64::from(s.source), 1);
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.text.push('\n');
        self.rows += 1;
        if self.text.len() >= BUFFER {
            self.out.write_all(self.text.as_bytes())?;
            self.text.clear();
        }
        Ok(())
    }

    fn comma(&mut self) {
        self.text.push(',');
    }

    /// Digits with leading zeros up to `least`; the machinery of `write!` would take half of the time.
    fn digits(&mut self, mut value: u64, least: usize) {
        let mut buffer = [b'0'; 20];
        let mut at = buffer.len();
        while value > 0 || buffer.len() - at < least {
            at -= 1;
            buffer[at] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        self.text.extend(buffer[at..].iter().map(|b| char::from(*b)));
    }

    fn account(&mut self, account: AccountNumber) {
        let packed = account.packed();
        self.digits(packed & ((1 << 56) - 1), (packed >> 56) as usize);
    }

    fn amount(&mut self, amount: Fen) {
        if amount < Fen::ZERO {
            self.text.push('-');
        }
        let fen = amount.0.unsigned_abs();
        self.digits(fen / 100, 1);
        self.text.push('.');
        self.digits(fen % 100, 2);
    }

    fn date(&mut self, date: Date) {
        if !date.is_some() {
            return;
        }
        let (y, m, d) = date.ymd();
        self.digits(u64::from(y.unsigned_abs()), 4);
        self.text.push('-');
        self.digits(u64::from(m), 2);
        self.text.push('-');
        self.digits(u64::from(d), 2);
    }

    fn minute(&mut self, minute: CivilMinute) {
        self.date(minute.date());
        let of_day = minute.0.rem_euclid(MINUTES_PER_DAY).unsigned_abs();
        self.text.push(' ');
        self.digits(of_day / 60, 2);
        self.text.push(':');
        self.digits(of_day % 60, 2);
    }
}

fn category(traits: Traits) -> &'static str {
    [(Traits::RESIDENT, "居民"), (Traits::FIRM, "企业"), (Traits::SCHOOL, "学校"), (Traits::PUBLIC, "公共服务")]
        .iter()
        .find(|(bit, _)| traits.has(*bit))
        .map_or("其他", |(_, word)| word)
}
