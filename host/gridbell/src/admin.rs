//! Commands on a data directory while no host runs on it. While one does, the store says so and the API does the same.

use std::io::IsTerminal;
use std::path::PathBuf;

use comfy_table::Table;
use gridbell_clock::Clock;
use gridbell_conductor::{Host, ProvinceFile, ProvinceProposal, RunRequest, RunSummary};
use gridbell_model::{AccountNumber, OrgCode, PrefectureCode};
use gridbell_server::{NewToken, Role, Scope};
use gridbell_store::{BackupError, BackupSummary, SledOptions};

use crate::config::Config;
use crate::error::CommandError;
use crate::import::{ImportKind, ImportReport, Target};
use crate::{open, platforms, preview};

/// Which data directory.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct Place {
    /// The configuration file of the host
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    config: Option<PathBuf>,
    /// The data directory, where no configuration file is needed
    #[arg(long, value_name = "DIR", env = "GRIDBELL_DATA")]
    data: Option<PathBuf>,
}

impl Place {
    /// Whether one was named.
    pub(crate) fn is_given(&self) -> bool {
        self.config.is_some() || self.data.is_some()
    }

    pub(crate) fn config(&self) -> Result<Config, CommandError> {
        match (&self.config, &self.data) {
            (Some(file), _) => Config::read(file),
            (None, Some(data)) => Ok(Config::of_data(data.clone())),
            (None, None) => Err(CommandError::Usage("say where the data is: --config FILE or --data DIR".to_owned())),
        }
    }

    /// The configuration of a data directory that is there: a mistyped one is refused and nothing is made.
    pub(crate) fn existing(&self) -> Result<Config, CommandError> {
        let config = self.config()?;
        if open::is_data(&config.data) {
            return Ok(config);
        }
        let shown = config.data.display();
        let named = match &self.config {
            Some(file) => format!("`{shown}`, which {} names as `data`,", file.display()),
            None => format!("`{shown}`"),
        };
        let within = config.data.join("data");
        let remedy = if open::is_data(&within) {
            format!("did you mean `{}`?", within.display())
        } else {
            "name the folder that the host's configuration has as `data`; `gridbell import`, `policy apply` and `serve` make a new one"
                .to_owned()
        };
        Err(CommandError::Refused(format!("{named} is no data directory, there is no `store` in it: {remedy}")))
    }

    /// Opens everything of a data directory that is there; carriers of the configured links count as served, so that a run by hand queues for them.
    pub(crate) async fn host(&self) -> Result<Host, CommandError> {
        self.existing()?;
        self.host_or_new().await
    }

    /// As [`Self::host`], for the work of setting up: makes a data directory where there is none, and says so.
    pub(crate) async fn host_or_new(&self) -> Result<Host, CommandError> {
        let config = self.config()?;
        let (links, declared) = (config.links.clone(), config.clone());
        let open = move || open::open(&config, Clock::system());
        let opened = tokio::task::spawn_blocking(open).await.map_err(|e| CommandError::Failed(e.to_string()))??;
        opened.made.say();
        opened.host.declare_links(&links);
        platforms::declare(&opened.host, &declared)?;
        open::install_defaults(&opened.host).await?;
        Ok(opened.host)
    }

    /// Opens the state alone of a data directory that is there.
    pub(crate) async fn state(&self) -> Result<(gridbell_state::State, Clock), CommandError> {
        self.existing()?;
        self.state_or_new().await
    }

    /// As [`Self::state`], for the work of setting up: makes a data directory where there is none, and says so.
    pub(crate) async fn state_or_new(&self) -> Result<(gridbell_state::State, Clock), CommandError> {
        let config = self.config()?;
        let clock = Clock::system();
        let its = clock.clone();
        let open = move || open::open_state(&config, &its);
        let (state, _, made) =
            tokio::task::spawn_blocking(open).await.map_err(|e| CommandError::Failed(e.to_string()))??;
        made.say();
        Ok((state, clock))
    }
}

pub(crate) fn who() -> String {
    std::env::var("USER")
        .ok()
        .filter(|u| !u.is_empty())
        .map_or_else(|| "command".to_owned(), |u| format!("command:{u}"))
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
A row whose identity or money is wrong goes to the reject file with line, column, value and reason; the others go on. A bad phone only flags
the contact. The same file twice changes nothing. Headers may be Chinese or English; others are named in a mapping file:
  [bills]
  account = \"用户编号\"
  amount = \"金额(元)\"

EXAMPLES
  gridbell import customers 用户档案.csv --data d
  gridbell import bills 202611.xlsx --data d --account-digits 10")]
pub(crate) struct ImportArgs {
    /// What the file has
    #[arg(value_enum)]
    kind: ImportKind,
    /// CSV (UTF-8 or GB18030) or XLSX
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Our field = their header, TOML
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Where rejected rows go; FILE.rejects.csv by default
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// The sheet of a workbook
    #[arg(long)]
    sheet: Option<String>,
    /// How many digits every account number has, where the utility knows: numeric cells are read then
    #[arg(long, value_parser = clap::value_parser!(u8).range(10..=13))]
    account_digits: Option<u8>,
    /// The org tree as JSON, applied before the rows
    #[arg(long, value_name = "FILE")]
    org: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn import(args: ImportArgs) -> Result<(), CommandError> {
    let host = args.place.host_or_new().await?;
    let who = who();
    if let Some(path) = &args.org {
        let text = std::fs::read_to_string(path).map_err(CommandError::file("read", path))?;
        let proposal = ProvinceProposal {
            file: ProvinceFile::OrgUnits,
            document: path.display().to_string(),
            text,
            expected: None,
            who: who.clone(),
            dry_run: false,
        };
        host.apply_province(&proposal).await?;
    }
    let target = Target::of(&host, &who, !args.json)?;
    let mut options = target.options();
    options.sheet = args.sheet;
    options.account_digits = args.account_digits;
    if let Some(path) = &args.mapping {
        let text = std::fs::read_to_string(path).map_err(CommandError::file("read", path))?;
        let mapping = gridbell_intake::Mapping::parse(&text)
            .map_err(|e| CommandError::Refused(format!("{}: {e}", path.display())))?;
        options.mapping = Some(mapping);
    }
    let rejects = args.rejects.unwrap_or_else(|| {
        let mut name = args.file.clone().into_os_string();
        name.push(".rejects.csv");
        PathBuf::from(name)
    });
    let mut report = target.import(args.kind, &args.file, &options, &rejects).await?;
    if args.kind == ImportKind::Customers {
        let (state, most) = (host.state().clone(), host.settings()?.rules.shared_phone_accounts);
        let counted = tokio::task::spawn_blocking(move || state.count_shared_phones(most)).await;
        report.shared_phones = Some(counted.map_err(|e| CommandError::Failed(e.to_string()))?);
    }
    if args.kind == ImportKind::Supply {
        let state = host.state();
        report.without_supply = Some(state.prefectures().keys().map(|p| state.without_supply(*p, 0).0).sum());
    }
    host.state().checkpoint().await?;
    host.state().close().await;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print_import(&report);
    }
    match &report.reject_file {
        None => Ok(()),
        Some(path) => {
            let text = format!("{} rows were rejected; see {}", report.rejected, path.display());
            Err(CommandError::Refused(text))
        }
    }
}

fn print_import(r: &ImportReport) {
    println!(
        "{}: {} 行 rows, 新增 created {}, 更新 changed {}, 不变 unchanged {}, 拒绝 rejected {}, {:.1} s",
        r.file,
        r.rows,
        r.created,
        r.changed,
        r.unchanged,
        r.rejected,
        r.elapsed_ms as f64 / 1000.0
    );
    for (warning, n) in &r.warnings {
        println!("  注意 {warning}: {n}");
    }
    if let Some(count) = r.without_supply.filter(|count| *count > 0) {
        println!("  注意 without-transformer: {count} 户没有变压器（全省）；gridbell topology check 列出");
    }
    if let Some(shared) = r.shared_phones.filter(|s| s.numbers > 0) {
        println!("  注意 shared-phone: {} 个号码多户共用，共 {} 户（全省）", shared.numbers, shared.accounts);
    }
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Without --yes it only lists whom the run would reach. The run shares \"not twice\" with the schedules, and every message knows that a person
started it.

EXAMPLE
  gridbell run arrears-reminder --prefecture 140100 --org 140105 --section 17 --exclude 0012345678 --data d")]
pub(crate) struct RunArgs {
    /// Name of the policy
    #[arg(required = true)]
    policy: Option<String>,
    /// GB/T 2260 code
    #[arg(long, required = true)]
    prefecture: Option<u32>,
    /// Only customers under these org units
    #[arg(long, value_delimiter = ',')]
    org: Vec<u32>,
    /// Only customers of these reading sections
    #[arg(long, value_delimiter = ',')]
    section: Vec<u32>,
    /// Not these accounts
    #[arg(long, value_delimiter = ',')]
    exclude: Vec<AccountNumber>,
    /// Queue the messages; the host sends them when it runs
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run_policy(args: RunArgs) -> Result<(), CommandError> {
    let host = args.place.host().await?;
    let (Some(policy), Some(prefecture)) = (&args.policy, args.prefecture) else {
        return Err(CommandError::Usage("say which policy and which --prefecture".to_owned()));
    };
    let mut request = RunRequest::by_person(PrefectureCode(prefecture), policy, &who());
    request.scope.orgs = args.org.iter().map(|o| OrgCode(*o)).collect();
    request.scope.sections = args.section.iter().copied().collect();
    request.scope.exclude = args.exclude.iter().copied().collect();
    request.dry_run = !args.yes;
    let summary = host.run_policy(request).await?;
    host.state().close().await;
    if args.json {
        let r = &summary.record;
        println!(
            "{}",
            serde_json::json!({
                "run": if args.yes { Some(r.id.to_string()) } else { None }, "status": r.status, "customers": r.customers, "decided": r.decided,
                "queued": r.queued, "held": r.held, "parts": r.parts, "cost_milli_fen": r.cost_milli_fen,
                "warnings": summary.warnings, "preview": summary.preview,
            })
        );
    } else {
        print_run(&summary, args.yes);
    }
    Ok(())
}

fn print_run(summary: &RunSummary, sent: bool) {
    let r = &summary.record;
    if !sent && !summary.preview.is_empty() {
        let width = std::io::stdout().is_terminal().then(|| Table::new().width()).flatten();
        println!("{}", preview::show(&summary.preview, width));
    }
    println!(
        "{} 户 customers, 决定 decided {}, 入队 queued {}, {} 条 parts, 费用 {:.2} 元",
        r.customers,
        r.decided,
        r.queued,
        r.parts,
        r.cost_milli_fen as f64 / 100_000.0
    );
    for (why, n) in &r.held {
        println!("  拦截 held {}（{why}）: {n}", why.chinese());
    }
    for warning in &summary.warnings {
        println!("  注意 {warning}");
    }
    if sent {
        println!("run {} is in the outbox", r.id);
    } else {
        println!("nothing was sent; add --yes to send");
    }
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum UserCommand {
    /// Add a user; the password is read from standard input
    Add {
        /// Name to sign in with
        name: String,
        /// Name that others see
        #[arg(long, default_value = "")]
        title: String,
        /// operator, approver, city-office, clerk, agent, developer, auditor or feed
        #[arg(long)]
        role: Role,
        /// The org unit whose subtree the user works in; the whole province without
        #[arg(long)]
        scope: Option<u32>,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) async fn user(command: UserCommand) -> Result<(), CommandError> {
    let UserCommand::Add { name, title, role, scope, place } = command;
    let mut password = String::new();
    std::io::stdin().read_line(&mut password)?;
    let (state, _) = place.state_or_new().await?;
    let title = if title.is_empty() { name.clone() } else { title };
    gridbell_server::create_user(&state, &name, &title, role, scope_of(scope), password.trim_end()).await?;
    state.close().await;
    println!("user `{name}` was added");
    Ok(())
}

fn scope_of(org: Option<u32>) -> Scope {
    org.map_or(Scope::All, |code| Scope::Unit(OrgCode(code)))
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum TokenCommand {
    /// Make a bearer token; it is shown once
    Add {
        /// What it is for
        name: String,
        /// Whose work is done by it, by user name: nobody approves his own, by whichever token or the console. Without, it is a program that is nobody's
        #[arg(long)]
        person: Option<String>,
        /// The role that it has
        #[arg(long)]
        role: Role,
        /// The org unit whose subtree it reaches; the whole province without
        #[arg(long)]
        scope: Option<u32>,
        /// How long it is valid
        #[arg(long, default_value_t = 90)]
        days: u16,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) async fn token(command: TokenCommand) -> Result<(), CommandError> {
    let TokenCommand::Add { name, person, role, scope, days, place } = command;
    let (state, clock) = place.state_or_new().await?;
    let new = NewToken { name, person, role, scope: scope_of(scope), days: u32::from(days) };
    let token = gridbell_server::create_token(&state, &clock, new).await?;
    state.close().await;
    println!("{token}");
    Ok(())
}

#[derive(clap::Args, Debug)]
pub(crate) struct BackupArgs {
    /// The file to write
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn backup(args: BackupArgs) -> Result<(), CommandError> {
    let (state, _) = args.place.state().await?;
    let path = args.file.clone();
    let summary = tokio::task::spawn_blocking(move || gridbell_conductor::write_backup(&state, &path))
        .await
        .map_err(|e| CommandError::Failed(e.to_string()))??;
    print_backup("written", &summary);
    println!(
        "keep the key and the plugins directory too, the key apart from the backup: without it nobody can read the contacts"
    );
    Ok(())
}

#[derive(clap::Args, Debug)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Only check that the file is whole
    #[arg(long)]
    check: bool,
}

pub(crate) async fn restore(args: RestoreArgs) -> Result<(), CommandError> {
    let config = args.place.config()?;
    let work = move || -> Result<(), CommandError> {
        let file = std::fs::File::open(&args.file).map_err(CommandError::file("read", &args.file))?;
        let mut reader = std::io::BufReader::new(file);
        let summary = if args.check {
            gridbell_store::verify_backup(&mut reader)
        } else {
            std::fs::create_dir_all(&config.data).map_err(CommandError::file("create", &config.data))?;
            gridbell_store::restore(&mut reader, &config.data.join("store"), SledOptions::default(), &mut |_| {})
        };
        let summary = summary.map_err(not_restored)?;
        print_backup(if args.check { "whole" } else { "restored" }, &summary);
        Ok(())
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| CommandError::Failed(e.to_string()))?
}

/// A backup that is damaged or none is what the check looks for; a full target is refused; the rest failed.
fn not_restored(e: BackupError) -> CommandError {
    match e {
        BackupError::NotABackup | BackupError::Damaged { .. } => CommandError::Found(e.to_string()),
        BackupError::TargetNotEmpty { .. } | BackupError::NewerFormat { .. } => CommandError::Refused(e.to_string()),
        other => other.into(),
    }
}

fn print_backup(what: &str, s: &BackupSummary) {
    println!("{what}: backup of {}, {} records, {} bytes, sha256 {}", s.created, s.records, s.bytes, s.digest);
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum AuditCommand {
    /// Verify that no entry was changed, removed or inserted
    Verify {
        #[command(flatten)]
        place: Place,
    },
    /// Print entries as JSON lines
    List {
        /// From this number on
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        place: Place,
    },
}

pub(crate) async fn audit(command: AuditCommand) -> Result<(), CommandError> {
    match command {
        AuditCommand::Verify { place } => {
            let (state, _) = place.state().await?;
            let verdict = state.verify_audit()?;
            let archived = state.archive_head().audit.map_or(0, |m| m.number);
            state.close().await;
            match verdict {
                Ok(n) => match archived {
                    0 => println!("{n} entries, the chain is whole"),
                    m => println!(
                        "{n} entries, the chain is whole; those up to {m} are in the archives, see `gridbell archive verify`"
                    ),
                },
                Err(broken) => return Err(CommandError::Found(broken.to_string())),
            }
        }
        AuditCommand::List { from, limit, place } => {
            let (state, _) = place.state().await?;
            for entry in state.audit(from, limit)? {
                println!("{}", serde_json::to_string(&entry)?);
            }
            state.close().await;
        }
    }
    Ok(())
}
