//! `plugin check` and `plugin inspect`.

use std::path::{Path, PathBuf};

use gridbell_contract::{Arg, PACKAGE, Registry};
use gridbell_engine::{MAX_UPLOAD_BYTES, UploadKind, producers};
use gridbell_workshop::{Desk, WorkshopError};
use serde_json::{Value, json};

use crate::error::CommandError;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
What is checked: that the file is WebAssembly and valid, that it imports nothing, that it exports the contract's functions with the contract's
types, that it compiles within the host's limits, and that its manifest and parameter schema hold. Exit code 3 if the host would refuse it; the
message says why and which flag or change cures it, and begins with a stable code of wit/ERRORS.md. With --json a refusal is
one object as well, with `accepted` false, `code`, `causes` and `message`.

EXAMPLE
  gridbell plugin check my-policy.wasm")]
pub(crate) struct CheckArgs {
    /// A component or core module, or the folder of a project that was built
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct InspectArgs {
    /// A component or core module, or the folder of a project that was built
    #[arg(default_value = ".", value_name = "FILE|DIR")]
    file: PathBuf,
    /// Print one JSON object: manifest, parameter schema, digest, sizes, tools
    #[arg(long)]
    json: bool,
}

fn kind(desk: &Desk) -> &'static str {
    match desk.checked().kind() {
        UploadKind::Component => "component",
        UploadKind::Module => "core module, which the host makes a component",
    }
}

pub(super) fn check(args: &CheckArgs) -> Result<(), CommandError> {
    let desk = match super::opened(&args.file, None)? {
        Ok(desk) => desk,
        Err(e) => return Err(say_refused(&args.file, args.json, e)),
    };
    accepted(&desk, args.json, &json!({}))
}

/// What is to be said of a plugin that the host would take; `more` joins the JSON object.
pub(super) fn accepted(desk: &Desk, as_json: bool, more: &Value) -> Result<(), CommandError> {
    let manifest = desk.manifest();
    if as_json {
        let mut said = json!({
            "accepted": true, "digest": desk.plugin().digest().to_string(), "contract": PACKAGE, "kind": kind(desk),
            "bytes": desk.upload_bytes(), "name": manifest.name(), "version": manifest.version(),
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            said[key] = value.clone();
        }
        println!("{said}");
        return Ok(());
    }
    let properties = manifest.parameters().get("properties").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    println!("accepted: {} {}", manifest.name(), manifest.version());
    println!("  file        {}, {} bytes of at most {MAX_UPLOAD_BYTES}", kind(desk), desk.upload_bytes());
    println!("  contract    {PACKAGE}, all four functions, nothing imported");
    println!(
        "  manifest    {} columns, {} parameters, {} notices, {} reasons, {} routes",
        manifest.columns().len(),
        properties,
        manifest.notices().len(),
        manifest.reasons().len(),
        manifest.routes().len()
    );
    println!("  digest      {}", desk.plugin().digest());
    Ok(())
}

/// With `--json` a refusal is an answer too, on standard output; in either case the exit code is that of a refusal.
pub(super) fn say_refused(file: &Path, as_json: bool, e: WorkshopError) -> CommandError {
    if let (true, WorkshopError::Engine(refused)) = (as_json, &e)
        && refused.is_of_the_upload()
    {
        let causes: Vec<&str> = refused.cause().map(|c| c.word()).into_iter().collect();
        let said = json!({
            "accepted": false, "code": refused.code().word(), "causes": causes, "message": refused.to_string(),
            "contract": PACKAGE,
        });
        println!("{said}");
    }
    super::refused(file, e)
}

pub(super) fn inspect(args: &InspectArgs) -> Result<(), CommandError> {
    let desk = super::open(&args.file, None)?;
    let tools = producers(&super::bytes(&super::artifact(&args.file)?)?);
    let m = desk.manifest();
    let triggers: Vec<&str> =
        m.triggers().iter().filter_map(|id| Registry::get().trigger(*id).map(|t| &*t.name)).collect();
    if args.json {
        let tools: Vec<Value> =
            tools.iter().map(|t| json!({"field": t.field, "name": t.name, "version": t.version})).collect();
        let columns: Vec<&str> = m.column_defs().map(|c| &*c.name).collect();
        let said = json!({
            "name": m.name(), "version": m.version(), "description": m.description(), "topic": m.topic().word(),
            "triggers": triggers, "columns": columns, "notices": m.notices(), "reasons": m.reasons(),
            "routes": m.routes(), "parameters": m.parameters(), "digest": desk.plugin().digest().to_string(),
            "contract": PACKAGE, "kind": kind(&desk), "bytes": desk.upload_bytes(),
            "component_bytes": desk.checked().component().len(), "tools": tools,
        });
        println!("{}", serde_json::to_string_pretty(&said)?);
        return Ok(());
    }
    println!("{} {} · {} ({})", m.name(), m.version(), m.topic().chinese(), m.topic().word());
    println!("{}\n", m.description());
    println!("runs on      {}", triggers.join(", "));
    println!("looks at");
    for column in m.column_defs() {
        println!("  {:<16} {}", column.name, column.doc);
    }
    println!("parameters");
    for (name, schema) in m.parameters().get("properties").and_then(Value::as_object).into_iter().flatten() {
        let word = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default();
        let default = schema.get("default").map_or_else(String::new, |d| format!(" = {d}"));
        println!("  {name}{default}  {}", word("title"));
    }
    println!("may say");
    for notice in m.notices() {
        let args: Vec<&str> = [&notice.arg0, &notice.arg1].into_iter().flatten().map(|a: &Arg| &*a.name).collect();
        println!("  {}({})  {}", notice.name, args.join(", "), notice.title);
    }
    println!("reasons");
    for reason in m.reasons() {
        println!("  {:<20} {}", reason.name, reason.title);
    }
    println!("routes       {}", m.routes().join(", "));
    println!("digest       {}", desk.plugin().digest());
    println!("contract     {PACKAGE}");
    println!(
        "size         {} bytes, {}; {} as a component",
        desk.upload_bytes(),
        kind(&desk),
        desk.checked().component().len()
    );
    for tool in tools {
        println!("{:<12} {} {}", tool.field, tool.name, tool.version);
    }
    Ok(())
}
