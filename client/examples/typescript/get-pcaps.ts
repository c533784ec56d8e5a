// Gets packet captures from a pcap-gateway, and prints what came of each.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";

import type { Timestamp } from "./stubs/google/protobuf/timestamp.js";
import { ErrorInfo, RetryInfo } from "./stubs/google/rpc/error_details.js";
import { Status } from "./stubs/google/rpc/status.js";
import { type Pcap, PcapStatus } from "./stubs/pcap/v1/pcap.js";
import { type GetPcapResponse, PcapServiceClient } from "./stubs/pcap/v1/pcap_service.js";

const DEADLINE_MS = 10_000;

// Whoever is told to come again sooner than that may as well wait.
const LONGEST_WAIT_SECONDS = 5;

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
    const { code, reason, retryAfterSeconds } = error;
    if (code === status.NOT_FOUND && reason === "PCAP_NOT_FOUND") {
      console.log(`${pcapId}: there is no such capture`);
      return true;
    }
    if (code === status.RESOURCE_EXHAUSTED && retryAfterSeconds !== undefined) {
      const seconds = Math.ceil(retryAfterSeconds * 10) / 10;
      console.log(`${pcapId}: not now, come again in ${seconds} s`);
    } else {
      console.log(`${pcapId}: ${status[code]}${reason && ` (${reason})`}: ${error.message}`);
    }
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
      options: { "tls-ca": { type: "string" } },
      allowPositionals: true,
    });
    const [target, accountId, ...pcapIds] = positionals;
    if (!target || !accountId || pcapIds.length === 0) {
      throw new Error("usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID...");
    }
    return { target, accountId, pcapIds, channel: channelTo(values["tls-ca"]) };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<number> {
  const { target, accountId, pcapIds, channel } = commandLine();
  // Connects with the first call. One is enough for a program; it is reopened when lost.
  const client = new PcapServiceClient(target, channel);
  let answered = true;
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
