//! `gridbell demo`: a generated province, simulated carriers and platforms and the host on loopback, through one day on a fast clock.

mod day;
mod export;
mod gateway;
mod outages;
mod platforms;
mod report;
mod screens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use std::time::Duration;

use gridbell_channels::Tcp;
use gridbell_clock::{Clock, Seed};
use gridbell_model::Date;
use gridbell_simulators::province::{CsvKind, Province};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::CommandError;
use crate::import::{ImportKind, Target};
use crate::open;

/// The day that the demo runs: a working Friday in the middle of a reminder cycle, inside the calendar that comes with the house.
const DEMO_DAY: (i32, u32, u32) = (2026, 11, 20);

#[derive(clap::Args, Debug)]
#[command(after_help = "\
EXAMPLES
  gridbell demo                              the whole day, then serve the console until Ctrl-C
  gridbell demo --once                       leave when the day's messages are through, with a table
  gridbell demo --once --json | jq .messages
  gridbell demo --once --export out          leave inputs, decisions and messages as CSV, to recompute the day")]
pub(crate) struct DemoArgs {
    /// How many customers the province has
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    customers: u64,
    /// From which everything is drawn: the same seed gives the same day
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave when the day's messages are through
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of the table (with --once)
    #[arg(long)]
    json: bool,
    /// Write inputs, decisions and messages as CSV into this directory
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Keep the data in this directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Parts a second that the simulated carriers grant: Mobile, Unicom, Telecom
    #[arg(long, default_value = "1000,1000,500", value_delimiter = ',')]
    grants: Vec<u32>,
    /// Without WeChat and Alipay: everybody is told by SMS
    #[arg(long)]
    sms_only: bool,
    /// Where the console listens
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Write what the carriers' gateways accepted in the day, one JSON object a line
    #[arg(long, value_name = "FILE")]
    gateway_log: Option<PathBuf>,
}

/// Runs the demo.
pub(crate) async fn run(args: DemoArgs) -> Result<(), CommandError> {
    let (year, month, day) = DEMO_DAY;
    let today = Date::from_ymd(year, month, day).unwrap_or(Date::NONE);
    let grants: [u32; 3] = args.grants.clone().try_into().map_err(|_| {
        CommandError::Usage("--grants takes three figures, for Mobile, Unicom and Telecom: 100,100,50".to_owned())
    })?;
    let clock = Clock::starting_at(today.at(0, 1).moment());
    let began = clock.monotonic();
    let scratch = Scratch::new(args.data.clone(), args.seed)?;
    let say = |text: String| {
        if !args.json {
            eprintln!("{text}");
        }
    };
    say(format!("Gridbell demo: {} customers, seed {}, the day {today}", args.customers, args.seed));
    let province = Province::new(Seed(args.seed), args.customers, today);
    let inputs = args.export.clone().unwrap_or_else(|| scratch.path.join("inputs"));
    write_inputs(&province, &inputs)?;
    say(format!("  generated the province's files in {}", inputs.display()));

    let carriers = gateway::Carriers::start(&grants, args.seed, &clock).await?;
    let mut config = Config::of_data(scratch.path.join("data"));
    (config.seed, config.listen) = (args.seed, args.listen);
    let opened = open::open(&config, clock.clone())?;
    let host = opened.host;
    open::install_defaults(&host).await?;
    host.state().set_org(province.org_tree(), Vec::new()).await?;
    import_inputs(&host, &inputs, &say).await?;
    if !args.sms_only {
        let contacts = inputs.join("contacts.csv");
        platforms::write_contacts(&province, &contacts)?;
        import(&host, ImportKind::Contacts, &contacts, &say).await?;
        platforms::install(&host).await?;
    }
    open::install_policies(&host).await?;
    for link in carriers.links(&grants, &scratch.path)? {
        host.start_link(link, Tcp)?;
    }
    let first = gridbell_server::bootstrap(host.state(), host.clock()).await?;
    let server = serve(&host, &args).await?;
    if let (Some(server), Some(first)) = (&server, &first) {
        say(format!("  console: http://{}/  user {}  password {}", server.addr(), first.user, first.password));
    }
    if let Some(server) = &server {
        let base = format!("http://{}", server.addr());
        screens::show(&host, &base, today, &say).await?;
        outages::story(&host, &base, today, &say).await?;
    }
    // Platforms call the server, so that there are none without it.
    let platforms = match &server {
        Some(server) if !args.sms_only => Some(platforms::start(&host, server.addr(), args.seed, &scratch.path).await?),
        _ => None,
    };
    let stop = CancellationToken::new();
    let house = tokio::spawn({
        let (host, stop) = (host.clone(), stop.clone());
        async move { host.keep_house(stop).await }
    });

    let day = day::Day { host: &host, province: &province, say: &say, waits: platforms.is_some() };
    day.run(today).await?;
    let elapsed_ms = u64::try_from((clock.monotonic() - began).as_millis()).unwrap_or(u64::MAX);
    let report = report::Report::of(&host, args.customers, elapsed_ms)?;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report.table(&host));
    }
    if let Some(dir) = &args.export {
        export::write(&host, &province, dir)?;
        say(format!("  inputs, decisions and messages are in {}", dir.display()));
    }
    if let Some(path) = &args.gateway_log {
        carriers.write_log(path)?;
        say(format!("  what the carriers' gateways accepted is in {}", path.display()));
    }
    if !args.once {
        say("  the day is over; the console goes on until Ctrl-C".to_owned());
        let _ = tokio::signal::ctrl_c().await;
    }
    stop.cancel();
    let _ = house.await;
    if let Some(server) = server {
        server.shutdown().await?;
    }
    host.drain_links().await;
    host.state().close().await;
    carriers.shutdown().await;
    if let Some(platforms) = platforms {
        platforms.shutdown().await;
    }
    Ok(())
}

/// The console: always, except where a script asked for one answer and the port is taken.
async fn serve(
    host: &gridbell_conductor::Host,
    args: &DemoArgs,
) -> Result<Option<gridbell_server::Server>, CommandError> {
    let mut addr = args.listen;
    if args.once {
        addr.set_port(0);
    }
    let options = gridbell_server::ServerOptions::plain(addr, Arc::new(host.clone()));
    match gridbell_server::Server::start(options).await {
        Ok(server) => Ok(Some(server)),
        Err(e) if args.once => {
            tracing::warn!(error = %e, "demo.no_console");
            Ok(None)
        }
        Err(e) => Err(CommandError::Failed(format!("{e}; choose another port with --listen"))),
    }
}

fn write_inputs(province: &Province, dir: &std::path::Path) -> Result<(), CommandError> {
    std::fs::create_dir_all(dir).map_err(CommandError::file("create", dir))?;
    for (kind, _, name) in FILES {
        let path = dir.join(name);
        let file = std::fs::File::create(&path).map_err(CommandError::file("create", &path))?;
        let mut out = std::io::BufWriter::with_capacity(1 << 20, file);
        province.write_csv(kind, None, &mut out).map_err(CommandError::file("write", &path))?;
        std::io::Write::flush(&mut out).map_err(CommandError::file("write", &path))?;
    }
    Ok(())
}

/// What the province's files hold, in the order in which each needs those before. Payments of the day come in during the day; what is imported before it is
/// what the billing system knows by midnight.
const FILES: [(CsvKind, ImportKind, &str); 9] = [
    (CsvKind::Customers, ImportKind::Customers, "customers.csv"),
    (CsvKind::Bills, ImportKind::Bills, "bills.csv"),
    (CsvKind::Balances, ImportKind::Balances, "balances.csv"),
    (CsvKind::Payments, ImportKind::Payments, "payments.csv"),
    (CsvKind::Substations, ImportKind::Substations, "substations.csv"),
    (CsvKind::Lines, ImportKind::Lines, "lines.csv"),
    (CsvKind::Sections, ImportKind::Sections, "sections.csv"),
    (CsvKind::Transformers, ImportKind::Transformers, "transformers.csv"),
    (CsvKind::Supply, ImportKind::Supply, "supply.csv"),
];

async fn import_inputs(
    host: &gridbell_conductor::Host,
    dir: &std::path::Path,
    say: &impl Fn(String),
) -> Result<(), CommandError> {
    for (_, kind, name) in FILES {
        import(host, kind, &dir.join(name), say).await?;
    }
    Ok(())
}

async fn import(
    host: &gridbell_conductor::Host,
    kind: ImportKind,
    file: &std::path::Path,
    say: &impl Fn(String),
) -> Result<(), CommandError> {
    let target = Target::of(host, "demo", false)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let report =
        target.import(kind, file, &target.options(), &file.with_file_name(format!("{name}.rejects.csv"))).await?;
    say(format!("  imported {name}: {} rows, {} rejected, {} ms", report.rows, report.rejected, report.elapsed_ms));
    Ok(())
}

/// Where the demo's data is: a directory of the user's, or a temporary one that is removed at the end.
struct Scratch {
    path: PathBuf,
    temporary: bool,
}

impl Scratch {
    fn new(given: Option<PathBuf>, seed: u64) -> Result<Self, CommandError> {
        let temporary = given.is_none();
        let path =
            given.unwrap_or_else(|| std::env::temp_dir().join(format!("gridbell-demo-{seed}-{}", std::process::id())));
        std::fs::create_dir_all(&path).map_err(CommandError::file("create", &path))?;
        Ok(Self { path, temporary })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is left to the system's own cleaning of temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// How long the demo waits for the links without any change before it says that something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
