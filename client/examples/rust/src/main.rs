//! Gets packet captures from a pcap-gateway, and prints what came of each.

use std::process::ExitCode;
use std::time::Duration;

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
use pcap::v1::{GetPcapRequest, Pcap, PcapStatus};

const DEADLINE: Duration = Duration::from_secs(10);

/// Whoever is told to come again sooner than that may as well wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

const USAGE: &str = "usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID...";

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

fn describe(pcap: Pcap) -> String {
    let parts = match pcap.form {
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

/// Prints what came of it, and returns whether that is an answer.
async fn report(client: &mut PcapServiceClient<Channel>, account_id: &str, pcap_id: &str) -> bool {
    let message = GetPcapRequest {
        account_id: account_id.to_owned(),
        pcap_id: pcap_id.to_owned(),
        max_age: None,
    };
    let status = match get_patiently(client, &message).await {
        Ok(Answer { pcap, cache_status }) => {
            println!("{pcap_id}: {}", describe(pcap));
            if !cache_status.is_empty() {
                println!("    cache-status: {cache_status}");
            }
            return true;
        }
        Err(status) => status,
    };
    match (status.code(), reason(&status).as_str(), retry_after(&status)) {
        (Code::NotFound, "PCAP_NOT_FOUND", _) => {
            println!("{pcap_id}: there is no such capture");
            return true;
        }
        (Code::ResourceExhausted, _, Some(wait)) => {
            let seconds = (wait.as_secs_f64() * 10.0).ceil() / 10.0;
            println!("{pcap_id}: not now, come again in {seconds} s");
        }
        (code, "", _) => println!("{pcap_id}: {}: {}", code_name(code), status.message()),
        (code, reason, _) => {
            println!("{pcap_id}: {} ({reason}): {}", code_name(code), status.message());
        }
    }
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
    let mut tls_ca = None;
    if arguments.first().is_some_and(|first| first.starts_with("--")) {
        if arguments[0] != "--tls-ca" || arguments.len() < 2 {
            return Err(USAGE.to_owned());
        }
        tls_ca = Some(arguments.drain(..2).next_back().expect("there are two"));
    }
    let [target, account_id, pcap_ids @ ..] = arguments.as_slice() else {
        return Err(USAGE.to_owned());
    };
    if pcap_ids.is_empty() {
        return Err(USAGE.to_owned());
    }
    let mut client = PcapServiceClient::new(channel_to(target, tls_ca.as_deref())?);
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
