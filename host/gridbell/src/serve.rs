//! `gridbell serve`: the host until SIGTERM or Ctrl-C, then a drain that loses nothing.

use std::path::PathBuf;
use std::sync::Arc;

use gridbell_channels::Tcp;
use gridbell_clock::Clock;
use gridbell_server::{HEADER_TIMEOUT, Limits, MAX_CONNECTIONS, Server, ServerOptions, Tls};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::CommandError;
use crate::{open, platforms};

#[derive(clap::Args, Debug)]
#[command(after_help = "\
SIGTERM drains and ends; SIGUSR1 writes a backup into the directory of backups while everything goes on, as POST /v1/backups does.

THE CONFIGURATION, every line but `data` optional:
  data = \"/var/lib/gridbell\"            made at the first start
  listen = \"127.0.0.1:8080\"
  key = { env = \"GRIDBELL_KEY\" }        or { file = \"contacts.key\" }; default: data/contacts.key, made at the first start
  archives = \"/var/lib/archives\"        where old records go; default: data/archives
  backups = \"/var/backups/gridbell\"     default: data/backups
  max-import-bytes = 4294967296         the largest file that the API takes
  tls = { certificates = \"cert.pem\", key = \"key.pem\" }

  [[link]]
  name = \"mobile\"
  protocol = \"cmpp2\"                    or cmpp3, smgp3, sgip1
  address = \"10.0.0.1:7890\"
  sp-id = \"901234\"
  secret = { env = \"MOBILE_SECRET\" }    or { file = \"mobile.secret\" }
  service-id = \"DLFW\"
  src-ids = [\"95598\"]
  grant = 100                           parts a second
  serves = [\"mobile\", \"broadnet\"]

  instead of sp-id:
    smgp3   client-id = \"power\"
    sgip1   login-name = \"power\", corp-id = \"12345\", node = 3035112345,
            listen = \"0.0.0.0:8801\"      where the gateway calls with reports and replies; links may share it

  [[platform]]                          an account at WeChat, Alipay, Aliyun or another SMS platform, or a webhook
  address = \"https://api.weixin.qq.com\"
  link = { name = \"wechat\", grant = 100 }
  account = { kind = \"wechat\", appid = \"wx…\", secret = { file = \"wechat.secret\" }, callback-token = { file = \"wechat.token\" } }
                                        what comes back is posted to /callbacks/wechat; host/OPERATING.md has the other kinds

  [screens]                             televisions, and the CAP feed; see OPERATING.md
  public-url = \"https://screens.example.cn\"
  sender = \"notices@95598.example\"

  [mqtt]                                a broker for players, MQTT 5
  host = \"broker.example.cn\"
  tls = {}                              or { ca = \"ca.pem\" }
  user = \"gridbell\"
  password = { env = \"MQTT_PASSWORD\" }

  `gridbell simulate --help`: a gateway and a platform of each to try it with")]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Apply the house's policies for the eleven prefectures of 山西 at the first start
    #[arg(long)]
    with_policies: bool,
}

/// Runs the host.
pub(crate) async fn run(args: ServeArgs) -> Result<(), CommandError> {
    let config = Config::read(&args.config)?;
    let (built, opened) = {
        let config = config.clone();
        let open = move || {
            // Before anything is opened: what is wrong in the file is said at once.
            let clock = Clock::system();
            let built = platforms::build(&config, &clock)?;
            Ok::<_, CommandError>((built, open::open(&config, clock)?))
        };
        tokio::task::spawn_blocking(open).await.map_err(|e| CommandError::Failed(e.to_string()))??
    };
    let host = opened.host;
    opened.made.say();
    tracing::info!(
        customers = opened.report.customers,
        replayed = opened.report.replayed,
        cut_off = opened.report.cut_off,
        "gridbell.opened"
    );
    open::install_defaults(&host).await?;
    if args.with_policies {
        open::install_policies(&host).await?;
    }
    if let Some(first) = gridbell_server::bootstrap(host.state(), host.clock()).await? {
        eprintln!("first start: sign in as `{}` with the password `{}` and change it", first.user, first.password);
        eprintln!("             or use the API with the token {}", first.token);
    }
    for link in config.links.clone() {
        host.start_link(link, Tcp)?;
    }
    platforms::start(&host, built)?;
    host.resume_versions();
    host.resume_rollbacks().await?;
    let tls = config.tls.as_ref().map(|t| Tls { certificates: t.certificates.clone(), key: t.key.clone() });
    let server = Server::start(ServerOptions {
        addr: config.listen,
        tls,
        behind_tls_proxy: config.behind_tls_proxy,
        limits: Limits {
            header_timeout: config.header_timeout_s.map_or(HEADER_TIMEOUT, std::time::Duration::from_secs),
            max_connections: config.max_connections.unwrap_or(MAX_CONNECTIONS),
        },
        host: Arc::new(host.clone()),
    })
    .await?;
    let stop = CancellationToken::new();
    let screens = crate::screens::start(&config.screens, config.mqtt.as_ref(), &host, &stop)?;
    let tasks = [
        tokio::spawn({
            let (host, stop) = (host.clone(), stop.clone());
            async move { host.run_schedules(stop).await }
        }),
        tokio::spawn({
            let (host, stop) = (host.clone(), stop.clone());
            async move { host.keep_house(stop).await }
        }),
        tokio::spawn({
            let (host, stop) = (host.clone(), stop.clone());
            async move { host.keep_archives(stop).await }
        }),
    ];
    let backups = tokio::spawn({
        let (host, stop) = (host.clone(), stop.clone());
        async move { back_up_on_signal(&host, &stop).await }
    });
    // Before the line: whoever reads it may end the host at once, which must be a drain.
    let ends = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // The one line that scripts wait for.
    println!("gridbell is ready on {}", server.addr());
    wait_for_end(&host, ends).await;
    eprintln!("gridbell is draining: nothing new is sent, answers are waited for");
    stop.cancel();
    server.shutdown().await?;
    host.imports().close().await;
    for task in tasks.into_iter().chain([backups]).chain(screens) {
        let _ = task.await;
    }
    host.drain_links().await;
    if host.state().failure().is_none() {
        host.state().checkpoint().await?;
    }
    host.state().close().await;
    match host.state().failure() {
        None => Ok(()),
        Some(why) => Err(CommandError::Failed(format!("the state stopped taking changes: {why}"))),
    }
}

/// Waits for SIGTERM or Ctrl-C, or for the state to fail: a host that cannot store anything must be restarted.
async fn wait_for_end(host: &gridbell_conductor::Host, (mut term, mut int): (Signal, Signal)) {
    let failed = async {
        while host.state().failure().is_none() {
            host.clock().sleep(std::time::Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        () = failed => {}
    }
}

/// Writes a backup for each SIGUSR1, beside everything that goes on.
async fn back_up_on_signal(host: &gridbell_conductor::Host, stop: &CancellationToken) {
    let Ok(mut asked) = signal(SignalKind::user_defined1()) else { return };
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            signal = asked.recv() => if signal.is_none() { return },
        }
        if let Some(path) = host.back_up("signal").await {
            eprintln!("gridbell wrote the backup {}", path.display());
        }
    }
}
