//! Made-up runs and customers, the same for every guest: values close to what rules look at.

use serde_json::Value;

use crate::Result;
use crate::registry::{Column, Registry};

/// What the batches of a run share.
pub(crate) struct Run {
    pub(crate) now: i64,
    pub(crate) trigger: u16,
    pub(crate) params: String,
    pub(crate) first: i32,
    pub(crate) known_until: i32,
    pub(crate) bits: Vec<u64>,
}

/// Rows, by column.
pub(crate) struct Batch {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<(Column, Vec<i64>)>,
}

/// Days on which the made-up runs happen: a leap day, month and year ends, a day before a long holiday. Days since 1970-01-01.
const TODAYS: [i32; 5] = [
    19_782, // 2024-02-29
    20_454, // 2026-01-01
    20_512, // 2026-02-28
    20_726, // 2026-09-30
    20_818, // 2026-12-31
];
/// Days that the made-up calendar knows around today.
const CALENDAR_BACK: i32 = 70;
const CALENDAR_AHEAD: i32 = 40;

/// A run on each day, for each trigger of the manifest, under `params`.
pub(crate) fn runs(registry: &Registry, manifest: &Value, params: &Value) -> Result<Vec<Run>> {
    let mut out = Vec::new();
    for (n, today) in TODAYS.iter().enumerate() {
        let first = today - CALENDAR_BACK;
        let days = (CALENDAR_BACK + CALENDAR_AHEAD + 1) as usize;
        let mut dice = Dice(n as u64 + 77);
        let mut bits = vec![0_u64; days.div_ceil(64)];
        for day in 0..days {
            let weekday = (first + day as i32 + 3).rem_euclid(7) < 5;
            // One day in eight is a holiday or a moved weekend.
            if weekday != (dice.roll(8) == 0) {
                bits[day / 64] |= 1 << (day % 64);
            }
        }
        for name in manifest["triggers"].as_array().into_iter().flatten() {
            let trigger = registry.trigger.iter().find(|t| name.as_str() == Some(&t.name)).ok_or("unknown trigger")?;
            out.push(Run {
                now: i64::from(*today) * 1440 + [0, 540, 1439][n % 3],
                trigger: trigger.id,
                params: params.to_string(),
                first,
                known_until: first + days as i32 - 1,
                bits: bits.clone(),
            });
        }
    }
    Ok(out)
}

/// `rows` customers for a run.
pub(crate) fn batch(registry: &Registry, manifest: &Value, run: &Run, rows: usize, seed: u64) -> Result<Batch> {
    let mut dice = Dice(seed | 1);
    let today = run.now.div_euclid(1440);
    let mut columns = Vec::new();
    for name in manifest["columns"].as_array().into_iter().flatten() {
        let column = registry.column.iter().find(|c| name.as_str() == Some(&c.name)).ok_or("unknown column")?;
        let values = (0..rows).map(|_| dice.value(column, today)).collect();
        columns.push((column.clone(), values));
    }
    Ok(Batch { rows, columns })
}

/// A small deterministic source of numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as i64 % sides
    }

    fn value(&mut self, column: &Column, today: i64) -> i64 {
        if self.roll(16) == 0 {
            return column.none.unwrap_or(0);
        }
        match column.unit.as_str() {
            "date" => today + self.roll(141) - 70,
            "step" => self.roll(7),
            "bits" => (self.roll(1 << 20) & self.roll(1 << 20)) | (self.roll(1 << 20) & self.roll(8)),
            "yyyymm" => 202_601 + self.roll(12),
            "fen" => {
                let near = [0, 1, 99, 100, 101, 1500, 3000, 5000, 20_000, 100_000_000][self.roll(10) as usize]
                    + self.roll(3)
                    - 1;
                let negative = column.ty == "s64" && self.roll(6) == 0;
                if negative { -near } else { near.max(0) }
            }
            _ => self.roll(250),
        }
    }
}
