//! Makes components of guests, reads their manifests, and compares what two guests decide. `plugins/build` calls it.
//!
//! It runs guests in an interpreter and lowers their arguments by its own hand, so it shares neither code nor engine with the host: what it
//! finds equal is equal. It never decides whether a guest may be used; that is the host's certification.

mod cases;
mod compare;
mod componentize;
mod guest;
mod registry;

use std::process::ExitCode;

/// Any failure, in words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
usage:
  gridbell-plugin-tools componentize WIT_FOLDER CORE.wasm OUT.wasm
      Make a component of a core module that exports the functions of the world `policy`.
  gridbell-plugin-tools manifest GUEST.wasm
      Print the guest's manifest, indented.
  gridbell-plugin-tools compare A.wasm B.wasm CASES.json
      Ask both about the same made-up customers under each of the parameters in CASES.json, and fail at the first difference. The manifests may
      differ in name, version and description only. GUEST.wasm is a component or a core module.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["componentize", wit, core, out] => componentize::componentize(wit, core, out),
        ["manifest", guest] => compare::print_manifest(guest),
        ["compare", a, b, cases] => compare::compare(a, b, cases),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let causes = std::iter::successors(e.source(), |c| c.source());
            let told: Vec<String> = std::iter::once(e.to_string()).chain(causes.map(ToString::to_string)).collect();
            eprintln!("error: {}", told.join(": "));
            ExitCode::FAILURE
        }
    }
}
