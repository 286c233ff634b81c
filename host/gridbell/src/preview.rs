//! Whom a dry run would reach: a table for a terminal, lines of tab-separated fields for everything else.

use comfy_table::{ContentArrangement, Table, presets};
use gridbell_conductor::PreviewRow;

/// Rows of the table: more are for `--json`.
const SHOWN: usize = 50;
/// Narrower than this no table is readable.
const LEAST_WIDTH: u16 = 40;
const HEADER: [&str; 5] = ["户号", "通知", "级", "原因", "结果"];

/// The rows as a table of `width` columns; without a width (a pipe, a file) one line for each, all of them.
pub(crate) fn show(rows: &[PreviewRow], width: Option<u16>) -> String {
    let Some(width) = width else {
        let lines = std::iter::once(HEADER.map(str::to_owned)).chain(rows.iter().map(fields));
        // Texts have no tabs or line breaks; one that had would not break the lines.
        let line = |fields: [String; 5]| fields.map(|f| f.replace(['\t', '\n', '\r'], " ")).join("\t");
        return lines.map(line).collect::<Vec<_>>().join("\n");
    };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(LEAST_WIDTH));
    table.set_header(HEADER);
    rows.iter().take(SHOWN).for_each(|row| {
        table.add_row(fields(row));
    });
    let more = rows.len().saturating_sub(SHOWN);
    if more == 0 {
        table.to_string()
    } else {
        format!("{table}\n……另有 {more} 户，--json 列出全部 (and {more} more with --json)")
    }
}

fn fields(row: &PreviewRow) -> [String; 5] {
    let result = match (&row.held, &row.text) {
        (Some(why), _) => format!("拦截：{}", why.chinese()),
        (None, text) => {
            let at = row.send_after.map(|t| t.to_string()).unwrap_or_default();
            format!("{at} {}", text.as_deref().unwrap_or_default())
        }
    };
    [row.account.to_string(), row.notice.clone(), row.step.to_string(), row.reason.clone(), result]
}

#[cfg(test)]
mod tests {
    use gridbell_model::HoldReason;

    use super::*;

    fn rows(n: usize) -> Vec<PreviewRow> {
        let row = |n: usize| PreviewRow {
            account: format!("{n:010}").parse().unwrap(),
            notice: "reminder-important".into(),
            step: 1,
            reason: "临近违约金起算日".into(),
            held: n.is_multiple_of(2).then_some(HoldReason::AlreadySaid),
            text: (n % 2 == 1).then(|| "【国网山西电力】您好！户号尾号0001的电费123.45元尚未缴纳，".repeat(4)),
            send_after: None,
        };
        (0..n).map(row).collect()
    }

    /// Columns of a terminal that a line takes: Chinese letters and their marks take two.
    fn width(line: &str) -> usize {
        line.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum()
    }

    #[test]
    fn a_table_fits_its_terminal() {
        for columns in [60, 80, 200] {
            let table = show(&rows(3), Some(columns));
            let widest = table.lines().map(width).max().unwrap();
            assert!(widest <= usize::from(columns), "{widest} columns:\n{table}");
        }
        assert!(show(&rows(SHOWN + 7), Some(80)).ends_with("7 more with --json)"));
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_customer() {
        let text = show(&rows(SHOWN + 7), None);
        assert_eq!(text.lines().count(), SHOWN + 8);
        assert!(text.lines().all(|line| line.split('\t').count() == 5), "{text}");
        assert_eq!(
            text.lines().nth(1).unwrap(),
            "0000000000\treminder-important\t1\t临近违约金起算日\t拦截：这一步已经说过"
                .replace("这一步已经说过", HoldReason::AlreadySaid.chinese())
        );
    }
}
