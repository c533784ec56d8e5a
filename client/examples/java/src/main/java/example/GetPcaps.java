package example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import pcap.v1.PcapOuterClass.FullPcap;
import pcap.v1.PcapOuterClass.Pcap;
import pcap.v1.PcapOuterClass.PcapFilter;
import pcap.v1.PcapOuterClass.PcapStatus;
import pcap.v1.PcapOuterClass.SimplePcap;
import pcap.v1.PcapServiceGrpc;
import pcap.v1.PcapServiceGrpc.PcapServiceBlockingStub;
import pcap.v1.PcapServiceOuterClass.CreatePcapRequest;
import pcap.v1.PcapServiceOuterClass.CreateSimplePcap;
import pcap.v1.PcapServiceOuterClass.DownloadPcapRequest;
import pcap.v1.PcapServiceOuterClass.GetPcapRequest;
import pcap.v1.PcapServiceOuterClass.WatchPcapsRequest;

/**
 * Gets packet captures from a pcap-gateway, and prints what came of each; or makes one, waits until
 * it is ready, and downloads its packets.
 */
public final class GetPcaps {
  private static final Duration DEADLINE = Duration.ofSeconds(10);

  /** Whoever is told to come again sooner than that may as well wait. */
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(5);

  /** From a capture's beginning to its last packet. */
  private static final Duration CAPTURE_TIME = Duration.ofMinutes(2);

  private static final Metadata.Key<String> CACHE_STATUS =
      Metadata.Key.of("cache-status", Metadata.ASCII_STRING_MARSHALLER);

  /** A capture, and how the gateway came by it (RFC 9211; empty: not said). */
  private record Answer(Pcap pcap, String cacheStatus) {}

  /** What google.rpc.Status in the trailing metadata says of a failed call. */
  private static final class Failure extends Exception {
    final Status status;
    final String reason; // of ErrorInfo, which is what to decide by; empty: the server says none
    final Optional<Duration> retryAfter; // of RetryInfo

    Failure(StatusRuntimeException error) {
      super(error);
      status = error.getStatus();
      String reason = "";
      Optional<Duration> retryAfter = Optional.empty();
      com.google.rpc.Status details = StatusProto.fromThrowable(error);
      try {
        for (Any detail : details == null ? List.<Any>of() : details.getDetailsList()) {
          if (detail.is(ErrorInfo.class)) {
            reason = detail.unpack(ErrorInfo.class).getReason();
          } else if (detail.is(RetryInfo.class)) {
            var delay = detail.unpack(RetryInfo.class).getRetryDelay();
            retryAfter = Optional.of(Duration.ofSeconds(delay.getSeconds(), delay.getNanos()));
          }
        }
      } catch (InvalidProtocolBufferException malformed) {
        // Code and message are there all the same.
      }
      this.reason = reason;
      this.retryAfter = retryAfter;
    }

    boolean isRefusedFor(Duration atMost) {
      return status.getCode() == Status.Code.RESOURCE_EXHAUSTED
          && retryAfter.isPresent()
          && retryAfter.get().compareTo(atMost) <= 0;
    }
  }

  private final PcapServiceBlockingStub stub;

  private GetPcaps(ManagedChannel channel) {
    stub = PcapServiceGrpc.newBlockingStub(channel);
  }

  private Answer get(GetPcapRequest request) throws Failure {
    var headers = new AtomicReference<Metadata>();
    try {
      var response =
          stub.withInterceptors(
                  MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()))
              .withDeadlineAfter(DEADLINE)
              .getPcap(request);
      String cacheStatus = headers.get() == null ? null : headers.get().get(CACHE_STATUS);
      return new Answer(response.getPcap(), cacheStatus == null ? "" : cacheStatus);
    } catch (StatusRuntimeException error) {
      throw new Failure(error);
    }
  }

  /** The same, once more if the gateway says that a short wait will do. */
  private Answer getPatiently(GetPcapRequest request) throws Failure, InterruptedException {
    try {
      return get(request);
    } catch (Failure failure) {
      if (!failure.isRefusedFor(LONGEST_WAIT)) throw failure;
      TimeUnit.NANOSECONDS.sleep(failure.retryAfter.orElseThrow().toNanos());
    }
    return get(request);
  }

  /** An enum of proto3 is open: tomorrow's server may send a number that has no name here. */
  private static String statusName(PcapStatus status, int number) {
    return status == PcapStatus.UNRECOGNIZED ? "PCAP_STATUS " + number : status.name();
  }

  private static String submitted(Timestamp time) {
    return "submitted " + Instant.ofEpochSecond(time.getSeconds());
  }

  private static String describe(Pcap pcap) {
    var parts = new ArrayList<String>();
    switch (pcap.getFormCase()) {
      case SIMPLE -> {
        SimplePcap simple = pcap.getSimple();
        parts.add("simple");
        parts.add(statusName(simple.getStatus(), simple.getStatusValue()));
        if (simple.hasSubmitted()) parts.add(submitted(simple.getSubmitted()));
      }
      case FULL -> {
        FullPcap full = pcap.getFull();
        parts.add("full");
        parts.add(statusName(full.getStatus(), full.getStatusValue()));
        if (full.hasSubmitted()) parts.add(submitted(full.getSubmitted()));
        // 0 packets are not the same as no number.
        if (full.hasPacketsCaptured()) parts.add(full.getPacketsCaptured() + " packets captured");
      }
      case FORM_NOT_SET -> parts.add("a form that this program does not know");
    }
    return String.join(", ", parts);
  }

  /** Whether its packets are there. */
  private static boolean isReady(Pcap pcap) {
    return switch (pcap.getFormCase()) {
      case SIMPLE -> pcap.getSimple().getStatus() == PcapStatus.PCAP_STATUS_SUCCESS;
      case FULL -> pcap.getFull().getStatus() == PcapStatus.PCAP_STATUS_COMPLETE;
      case FORM_NOT_SET -> false;
    };
  }

  /** In seconds, rounded up to a tenth. */
  private static String tenths(Duration wait) {
    return BigDecimal.valueOf(wait.getSeconds())
        .add(BigDecimal.valueOf(wait.getNano(), 9))
        .setScale(1, RoundingMode.CEILING)
        .stripTrailingZeros()
        .toPlainString();
  }

  /** In a line, why a call failed. */
  private static String explain(Failure failure) {
    Status.Code code = failure.status.getCode();
    if (code == Status.Code.RESOURCE_EXHAUSTED && failure.retryAfter.isPresent()) {
      return "not now, come again in " + tenths(failure.retryAfter.get()) + " s";
    }
    String reason = failure.reason.isEmpty() ? "" : " (" + failure.reason + ")";
    String message = failure.status.getDescription();
    return code + reason + ": " + (message == null ? "" : message);
  }

  /**
   * Ten seconds of sampled TCP packets. Not to be tried again under another request_id: with the
   * same one there is no second capture, however often it is asked for.
   */
  private Pcap create(String accountId) {
    var simple =
        CreateSimplePcap.newBuilder()
            .setTimeLimit(com.google.protobuf.Duration.newBuilder().setSeconds(10))
            .setPacketLimit(1000)
            .setFilterV1(PcapFilter.newBuilder().setProtocol(6));
    var request =
        CreatePcapRequest.newBuilder()
            .setAccountId(accountId)
            .setRequestId(UUID.randomUUID().toString())
            .setSimple(simple)
            .build();
    return stub.withDeadlineAfter(DEADLINE).createPcap(request).getPcap();
  }

  /** Tells each change, up to the last; goes on where a replica of the gateway ends. */
  private void watch(WatchPcapsRequest request, Instant until, Consumer<Pcap> tell)
      throws InterruptedException {
    while (true) {
      try {
        var changes = stub.withDeadlineAfter(Duration.between(Instant.now(), until)).watchPcaps(request);
        while (changes.hasNext()) tell.accept(changes.next().getPcap());
        return;
      } catch (StatusRuntimeException error) {
        boolean passes = error.getStatus().getCode() == Status.Code.UNAVAILABLE;
        if (!passes || Instant.now().plusSeconds(1).isAfter(until)) throw error;
      }
      TimeUnit.SECONDS.sleep(1);
    }
  }

  /** The packets into a file, which is there once it is whole; how many bytes that is. */
  private long download(DownloadPcapRequest request, Path file, Instant until) throws IOException {
    Path part = Path.of(file + ".part");
    try {
      try (var to = Files.newOutputStream(part)) {
        var packets = stub.withDeadlineAfter(Duration.between(Instant.now(), until)).downloadPcap(request);
        while (packets.hasNext()) packets.next().getData().writeTo(to);
      }
      return Files.size(Files.move(part, file, StandardCopyOption.REPLACE_EXISTING));
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /** Makes a capture, prints what comes of it, and returns whether its packets are in the file. */
  private boolean capture(String accountId, Path file) throws InterruptedException {
    Instant until = Instant.now().plus(CAPTURE_TIME);
    String subject = "capture";
    try {
      String pcapId = create(accountId).getSimple().getId();
      subject = pcapId;
      var watched = WatchPcapsRequest.newBuilder().setAccountId(accountId).addPcapIds(pcapId).build();
      var last = new AtomicReference<>(Pcap.getDefaultInstance());
      watch(
          watched,
          until,
          pcap -> {
            // The first one after a break may be known.
            if (!pcap.equals(last.getAndSet(pcap))) {
              System.out.println(pcapId + ": " + describe(pcap));
            }
          });
      if (!isReady(last.get())) return false;
      var wanted = DownloadPcapRequest.newBuilder().setAccountId(accountId).setPcapId(pcapId).build();
      System.out.println(pcapId + ": " + download(wanted, file, until) + " bytes in " + file);
      return true;
    } catch (StatusRuntimeException error) {
      System.out.println(subject + ": " + explain(new Failure(error)));
    } catch (IOException error) {
      System.out.println(subject + ": " + error);
    }
    return false;
  }

  /** Prints what came of it, and returns whether that is an answer. */
  private boolean report(String accountId, String pcapId) throws InterruptedException {
    var request = GetPcapRequest.newBuilder().setAccountId(accountId).setPcapId(pcapId).build();
    try {
      Answer answer = getPatiently(request);
      System.out.println(pcapId + ": " + describe(answer.pcap));
      if (!answer.cacheStatus.isEmpty()) {
        System.out.println("    cache-status: " + answer.cacheStatus);
      }
      return true;
    } catch (Failure failure) {
      Status.Code code = failure.status.getCode();
      if (code == Status.Code.NOT_FOUND && failure.reason.equals("PCAP_NOT_FOUND")) {
        System.out.println(pcapId + ": there is no such capture");
        return true;
      }
      System.out.println(pcapId + ": " + explain(failure));
      return false;
    }
  }

  private static int fail(String message) {
    System.err.println("run: " + message);
    return 2;
  }

  private static int run(List<String> arguments) throws InterruptedException {
    ChannelCredentials credentials = InsecureChannelCredentials.create();
    Path capture = null;
    while (!arguments.isEmpty() && arguments.get(0).startsWith("--")) {
      boolean isTls = arguments.get(0).equals("--tls-ca");
      if ((!isTls && !arguments.get(0).equals("--capture")) || arguments.size() < 2) {
        return fail("no such option: " + arguments.get(0));
      }
      try {
        if (isTls) {
          credentials =
              TlsChannelCredentials.newBuilder().trustManager(new File(arguments.get(1))).build();
        } else {
          capture = Path.of(arguments.get(1));
        }
      } catch (IOException error) {
        return fail("--tls-ca: " + error.getMessage());
      }
      arguments = arguments.subList(2, arguments.size());
    }
    if (capture == null ? arguments.size() < 3 : arguments.size() != 2) {
      return fail(
          "usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID..., or "
              + "run [--tls-ca FILE] --capture FILE TARGET ACCOUNT_ID");
    }
    // Connects with the first call. One is enough for a program; it is reopened when lost.
    ManagedChannel channel = Grpc.newChannelBuilder(arguments.get(0), credentials).build();
    try {
      var program = new GetPcaps(channel);
      if (capture != null) return program.capture(arguments.get(1), capture) ? 0 : 1;
      boolean answered = true;
      for (String pcapId : arguments.subList(2, arguments.size())) {
        answered &= program.report(arguments.get(1), pcapId);
      }
      return answered ? 0 : 1;
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    System.exit(run(List.of(arguments)));
  }
}
