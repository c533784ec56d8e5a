// Gets packet captures from a pcap-gateway, and prints what came of each; or makes one, waits until it is
// ready, and downloads its packets.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import {
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";

import type { Timestamp } from "./stubs/google/protobuf/timestamp.js";
import { ErrorInfo, RetryInfo } from "./stubs/google/rpc/error_details.js";
import { Status } from "./stubs/google/rpc/status.js";
import { type Pcap, PcapStatus, PcapSystem } from "./stubs/pcap/v1/pcap.js";
import {
  type CreatePcapResponse,
  type DownloadPcapResponse,
  type GetPcapResponse,
  PcapServiceClient,
  type WatchPcapsResponse,
} from "./stubs/pcap/v1/pcap_service.js";

const DEADLINE_MS = 10_000;

// Whoever is told to come again sooner than that may as well wait.
const LONGEST_WAIT_SECONDS = 5;

// From a capture's beginning to its last packet.
const CAPTURE_MS = 120_000;

interface Answer {
  pcap: Pcap | undefined;
  cacheStatus: string; // how the gateway came by it (RFC 9211)
}

/** What google.rpc.Status in the trailing metadata says of a failed call. */
class Failure extends Error {
  readonly code: status;
  readonly reason: string = ""; // of ErrorInfo; empty: the server says none
  readonly retryAfterSeconds: number | undefined; // of RetryInfo

  constructor(error: ServiceError) {
    super(error.details);
    this.code = error.code;
    const [bytes] = error.metadata.get("grpc-status-details-bin");
    if (!(bytes instanceof Buffer)) return;
    for (const detail of Status.decode(bytes).details) {
      if (detail.typeUrl.endsWith("/google.rpc.ErrorInfo")) {
        this.reason = ErrorInfo.decode(detail.value).reason;
      } else if (detail.typeUrl.endsWith("/google.rpc.RetryInfo")) {
        const delay = RetryInfo.decode(detail.value).retryDelay;
        if (delay) this.retryAfterSeconds = Number(delay.seconds) + delay.nanos / 1e9;
      }
    }
  }
}

/** Asks for one capture. Rejects with a Failure. */
function get(client: PcapServiceClient, accountId: string, pcapId: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let cacheStatus = "";
    client
      .getPcap(
        { accountId, pcapId, maxAge: undefined },
        new Metadata(),
        { deadline: Date.now() + DEADLINE_MS },
        (error: ServiceError | null, response: GetPcapResponse) => {
          if (error) reject(new Failure(error));
          else resolve({ pcap: response.pcap, cacheStatus });
        },
      )
      .on("metadata", (metadata: Metadata) => {
        cacheStatus = metadata.get("cache-status").join(", ");
      });
  });
}

/** The same, once more if the gateway says that a short wait will do. */
async function getPatiently(
  client: PcapServiceClient,
  accountId: string,
  pcapId: string,
): Promise<Answer> {
  try {
    return await get(client, accountId, pcapId);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== status.RESOURCE_EXHAUSTED) throw error;
    const wait = error.retryAfterSeconds;
    if (wait === undefined || wait > LONGEST_WAIT_SECONDS) throw error;
    await sleep(wait * 1000);
  }
  return get(client, accountId, pcapId);
}

/** An enum of proto3 is open: tomorrow's server may send a number that has no name here. */
function statusName(number: PcapStatus): string {
  const name: string | undefined = PcapStatus[number];
  return name ?? `PCAP_STATUS ${number}`;
}

/** In UTC, whole seconds: a Date would be enough for that, but not for the nanoseconds. */
function text(time: Timestamp): string {
  return new Date(Number(time.seconds) * 1000).toISOString().replace(".000Z", "Z");
}

function describe(pcap: Pcap | undefined): string {
  const form = pcap?.form;
  switch (form?.$case) {
    case "simple": {
      const parts = ["simple", statusName(form.value.status)];
      if (form.value.submitted) parts.push(`submitted ${text(form.value.submitted)}`);
      return parts.join(", ");
    }
    case "full": {
      const parts = ["full", statusName(form.value.status)];
      if (form.value.submitted) parts.push(`submitted ${text(form.value.submitted)}`);
      // 0 packets are not the same as no number.
      const packets = form.value.packetsCaptured;
      if (packets !== undefined) parts.push(`${packets} packets captured`);
      return parts.join(", ");
    }
    default:
      return "a form that this program does not know";
  }
}

/** Whether its packets are there. */
function isReady(pcap: Pcap | undefined): boolean {
  const form = pcap?.form;
  return (
    (form?.$case === "simple" && form.value.status === PcapStatus.PCAP_STATUS_SUCCESS) ||
    (form?.$case === "full" && form.value.status === PcapStatus.PCAP_STATUS_COMPLETE)
  );
}

/** In a line, why a call failed. */
function explain({ code, reason, retryAfterSeconds, message }: Failure): string {
  if (code === status.RESOURCE_EXHAUSTED && retryAfterSeconds !== undefined) {
    return `not now, come again in ${Math.ceil(retryAfterSeconds * 10) / 10} s`;
  }
  return `${status[code]}${reason && ` (${reason})`}: ${message}`;
}

/** Ten seconds of sampled TCP packets. Not to be tried again under another requestId: with the same one
 * there is no second capture, however often it is asked for. Rejects with a Failure. */
function create(client: PcapServiceClient, accountId: string): Promise<Pcap | undefined> {
  const simple = {
    timeLimit: { seconds: 10n, nanos: 0 },
    packetLimit: 1000n,
    filterV1: {
      protocol: 6,
      sourceAddress: undefined,
      sourcePort: undefined,
      destinationAddress: undefined,
      destinationPort: undefined,
    },
    offsetTime: undefined,
    system: PcapSystem.PCAP_SYSTEM_UNSPECIFIED,
  };
  return new Promise((resolve, reject) => {
    client.createPcap(
      { accountId, requestId: randomUUID(), form: { $case: "simple", value: simple } },
      new Metadata(),
      { deadline: Date.now() + DEADLINE_MS },
      (error: ServiceError | null, response: CreatePcapResponse) => {
        if (error) reject(new Failure(error));
        else resolve(response.pcap);
      },
    );
  });
}

/** The messages of a stream. Throws a Failure. */
async function* messagesOf<T>(stream: ClientReadableStream<T>): AsyncGenerator<T> {
  try {
    for await (const message of stream) yield message as T;
  } catch (error) {
    throw error instanceof Error && "metadata" in error
      ? new Failure(error as ServiceError)
      : error;
  }
}

/** Each change, up to the last; goes on where a replica of the gateway ends. Throws a Failure. */
async function* watch(
  client: PcapServiceClient,
  accountId: string,
  pcapId: string,
  until: number,
): AsyncGenerator<Pcap | undefined> {
  for (;;) {
    try {
      const stream: ClientReadableStream<WatchPcapsResponse> = client.watchPcaps(
        { accountId, pcapIds: [pcapId] },
        { deadline: until },
      );
      for await (const { pcap } of messagesOf(stream)) yield pcap;
      return;
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== status.UNAVAILABLE) throw error;
      if (Date.now() > until - 1000) throw error;
    }
    await sleep(1000);
  }
}

/** The packets into `file`, which is there once it is whole; how many bytes that is. Throws a Failure. */
async function download(
  client: PcapServiceClient,
  accountId: string,
  pcapId: string,
  file: string,
  until: number,
): Promise<number> {
  const part = `${file}.part`;
  const to = await open(part, "w");
  try {
    let size = 0;
    const stream: ClientReadableStream<DownloadPcapResponse> = client.downloadPcap(
      { accountId, pcapId },
      { deadline: until },
    );
    for await (const { data } of messagesOf(stream)) {
      await to.writeFile(data);
      size += data.length;
    }
    await rename(part, file);
    return size;
  } finally {
    await to.close();
    await rm(part, { force: true });
  }
}

/** Makes a capture, prints what comes of it, and returns whether its packets are in `file`. */
async function capture(
  client: PcapServiceClient,
  accountId: string,
  file: string,
): Promise<boolean> {
  const until = Date.now() + CAPTURE_MS;
  let subject = "capture";
  try {
    let pcap = await create(client, accountId);
    if (pcap?.form?.$case !== "simple") return false;
    subject = pcap.form.value.id ?? "";
    let told = "";
    for await (const changed of watch(client, accountId, subject, until)) {
      pcap = changed;
      const line = describe(pcap);
      if (line !== told) console.log(`${subject}: ${line}`); // the first one after a break may be known
      told = line;
    }
    if (!isReady(pcap)) return false;
    const size = await download(client, accountId, subject, file, until);
    console.log(`${subject}: ${size} bytes in ${file}`);
    return true;
  } catch (error) {
    // Anything else is the file's.
    console.log(`${subject}: ${error instanceof Failure ? explain(error) : error}`);
    return false;
  }
}

/** Prints what came of it, and returns whether that is an answer. */
async function report(
  client: PcapServiceClient,
  accountId: string,
  pcapId: string,
): Promise<boolean> {
  try {
    const { pcap, cacheStatus } = await getPatiently(client, accountId, pcapId);
    console.log(`${pcapId}: ${describe(pcap)}`);
    if (cacheStatus) console.log(`    cache-status: ${cacheStatus}`);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code === status.NOT_FOUND && error.reason === "PCAP_NOT_FOUND") {
      console.log(`${pcapId}: there is no such capture`);
      return true;
    }
    console.log(`${pcapId}: ${explain(error)}`);
    return false;
  }
}

class UsageError extends Error {}

/** `authorities`: a file of those to trust; without one, plaintext, for a trusted network. */
function channelTo(authorities: string | undefined) {
  if (authorities === undefined) return credentials.createInsecure();
  try {
    return credentials.createSsl(readFileSync(authorities));
  } catch (error) {
    throw new Error(`--tls-ca: ${error}`);
  }
}

function commandLine() {
  try {
    const { values, positionals } = parseArgs({
      options: { "tls-ca": { type: "string" }, capture: { type: "string" } },
      allowPositionals: true,
    });
    const [target, accountId, ...pcapIds] = positionals;
    if (!target || !accountId || (pcapIds.length === 0) === (values.capture === undefined)) {
      throw new Error(
        "usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID..., or run [--tls-ca FILE] --capture FILE TARGET ACCOUNT_ID",
      );
    }
    const file = values.capture;
    return { target, accountId, pcapIds, file, channel: channelTo(values["tls-ca"]) };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<number> {
  const { target, accountId, pcapIds, file, channel } = commandLine();
  // Connects with the first call. One is enough for a program; it is reopened when lost.
  const client = new PcapServiceClient(target, channel);
  let answered = true;
  if (file !== undefined) answered = await capture(client, accountId, file);
  for (const pcapId of pcapIds) answered = (await report(client, accountId, pcapId)) && answered;
  client.close();
  return answered ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`run: ${error.message}`);
  process.exitCode = 2;
}
