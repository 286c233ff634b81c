//! How fast the gateway is: `cargo run --release -p gridbell-simulators --example cmpp_throughput -- [submits] [window] [log]`.
//!
//! The gateway has one thread, a client made of the bare codec another. Each submit is answered, logged and reported, each
//! report acknowledged. With a third argument the log is also written to that file.

use std::process::ExitCode;

use bytes::BytesMut;
use gridbell_clock::Clock;
use gridbell_cmpp::{
    Connect, Decoder, DeliverResp, FeeUserType, MsgFmt, Number, Octets, Pdu, Stamp, Submit, Version, auth, text,
};
use gridbell_simulators::cmpp::{Account, Config, Gateway};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

const DEFAULT_SUBMITS: u64 = 600_000;
const DEFAULT_WINDOW: usize = 256;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let submits = arguments.next().map_or(Ok(DEFAULT_SUBMITS), |argument| argument.parse())?;
    let window = arguments.next().map_or(Ok(DEFAULT_WINDOW), |argument| argument.parse())?;
    let account = Account { rate: 0, window, deliver_window: window.max(16), ..Account::default() };
    let config = Config { log_file: arguments.next().map(Into::into), ..Config::with_account(account) };

    let clock = Clock::system();
    let server = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let gateway = server.block_on(Gateway::start(config, clock.clone(), ([127, 0, 0, 1], 0).into()))?;
    let address = gateway.addr();
    let client = Builder::new_current_thread().enable_all().build()?;
    let started = clock.monotonic();
    let reports = client.block_on(async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        run(stream, submits, window).await
    })?;
    let elapsed = clock.monotonic() - started;
    let stats = gateway.stats().account("901234");
    println!(
        "{submits} submits and {reports} reports in {:.2} s: {:.0} submits/s, window {window}, peak {} in one second, {} refused",
        elapsed.as_secs_f64(),
        submits as f64 / elapsed.as_secs_f64(),
        stats.peak_accepted,
        stats.submits - stats.parts_accepted,
    );
    Ok(())
}

/// Keeps the window full until everything is answered and reported; gives the reports seen.
async fn run(mut stream: TcpStream, submits: u64, window: usize) -> Result<u64, Failure> {
    let version = Version::V3_0;
    let decoder = Decoder::new(version);
    let (mut input, mut out) = (BytesMut::new(), BytesMut::new());
    Pdu::Connect(login()?).encode(0, version, &mut out)?;
    let mut submit = message()?;
    let (mut sent, mut answered, mut reported) = (0_u64, 0_u64, 0_u64);
    let mut ready = false;
    while answered < submits || reported < submits {
        while ready && sent < submits && sent - answered < window as u64 {
            sent += 1;
            submit.destinations = vec![Number::new("to", (13_800_000_000 + sent % 100_000_000).to_string())?];
            let pdu = Pdu::Submit(submit);
            pdu.encode(sent as u32, version, &mut out)?;
            let Pdu::Submit(again) = pdu else { return Err("a submit was made".into()) };
            submit = again;
        }
        stream.write_all(&out).await?;
        out.clear();
        input.reserve(64 * 1024);
        if stream.read_buf(&mut input).await? == 0 {
            return Err("the gateway closed the connection".into());
        }
        while let Some(frame) = decoder.decode(&mut input)? {
            match frame.pdu {
                Pdu::ConnectResp(response) if response.status == 0 => ready = true,
                Pdu::SubmitResp(_) => answered += 1,
                Pdu::Deliver(deliver) => {
                    reported += 1;
                    let response = DeliverResp { msg_id: deliver.msg_id, result: 0 };
                    Pdu::DeliverResp(response).encode(frame.sequence, version, &mut out)?;
                }
                other => return Err(format!("unexpected {}", other.command().name()).into()),
            }
        }
    }
    Ok(reported)
}

fn login() -> Result<Connect, Failure> {
    let stamp = Stamp::new(11, 22, 12, 0, 0).ok_or("no such time")?;
    Ok(Connect {
        sp_id: Octets::new("sp", "901234")?,
        authenticator: auth::source(b"901234", b"secret", stamp),
        version: Version::V3_0.octet(),
        timestamp: stamp.number(),
    })
}

fn message() -> Result<Submit, Failure> {
    let part = text::split("【国网山西电力】截至11月22日，您家电费余额为19.53元，请及时补充余额。", 1)?.remove(0);
    Ok(Submit {
        pk_total: 1,
        pk_number: 1,
        registered_delivery: 1,
        fee_user_type: FeeUserType::SP,
        msg_fmt: MsgFmt::UCS2,
        msg_src: Octets::new("sp", "901234")?,
        fee_type: Octets::new("fee", "01")?,
        fee_code: Octets::new("fee", "000000")?,
        src_id: Octets::new("src", "1065795598")?,
        content: part.content,
        ..Submit::default()
    })
}
