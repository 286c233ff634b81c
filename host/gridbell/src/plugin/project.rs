//! `plugin new` and `plugin build`.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use gridbell_workshop::{LANGUAGES, Project, Tools, WorkshopError, language, make};
use serde_json::json;

use super::inspect;
use crate::error::CommandError;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
The project holds a reminder policy of about 20 lines, cases that try it (cases.toml), a README, the language's SDK, and plugin.toml, which names
language and artifact. It needs nothing of ours to build.

EXAMPLE
  gridbell plugin new tou-reminder --lang rust
  gridbell plugin build tou-reminder
  gridbell plugin test tou-reminder")]
pub(crate) struct NewArgs {
    /// The plugin's name: small letters, digits and `-`
    name: String,
    /// What it is to be written in
    #[arg(long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(LANGUAGES.iter().map(|l| l.word())))]
    lang: String,
    /// Where to make it; the name in this folder by default
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Runs the language's own tools: cargo, zig or clang, … What one of them lacks is said in one line, with how to get it. The host makes a component of
what they leave, at upload, so nothing else is needed. The artifact (NAME.wasm) is written only if the host would accept it; then follows what
`plugin check` says. Exit code 1 if a tool is missing, 3 if the source or the plugin is refused.

EXAMPLE
  gridbell plugin build tou-reminder")]
pub(crate) struct BuildArgs {
    /// The project's folder
    #[arg(default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Print one JSON object; what the tools say goes to standard error either way
    #[arg(long)]
    json: bool,
}

pub(super) fn new(args: &NewArgs) -> Result<(), CommandError> {
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    // The parser of the command line lets no other word through.
    let language =
        language(&args.lang).ok_or_else(|| CommandError::Usage(format!("`{}` is no language", args.lang)))?;
    let project = make(&args.name, language, &dir).map_err(failed)?;
    if args.json {
        let said = json!({ "name": project.name, "language": language.word(), "dir": project.dir });
        println!("{said}");
        return Ok(());
    }
    println!("{}: a policy in {}", dir.display(), language.title());
    println!("  gridbell plugin build {}", dir.display());
    println!("  gridbell plugin test {}", dir.display());
    Ok(())
}

pub(super) fn build(args: &BuildArgs) -> Result<(), CommandError> {
    let project = Project::open(&args.dir).map_err(failed)?;
    let built = project.build(&Tools::of_this_machine()).map_err(failed)?;
    if !args.json {
        println!("built with {}", built.with);
    }
    let desk = super::desk(&built.bytes, None)?.map_err(|e| inspect::say_refused(&project.artifact, args.json, e))?;
    project.write(&built).map_err(failed)?;
    let artifact = shown(&project.artifact);
    if !args.json {
        println!("wrote {artifact}");
    }
    inspect::accepted(&desk, args.json, &json!({ "artifact": artifact, "built_with": built.with }))
}

/// `path` as the author would write it, if it lies below this folder.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.unwrap_or_else(|| path.to_owned()).display().to_string()
}

/// Wrong words have exit code 2, a machine that lacks something has 1, a project that will not do has 3.
pub(super) fn failed(e: WorkshopError) -> CommandError {
    use WorkshopError as W;
    let text = e.to_string();
    match e {
        W::Name { .. } | W::Occupied { .. } | W::NoProject { .. } => CommandError::Usage(text),
        W::Missing(_) | W::Io { .. } => CommandError::Failed(text),
        _ => CommandError::Refused(text),
    }
}
