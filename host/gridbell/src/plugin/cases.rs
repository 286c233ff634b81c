//! `plugin test`: cases with their expectations.

use std::path::{Path, PathBuf};

use gridbell_workshop::{CaseFile, CaseReport, Verdict};
use serde_json::{Value, json};

use crate::error::CommandError;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
A case is a customer's facts, a moment and parameters, with what the policy must answer:
  [[case]]
  name = \"提前 7 天\"
  now = \"2026-11-21 09:00\"
  parameters = { steps = [7, 3, 1] }
  customer = { arrears = \"20.00\", late-fee-from = \"2026-11-28\" }
  expect = { notice = \"reminder\", step = 1 }
  # or: expect = { nothing = \"too-early\" }
Money is yuan as a text, dates are 2026-11-28, traits are names: traits = [\"important\"]. What a case does not say comes from [defaults], then
from the registry (wit/REGISTRY.md). Only what `expect` names is compared. --update writes down what the policy answers now; look at the
difference before you keep it.

EXAMPLES
  gridbell plugin test                                # the project in this folder, with its cases.toml
  gridbell plugin test my-policy.wasm --cases cases.toml
  gridbell plugin test my-policy.wasm                 # all *.toml in the folder `cases` beside it")]
pub(crate) struct TestArgs {
    /// The plugin, or the folder of a project that was built
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    file: PathBuf,
    /// A file of cases, or a folder of such files; `cases` or `cases.toml` beside the plugin by default
    #[arg(long, value_name = "FILE|DIR")]
    cases: Option<PathBuf>,
    /// Write what the policy answers now into the files
    #[arg(long)]
    update: bool,
    /// Working days, instead of those that the house brings along
    #[arg(long, value_name = "FILE")]
    calendar: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn test(args: &TestArgs) -> Result<(), CommandError> {
    let desk = super::open(&args.file, args.calendar.as_deref())?;
    let files = files(args)?;
    let (mut passed, mut failed, mut all) = (0_usize, 0_usize, Vec::new());
    for path in files {
        let text = super::text(&path)?;
        let refused = |e: gridbell_workshop::WorkshopError| CommandError::Refused(e.to_string());
        let file = CaseFile::parse(&path.display().to_string(), &text).map_err(refused)?;
        let reports = file.run(&desk).map_err(refused)?;
        for report in &reports {
            if matches!(report.verdict, Verdict::Passed) {
                passed += 1
            } else {
                failed += 1
            }
            if args.json {
                all.push(json_of(file.document(), report));
            } else {
                print(file.document(), report);
            }
        }
        if args.update {
            let updated = file.updated(&reports).map_err(refused)?;
            if updated != text {
                std::fs::write(&path, updated).map_err(CommandError::file("write", &path))?;
                if !args.json {
                    println!("updated {}", path.display());
                }
            }
        }
    }
    if args.json {
        println!("{}", json!({ "passed": passed, "failed": failed, "cases": all }));
    } else {
        println!("{passed} passed, {failed} failed");
    }
    if failed > 0 && !args.update {
        return Err(CommandError::Found(format!("{failed} of {} cases are not as expected", passed + failed)));
    }
    Ok(())
}

fn files(args: &TestArgs) -> Result<Vec<PathBuf>, CommandError> {
    let folder = if args.file.is_dir() { &args.file } else { args.file.parent().unwrap_or(Path::new("")) };
    let beside = |name: &str| folder.join(name);
    let place = match &args.cases {
        Some(place) => place.clone(),
        None => [beside("cases"), beside("cases.toml")].into_iter().find(|p| p.exists()).ok_or_else(|| {
            CommandError::Usage(
                "there is no `cases` or `cases.toml` beside the plugin: name it with --cases".to_owned(),
            )
        })?,
    };
    if !place.is_dir() {
        return Ok(vec![place]);
    }
    let read = |e| CommandError::file("read", &place)(e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&place).map_err(read)? {
        let path = entry.map_err(|e| CommandError::file("read", &place)(e))?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(CommandError::Usage(format!("there is no .toml file in {}", place.display())));
    }
    Ok(files)
}

fn print(document: &str, report: &CaseReport) {
    let place = format!("{document}:{}", report.line);
    match &report.verdict {
        Verdict::Passed => println!("ok      {}", report.name),
        Verdict::NothingExpected => {
            println!(
                "NEW     {}  {place}\n          it expects nothing yet; --update writes down what the policy answers",
                report.name
            );
        }
        Verdict::OutsideInterest => println!(
            "FAILED  {}  {place}\n          `decide` chooses this customer and `interest` leaves it out: in production nobody would be told",
            report.name
        ),
        Verdict::Broke(why) => println!("BROKE   {}  {place}\n          {why}", report.name),
        Verdict::Failed { differences, deciding } => {
            println!("FAILED  {}  {place}", report.name);
            for (key, wanted, got) in differences {
                println!("          {key}: expected {wanted}, got {got}");
            }
            for (name, now, would) in &deciding.would {
                println!("          it would be as expected if {name} were {would} instead of {now}");
            }
            if deciding.would.is_empty() {
                let names: Vec<String> = deciding.depends.iter().map(|(name, now)| format!("{name} = {now}")).collect();
                println!(
                    "          no single fact near these values makes it so; the answer depends on {}",
                    names.join(", ")
                );
            }
        }
    }
    if let (false, Some(answer)) = (matches!(report.verdict, Verdict::Passed), &report.answer) {
        println!("          answered: {answer}");
    }
}

fn json_of(document: &str, report: &CaseReport) -> Value {
    let answer: Option<serde_json::Map<String, Value>> =
        report.answer.as_ref().map(|a| a.fields().map(|(k, v)| (k.to_owned(), Value::from(v))).collect());
    let (verdict, more) = match &report.verdict {
        Verdict::Passed => ("passed", Value::Null),
        Verdict::NothingExpected => ("nothing-expected", Value::Null),
        Verdict::OutsideInterest => ("outside-interest", Value::Null),
        Verdict::Broke(why) => ("broke", json!({ "error": why })),
        Verdict::Failed { differences, deciding } => (
            "failed",
            json!({
                "differences": differences.iter().map(|(k, w, g)| json!({"field": k, "expected": w, "answered": g})).collect::<Vec<_>>(),
                "would_pass_if": deciding.would.iter().map(|(n, v, w)| json!({"fact": n, "is": v, "were": w})).collect::<Vec<_>>(),
                "depends_on": deciding.depends.iter().map(|(n, _)| n).collect::<Vec<_>>(),
            }),
        ),
    };
    json!({ "file": document, "line": report.line, "name": report.name, "verdict": verdict, "answer": answer, "more": more })
}
