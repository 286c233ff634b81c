//! `gridbell run`: by hand, again, and two beside each other; of a data directory, or asked of a running host.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridbell_conductor::{DiffSample, ReplayDifference, ReplayReport, ReplayState, ReplayStep, RunDiff, Side};
use gridbell_model::RunId;
use tokio_util::sync::CancellationToken;

use crate::admin::{Place, RunArgs, run_policy};
use crate::error::CommandError;
use crate::remote::{MaybeRemote, Remote};

/// How often a running host is asked how far it is.
const LOOK: Duration = Duration::from_millis(300);

#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct RunCommand {
    #[command(subcommand)]
    command: Option<RunAgain>,
    #[command(flatten)]
    args: RunArgs,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum RunAgain {
    /// Do a run again from the state of then, and say whether every decision and every silence is the same
    Replay(ReplayArgs),
    /// Where two runs of a prefecture differ: recipients, channel, time, reason
    Diff(DiffArgs),
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Rebuilds the state of the run's sequence from the history, decides everyone again with the recorded plugin, parameters, calendar, rules and texts,
and compares. Nothing is written. Ends with 0 when all that can be compared is the same, with 4 when not: the first customers are named with both
sides. How long the history is kept is in the province's rules, [retention_days] history; where it is gone, what the plugin saw of the decided
customers is kept with the decisions, and those alone are decided again: the output says so.

EXAMPLES
  gridbell run replay R17 --data d
  gridbell run replay R17 --config gridbell.toml --json
  gridbell run replay R17 --url https://gridbell.example.cn --token gb_…")]
pub(crate) struct ReplayArgs {
    /// Which, such as R17
    run: RunId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: MaybeRemote,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Times are compared from the day of each run. Notices and reasons are compared by name, so that runs of two versions or policies can be.

EXAMPLES
  gridbell run diff R17 R23 --data d
  gridbell run diff R17 R23 --config gridbell.toml --json
  gridbell run diff R17 R23 --url https://gridbell.example.cn --token gb_…")]
pub(crate) struct DiffArgs {
    /// The one, such as R17
    a: RunId,
    /// The other
    b: RunId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: MaybeRemote,
    #[command(flatten)]
    place: Place,
}

pub(crate) async fn run(command: RunCommand) -> Result<(), CommandError> {
    match command.command {
        None => run_policy(command.args).await,
        Some(RunAgain::Replay(args)) => replay(args).await,
        Some(RunAgain::Diff(args)) => diff(args).await,
    }
}

async fn replay(args: ReplayArgs) -> Result<(), CommandError> {
    let report = match args.remote.clone().given(&args.place)? {
        Some(remote) => replay_there(Arc::new(remote), args.run, args.json).await?,
        None => replay_here(&args).await?,
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print_report(&report);
    }
    if report.same {
        return Ok(());
    }
    Err(CommandError::Found(format!(
        "{}: {} differences between what was recorded and what came out",
        report.run, report.differences
    )))
}

/// Has a running host do it; Ctrl-C ends it there.
async fn replay_there(remote: Arc<Remote>, run: RunId, json: bool) -> Result<ReplayReport, CommandError> {
    let ask = |method: &'static str| {
        let (remote, path) = (Arc::clone(&remote), format!("/v1/runs/{run}/replay"));
        let asked = move || remote.call(method, &path, "application/json", &[]);
        async move { tokio::task::spawn_blocking(asked).await.map_err(|e| CommandError::Failed(e.to_string()))? }
    };
    let tell = teller(json);
    // One for all waits: a Ctrl-C while the host is asked is not lost.
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let mut answer = ask("POST").await?;
    loop {
        let state: ReplayState = serde_json::from_value(answer).map_err(|e| {
            CommandError::Failed(format!("{}: this program does not know its answer: {e}", remote.url()))
        })?;
        match state {
            ReplayState::Done { report } => return Ok(*report),
            ReplayState::Failed { error } => return Err(CommandError::Failed(error)),
            ReplayState::Running { progress } => progress.into_iter().for_each(&tell),
        }
        tokio::select! {
            _ = &mut interrupt => {
                ask("DELETE").await?;
                return Err(CommandError::Interrupted("the replay was ended (重算已取消)".to_owned()));
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        answer = ask("GET").await?;
    }
}

async fn replay_here(args: &ReplayArgs) -> Result<ReplayReport, CommandError> {
    let host = args.place.host().await?;
    let stop = CancellationToken::new();
    let on_signal = stop.clone();
    let watch = tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        on_signal.cancel();
    });
    let report = host.replay(args.run, Arc::new(teller(args.json)), &stop).await;
    watch.abort();
    host.state().close().await;
    Ok(report?)
}

/// Says on a terminal what is being done, once for each step and for every tenth of it.
fn teller(json: bool) -> impl Fn(ReplayStep) + Send + Sync {
    let show = !json && std::io::stderr().is_terminal();
    let last = Mutex::new(String::new());
    move |step| {
        let tenth = |n: u64, of: u64| n * 10 / of.max(1);
        let text = match step {
            ReplayStep::ReadingBase { sequence } => format!("读取基线 reading the base of sequence {sequence}"),
            ReplayStep::ApplyingJournal { sequence, of } => {
                format!("应用历史 applying the journal: {}0% of sequence {of}", tenth(sequence, of))
            }
            ReplayStep::Deciding => "重新决定 deciding everyone again".to_owned(),
            ReplayStep::Comparing { decisions, of } => format!("比较 comparing: {}0% of {of}", tenth(decisions, of)),
        };
        let Ok(mut last) = last.lock() else { return };
        if show && *last != text {
            eprintln!("{text}");
            *last = text;
        }
    }
}

fn print_report(r: &ReplayReport) {
    println!("执行 {}  插件 {} ({})  状态序号 {}", r.run, r.plugin, r.digest.get(..12).unwrap_or_default(), r.snapshot);
    if r.proved == "everyone" {
        println!("全部重算：{} 户，{} 个决定，{} 户未选中", r.customers, r.decided, r.silent);
    } else {
        println!("只能重算已决定的 {} 户，未选中的无法证明：{}", r.decided, r.why);
        println!("only the decided were decided again; silences are not proved");
    }
    if r.caps_otherwise > 0 {
        println!("{} 户的频次结果不同：频次取决于同时发布的其他执行，不算差异", r.caps_otherwise);
    }
    if r.same {
        println!("完全一致 the same");
        return;
    }
    println!("差异 differences: {}", r.differences);
    for (kind, n) in &r.kinds {
        println!("  {kind}: {n}");
    }
    r.first.iter().for_each(print_difference);
}

fn print_difference(d: &ReplayDifference) {
    let account = d.account.map_or_else(|| "整次执行".to_owned(), |a| a.to_string());
    println!("{account}  {}  {}", d.kind, d.fields.join(", "));
    println!("  记录 recorded: {}", side(d.recorded.as_ref()));
    println!("  重算 replayed: {}", side(d.replayed.as_ref()));
}

fn side(side: Option<&Side>) -> String {
    let Some(s) = side else { return "无 nothing".to_owned() };
    let outcome = match s.send_after {
        Some(at) => format!("{} {at}", s.channel),
        None => format!("拦截：{}", s.held),
    };
    format!("{} {} 第{}级 ({}, {})，{outcome}", s.reason, s.notice, s.step, s.arg0, s.arg1)
}

async fn diff(args: DiffArgs) -> Result<(), CommandError> {
    let diff = match args.remote.given(&args.place)? {
        Some(remote) => {
            let path = format!("/v1/runs/{}/diff/{}", args.a, args.b);
            let asked = tokio::task::spawn_blocking(move || remote.get(&path)).await;
            serde_json::from_value(asked.map_err(|e| CommandError::Failed(e.to_string()))??)?
        }
        None => {
            let host = args.place.host().await?;
            let diff = host.diff_runs(args.a, args.b).await;
            host.state().close().await;
            diff?
        }
    };
    if args.json {
        println!("{}", serde_json::to_string(&diff)?);
    } else {
        print_diff(&diff);
    }
    Ok(())
}

fn print_diff(d: &RunDiff) {
    for (name, s) in [("A", &d.a), ("B", &d.b)] {
        println!("{name} {}  {}  {}  {}  决定 {}，入队 {}", s.run, s.policy, s.plugin, s.now, s.decided, s.queued);
    }
    println!("只有 A 发送 {}，只有 B 发送 {}，都发送 {}", d.only_a, d.only_b, d.both);
    println!(
        "渠道不同 {}，时间不同 {}，通知不同 {}，原因不同 {}，拦截不同 {}",
        d.channel, d.time, d.notice, d.reason, d.held
    );
    if d.same {
        println!("没有差异 no differences");
    }
    d.samples.iter().for_each(print_sample);
}

fn print_sample(s: &DiffSample) {
    println!("{}  {}", s.account, s.kinds.join(", "));
    println!("  A: {}", side(s.a.as_ref()));
    println!("  B: {}", side(s.b.as_ref()));
}
