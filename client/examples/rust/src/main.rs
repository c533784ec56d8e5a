//! Gets packet captures from a pcap-gateway, and prints what came of each; or makes one, waits until it is
//! ready, and downloads its packets.

use std::fs::File;
use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

pub mod pcap {
    pub mod v1 {
        tonic::include_proto!("pcap.v1");
    }
}

use pcap::v1::pcap::Form;
use pcap::v1::pcap_service_client::PcapServiceClient;
use pcap::v1::{
    CreatePcapRequest, CreateSimplePcap, DownloadPcapRequest, GetPcapRequest, Pcap, PcapFilter, PcapStatus,
    WatchPcapsRequest, create_pcap_request,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// Whoever is told to come again sooner than that may as well wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// From a capture's beginning to its last packet.
const CAPTURE_TIME: Duration = Duration::from_secs(120);

const USAGE: &str = "usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID..., or \
    run [--tls-ca FILE] --capture FILE TARGET ACCOUNT_ID";

struct Answer {
    pcap: Pcap,
    /// How the gateway came by it (RFC 9211); empty: not said.
    cache_status: String,
}

/// The reason in the error's `ErrorInfo`, which is what to decide by; empty: it has none.
fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// When to come again, if the gateway says so.
fn retry_after(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

async fn get(
    client: &mut PcapServiceClient<Channel>,
    message: &GetPcapRequest,
) -> Result<Answer, Status> {
    let mut request = Request::new(message.clone());
    request.set_timeout(DEADLINE); // the gateway is told
    let answer = tokio::time::timeout(DEADLINE, client.get_pcap(request)).await;
    let response = answer.map_err(|_| Status::deadline_exceeded("no answer in time"))??;
    let cache_status = response.metadata().get("cache-status").and_then(|value| value.to_str().ok());
    Ok(Answer {
        cache_status: cache_status.unwrap_or_default().to_owned(),
        pcap: response.into_inner().pcap.unwrap_or_default(),
    })
}

/// The same, once more if the gateway says that a short wait will do.
async fn get_patiently(
    client: &mut PcapServiceClient<Channel>,
    message: &GetPcapRequest,
) -> Result<Answer, Status> {
    match get(client, message).await {
        Err(status) if status.code() == Code::ResourceExhausted => match retry_after(&status) {
            Some(wait) if wait <= LONGEST_WAIT => {
                tokio::time::sleep(wait).await;
                get(client, message).await
            }
            _ => Err(status),
        },
        other => other,
    }
}

/// An enum of proto3 is open: tomorrow's server may send a number that has no name here.
fn status_name(number: i32) -> String {
    PcapStatus::try_from(number)
        .map_or_else(|_| format!("PCAP_STATUS {number}"), |status| status.as_str_name().to_owned())
}

fn submitted(time: Option<prost_types::Timestamp>) -> Option<String> {
    let whole_seconds = prost_types::Timestamp { nanos: 0, ..time? };
    Some(format!("submitted {whole_seconds}"))
}

fn describe(pcap: &Pcap) -> String {
    let parts = match &pcap.form {
        Some(Form::Simple(simple)) => {
            vec![Some("simple".to_owned()), Some(status_name(simple.status)), submitted(simple.submitted)]
        }
        Some(Form::Full(full)) => vec![
            Some("full".to_owned()),
            Some(status_name(full.status)),
            submitted(full.submitted),
            full.packets_captured.map(|packets| format!("{packets} packets captured")),
        ],
        None => return "a form that this program does not know".to_owned(),
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Whether its packets are there.
fn is_ready(pcap: &Pcap) -> bool {
    match &pcap.form {
        Some(Form::Simple(simple)) => simple.status() == PcapStatus::Success,
        Some(Form::Full(full)) => full.status() == PcapStatus::Complete,
        None => false,
    }
}

/// As the specification of gRPC spells it: Rust says "ResourceExhausted".
fn code_name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// In a line, why a call failed.
fn explain(status: &Status) -> String {
    match (status.code(), reason(status).as_str(), retry_after(status)) {
        (Code::ResourceExhausted, _, Some(wait)) => {
            let seconds = (wait.as_secs_f64() * 10.0).ceil() / 10.0;
            format!("not now, come again in {seconds} s")
        }
        (code, "", _) => format!("{}: {}", code_name(code), status.message()),
        (code, reason, _) => format!("{} ({reason}): {}", code_name(code), status.message()),
    }
}

/// 32 hex digits that nobody else has.
fn new_request_id() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Ten seconds of sampled TCP packets. Not to be tried again under another request_id: with the same one
/// there is no second capture, however often it is asked for.
async fn create(client: &mut PcapServiceClient<Channel>, account_id: &str) -> Result<Pcap, Status> {
    let simple = CreateSimplePcap {
        time_limit: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
        packet_limit: 1000,
        filter_v1: Some(PcapFilter { protocol: Some(6), ..Default::default() }),
        ..Default::default()
    };
    let mut request = Request::new(CreatePcapRequest {
        account_id: account_id.to_owned(),
        request_id: new_request_id()?,
        form: Some(create_pcap_request::Form::Simple(simple)),
    });
    request.set_timeout(DEADLINE);
    let answer = tokio::time::timeout(DEADLINE, client.create_pcap(request)).await;
    let response = answer.map_err(|_| Status::deadline_exceeded("no answer in time"))??;
    Ok(response.into_inner().pcap.unwrap_or_default())
}

/// Tells each change, up to the last, which it returns; goes on where a replica of the gateway ends.
async fn watch(
    client: &mut PcapServiceClient<Channel>,
    message: &WatchPcapsRequest,
    until: Instant,
    mut tell: impl FnMut(&Pcap),
) -> Result<Pcap, Status> {
    let mut last = Pcap::default();
    loop {
        let mut request = Request::new(message.clone());
        request.set_timeout(until.saturating_duration_since(Instant::now()));
        let ended = async {
            let mut changes = client.watch_pcaps(request).await?.into_inner();
            while let Some(change) = changes.message().await? {
                last = change.pcap.unwrap_or_default();
                tell(&last);
            }
            Ok(())
        };
        match ended.await {
            Ok(()) => return Ok(last),
            Err(status) if status_of_replica_that_ends(&status, until) => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(status) => return Err(status),
        }
    }
}

fn status_of_replica_that_ends(status: &Status, until: Instant) -> bool {
    status.code() == Code::Unavailable && Instant::now() + Duration::from_secs(1) < until
}

/// The packets into `file`, which is there once it is whole; how many bytes that is.
async fn download(
    client: &mut PcapServiceClient<Channel>,
    message: DownloadPcapRequest,
    file: &str,
    until: Instant,
) -> Result<usize, Status> {
    let part = format!("{file}.part");
    let mut request = Request::new(message);
    request.set_timeout(until.saturating_duration_since(Instant::now()));
    let taken = async {
        let mut to = File::create(&part)?;
        let mut packets = client.download_pcap(request).await?.into_inner();
        let mut size = 0;
        while let Some(piece) = packets.message().await? {
            to.write_all(&piece.data)?;
            size += piece.data.len();
        }
        std::fs::rename(&part, file)?;
        Ok(size)
    };
    let result = taken.await;
    if result.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    result
}

/// Makes a capture, prints what comes of it, and returns whether its packets are in `file`.
async fn capture(client: &mut PcapServiceClient<Channel>, account_id: &str, file: &str) -> bool {
    let until = Instant::now() + CAPTURE_TIME;
    let mut subject = "capture".to_owned();
    let result = async {
        if let Some(Form::Simple(simple)) = create(client, account_id).await?.form {
            subject = simple.id.unwrap_or_default();
        }
        let account_id = account_id.to_owned();
        let watched = WatchPcapsRequest { account_id: account_id.clone(), pcap_ids: vec![subject.clone()] };
        let mut told = String::new();
        let last = watch(client, &watched, until, |pcap| {
            let line = describe(pcap);
            // The first one after a break may be known.
            if line != told {
                println!("{subject}: {line}");
            }
            told = line;
        })
        .await?;
        if !is_ready(&last) {
            return Ok(None);
        }
        let wanted = DownloadPcapRequest { account_id, pcap_id: subject.clone() };
        download(client, wanted, file, until).await.map(Some)
    };
    let result: Result<Option<usize>, Status> = result.await;
    match result {
        Ok(Some(size)) => println!("{subject}: {size} bytes in {file}"),
        Ok(None) => {}
        Err(ref status) => println!("{subject}: {}", explain(status)),
    }
    matches!(result, Ok(Some(_)))
}

/// Prints what came of it, and returns whether that is an answer.
async fn report(client: &mut PcapServiceClient<Channel>, account_id: &str, pcap_id: &str) -> bool {
    let message = GetPcapRequest {
        account_id: account_id.to_owned(),
        pcap_id: pcap_id.to_owned(),
        max_age: None,
    };
    let status = match get_patiently(client, &message).await {
        Ok(Answer { pcap, cache_status }) => {
            println!("{pcap_id}: {}", describe(&pcap));
            if !cache_status.is_empty() {
                println!("    cache-status: {cache_status}");
            }
            return true;
        }
        Err(status) => status,
    };
    if status.code() == Code::NotFound && reason(&status) == "PCAP_NOT_FOUND" {
        println!("{pcap_id}: there is no such capture");
        return true;
    }
    println!("{pcap_id}: {}", explain(&status));
    false
}

/// Connects with the first call. One is enough for a program; it is reopened when lost.
fn channel_to(target: &str, tls_ca: Option<&str>) -> Result<Channel, String> {
    let scheme = if tls_ca.is_some() { "https" } else { "http" };
    let mut endpoint =
        Endpoint::try_from(format!("{scheme}://{target}")).map_err(|error| format!("TARGET: {error}"))?;
    if let Some(file) = tls_ca {
        let pem = std::fs::read(file).map_err(|error| format!("--tls-ca: {file}: {error}"))?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
        endpoint = endpoint.tls_config(tls).map_err(|error| format!("--tls-ca: {error}"))?;
    }
    Ok(endpoint.connect_lazy())
}

async fn run(mut arguments: Vec<String>) -> Result<bool, String> {
    let (mut tls_ca, mut file) = (None, None);
    while arguments.first().is_some_and(|first| first.starts_with("--")) {
        let place = match arguments[0].as_str() {
            "--tls-ca" => &mut tls_ca,
            "--capture" => &mut file,
            _ => return Err(USAGE.to_owned()),
        };
        *place = arguments.drain(..arguments.len().min(2)).nth(1);
        if place.is_none() {
            return Err(USAGE.to_owned());
        }
    }
    let [target, account_id, pcap_ids @ ..] = arguments.as_slice() else {
        return Err(USAGE.to_owned());
    };
    if pcap_ids.is_empty() != file.is_some() {
        return Err(USAGE.to_owned());
    }
    let mut client = PcapServiceClient::new(channel_to(target, tls_ca.as_deref())?);
    if let Some(file) = file {
        return Ok(capture(&mut client, account_id, &file).await);
    }
    let mut answered = true;
    for pcap_id in pcap_ids {
        answered &= report(&mut client, account_id, pcap_id).await;
    }
    Ok(answered)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            eprintln!("run: {message}");
            ExitCode::from(2)
        }
    }
}
