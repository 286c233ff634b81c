//! `plugin run`: a trial over a file of customers.

use std::io::{BufReader, Write};
use std::path::PathBuf;

use gridbell_workshop::{Sheet, WorkshopError};
use serde_json::json;

use super::Told;
use crate::error::CommandError;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The CSV's headers are columns of the registry (wit/REGISTRY.md): those that the plugin asks for, and `account` if you like; the plugin never sees
it. Money is in yuan, dates are 2026-11-28, traits are names with blanks between. Limits and errors are production's.

EXAMPLE
  gridbell plugin run my-policy.wasm --customers customers.csv --at \"2026-11-21 09:00\" --parameters '{\"steps\":[7,3,1]}'")]
pub(crate) struct RunArgs {
    /// The plugin, or the folder of a project that was built
    #[arg(value_name = "FILE|DIR")]
    file: PathBuf,
    /// The customers, CSV
    #[arg(long, value_name = "FILE.csv")]
    customers: PathBuf,
    #[command(flatten)]
    told: Told,
    /// Customers who get nothing too, each with its reason
    #[arg(long)]
    all: bool,
    /// Print JSON, one object a line, the summary last
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RunArgs) -> Result<(), CommandError> {
    let desk = super::open(&args.file, args.told.calendar.as_deref())?;
    let refused = |e: WorkshopError| super::refused(&args.file, e);
    let run = desk.run(&args.told.facts()?).map_err(refused)?;
    let input = std::fs::File::open(&args.customers).map_err(CommandError::file("open", &args.customers))?;
    let document = args.customers.display().to_string();
    let sheet = Sheet::read(&document, BufReader::new(input), desk.columns())
        .map_err(|e| CommandError::Refused(e.to_string()))?;
    let done = desk.decide(&run, &sheet.rows).map_err(refused)?;
    let everyone: Vec<u32> = (0..).take(sheet.rows.len()).collect();
    let reasons = desk.explain(&run, &sheet.rows, &everyone).map_err(refused)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let failed = CommandError::from;
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let mut decisions = done.decisions.iter().peekable();
    for ((row, reason), account) in everyone.iter().zip(reasons).zip(&sheet.accounts) {
        let decision = decisions.next_if(|d| d.row == *row);
        let answer = gridbell_workshop::answer(&desk, decision, reason);
        let label = answer.fields().find(|(k, _)| *k == "nothing" || *k == "notice").map(|(k, v)| format!("{k} {v}"));
        *counts.entry(label.unwrap_or_default()).or_default() += 1;
        if decision.is_none() && !args.all {
            continue;
        }
        let name = if account.is_empty() { format!("row {row}") } else { account.clone() };
        if args.json {
            let fields: serde_json::Map<_, _> = answer.fields().map(|(k, v)| (k.to_owned(), v.into())).collect();
            writeln!(out, "{}", json!({ "row": row, "account": account, "answer": fields })).map_err(failed)?;
        } else {
            writeln!(out, "{name:<14} {answer}").map_err(failed)?;
        }
    }
    if args.json {
        let said = json!({ "customers": done.customers, "passed": done.passed, "decided": done.decisions.len(),
            "rejected": sheet.rejected_count, "interest_misses": done.interest_misses, "counts": counts });
        writeln!(out, "{said}").map_err(failed)?;
    } else {
        writeln!(
            out,
            "{} customers, {} inside the interest, {} chosen",
            done.customers,
            done.passed,
            done.decisions.len()
        )
        .map_err(failed)?;
        for (label, n) in counts {
            writeln!(out, "  {n:>9}  {label}").map_err(failed)?;
        }
    }
    out.flush().map_err(failed)?;
    for row in &sheet.rejected {
        eprintln!("{document}, line {}, {}: {}", row.line, row.column, row.reason);
    }
    if !done.interest_misses.is_empty() {
        let text = format!(
            "`interest` leaves out {} customers whom `decide` chooses, of 256 tried: rows {:?}",
            done.interest_misses.len(),
            done.interest_misses
        );
        return Err(CommandError::Found(text));
    }
    if sheet.rejected_count > 0 {
        return Err(CommandError::Refused(format!("{} rows were left out", sheet.rejected_count)));
    }
    Ok(())
}
