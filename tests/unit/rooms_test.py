"""Rooms: which folder of the code may include which. Reads every #include line; builds nothing.

A call goes rpc -> cache -> upstream -> endpoints -> mapping and back, and the rooms on that way know
each other only by the seam (service/source). What a row does not name, its room may not include.
"""

from __future__ import annotations

import re
import unittest
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# What an include belongs to, by the first pattern that fits.
KINDS = (
    (r"service/base/mutex\.h", "mutex"),
    (r"service/(\w+)/[\w.]+", r"\1"),
    (r"service/[\w.]+", "composition"),
    (r"client/pcapctl/[\w.]+", "pcapctl"),
    (r"client/[\w.]+", "client"),
    (r"pcap_client/[\w.]+", "pcap_client"),
    (r"tests/.+", "tests"),
    (r".+\.grpc\.pb\.h", "stubs"),
    (r"(pcap/v1|grpc/(health|reflection))/.+\.pb\.h", "messages"),
    (r"google/rpc/.+", "google_rpc"),
    (r"google/protobuf/.+", "protobuf"),
    (r"grpc(pp)?/.+", "grpc"),
    (r"absl/synchronization/mutex\.h", "absl_mutex"),
    (r"absl/.+", "absl"),
    (r"openssl/.+", "openssl"),
    (r"nlohmann/.+", "nlohmann"),
    (r"curl/.+", "curl"),
    (r"prometheus/.+", "prometheus"),
    (r"microhttpd\.h", "microhttpd"),
    (r"spdlog/.+", "spdlog"),
    (r"CLI/.+", "cli11"),
    (r"yaml-cpp/.+", "yaml_cpp"),
    (r"hiredis/.+", "hiredis"),
    (r"opentelemetry/.+", "opentelemetry"),
    (r"systemd/.+", "systemd"),
    (r"sys/epoll\.h", "epoll"),
    (r"malloc\.h", "malloc"),
    (r"(sys|netinet|arpa)/\w+\.h|(fcntl|malloc|netdb|poll|sched|signal|time|unistd)\.h", "posix"),
    (r"mutex|shared_mutex|condition_variable", "std_locks"),
    (r"[a-z_0-9]+", "std"),
)

# A room may include its own files, std, absl, the mutex, and what stands here.
ROOMS = {
    "service/base": {"std_locks"},
    "service/help": {"cli11"},
    "service/loop": {"base", "epoll", "posix"},
    "service/source": {"std_locks", "base", "openssl"},
    "service/net": {"posix"},
    "service/mapping": {"source", "messages", "protobuf", "nlohmann"},
    "service/endpoints": {"source", "mapping", "messages", "protobuf"},
    "service/access": {"base", "source", "nlohmann", "openssl", "posix"},
    "service/freshness": {"source"},
    "service/cache": {"base", "source", "freshness"},
    "service/writes": {"base", "source", "freshness", "loop"},
    "service/watch": {"base", "source", "freshness", "loop"},
    "service/shared": {"base", "loop", "source", "freshness", "hiredis", "openssl", "posix"},
    "service/upstream": {"base", "loop", "source", "curl", "posix"},
    "service/tracing": {"base", "source", "upstream", "opentelemetry"},
    "service/rpc": {
        "base",
        "source",
        "net",
        "access",
        "endpoints",
        "watch",
        "messages",
        "stubs",
        "google_rpc",
        "protobuf",
        "grpc",
        "posix",
    },
    "service/operations": {
        "base",
        "source",
        "net",
        "prometheus",
        "microhttpd",
        "spdlog",
        "nlohmann",
        "posix",
        "systemd",
    },
    # Options, and the one place that puts all rooms together.
    "service": {
        "base",
        "loop",
        "source",
        "access",
        "mapping",
        "endpoints",
        "freshness",
        "cache",
        "shared",
        "writes",
        "watch",
        "upstream",
        "tracing",
        "rpc",
        "operations",
        "help",
        "absl_mutex",
        "spdlog",
        "cli11",
        "nlohmann",
        "malloc",
        "posix",
    },
    # The library, and what of it others build against; pcapctl has no more of gRPC than that gives.
    "client/include/pcap_client": {"messages"},
    "client/examples/cpp": {"pcap_client"},
    "client": {"pcap_client", "messages", "stubs", "google_rpc", "protobuf", "grpc"},
    "client/pcapctl": {
        "pcap_client",
        "messages",
        "protobuf",
        "help",
        "cli11",
        "curl",
        "nlohmann",
        "posix",
        "yaml_cpp",
    },
}

# Libraries that one file keeps to itself within its room, so that another can take its place.
ONLY_IN = {
    # ThreadSanitizer cannot see into it as Debian builds it: locks are the standard library's.
    "absl_mutex": {"service/main.cc"},
    # clang checks that what is guarded is used under its lock, and the standard library's say nothing.
    # (The credential has a once_flag.)
    "std_locks": {"service/base/mutex.h", "service/source/credential.h"},
    "cli11": {
        "service/help/help_text.cc",
        "service/help/help_text.h",
        "service/options.cc",
        "client/pcapctl/commands.cc",
        "client/pcapctl/commands.h",
        "client/pcapctl/main.cc",
        "client/pcapctl/options.cc",
        "client/pcapctl/options.h",
    },
    "curl": {
        "service/upstream/curl_client.cc",
        "service/upstream/curl_pool.cc",
        "service/upstream/curl_pool.h",
        "service/upstream/curl_transfer.cc",
        "service/upstream/curl_transfer.h",
        "client/pcapctl/explain_connection.cc",
        "client/pcapctl/http_get.cc",
    },
    "microhttpd": {"service/operations/admin_listener.cc"},
    "hiredis": {
        "service/shared/redis_connection.cc",
        "service/shared/redis_replies.cc",
        "service/shared/redis_tls.cc",
    },
    "prometheus": {"service/operations/metrics.cc"},
    "openssl": {
        "service/shared/redis_tls.cc",
        "service/shared/redis_names.cc",
        "service/shared/shared_ledger.cc",
        "service/source/credential.cc",
        "service/access/tls_identity.cc",
        "service/access/certificate_validity.cc",
    },
    # In a build without it these are not there.
    "opentelemetry": {
        "service/tracing/span_export.cc",
        "service/tracing/span_export.h",
        "service/tracing/tracing.cc",
    },
    "systemd": {"service/operations/service_manager.cc"},
    "malloc": {"service/memory_trim.cc"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[>"]')
METADATA = re.compile(r"\bAdd(Initial|Trailing)Metadata\b")
VERSION = re.compile(
    r"\b(GRPC_CPP_VERSION\w*|GOOGLE_PROTOBUF_VERSION|grpc::Version)\b|__has_include\(<grpc"
)
WAITING = re.compile(r"\bthis_thread::(yield|sleep_(for|until))\b")


# What the headers of absl/strings declare. Other headers of Abseil's include some of them, and each
# version of it others: what leans on that compiles on one Debian and not on the next.
STRINGS = {
    "ascii": r"ascii_\w+|AsciiStrTo\w+|Strip\w*AsciiWhitespace",
    "escaping": r"Base64\w+|WebSafeBase64\w+|BytesToHexString|HexStringToBytes|C(Hex)?Escape|Utf8SafeC\w+",
    "match": r"StartsWith\w*|EndsWith\w*|StrContains\w*|EqualsIgnoreCase",
    "numbers": r"SimpleAto\w+|SimpleHexAtoi",
    "str_cat": r"StrCat|StrAppend|Hex",
    "str_format": r"(Str|StrAppend|F|SN)(Format|Printf|PrintF)",
    "str_join": r"StrJoin",
    "str_replace": r"StrReplaceAll",
    "str_split": r"StrSplit",
    "strip": r"(Strip|Consume)(Prefix|Suffix)",
}


def missing_strings(text: str) -> list[str]:
    """The headers of absl/strings that a file uses, and leaves to others to include."""
    return [
        f"absl/strings/{header}.h"
        for header, names in STRINGS.items()
        if re.search(rf"^[^/\n]*\babsl::({names})\(", text, re.MULTILINE)
        and f'#include "absl/strings/{header}.h"' not in text
    ]


def kind_of(include: str) -> str | None:
    """None: no pattern knows it."""
    for pattern, kind in KINDS:
        match = re.fullmatch(pattern, include)
        if match:
            return match.expand(kind)
    return None


def room_of(file: str) -> str:
    return file.rpartition("/")[0]


def objection(file: str, include: str) -> str | None:
    """Why `file` may not include `include`; None: it may."""
    kind = kind_of(include)
    if kind is None:
        return f"{file} includes {include}, which no row of KINDS knows"
    if kind in ONLY_IN and file not in ONLY_IN[kind]:
        return f"{file} includes {include}, which is for {', '.join(sorted(ONLY_IN[kind]))}"
    room = room_of(file)
    own = "composition" if room == "service" else room.rpartition("/")[2]
    if kind not in {own, "std", "absl", "mutex"} | ROOMS[room]:
        return f"{file} includes {include}: {room} may not include {kind}"
    return None


def sources() -> list[str]:
    found = [
        path.relative_to(REPOSITORY).as_posix()
        for folder in ("service", "client")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in {".cc", ".h"}
    ]
    return sorted(found)


def lines(file: str) -> Iterator[tuple[int, str]]:
    yield from enumerate((REPOSITORY / file).read_text("utf-8").splitlines(), 1)


class RoomsTest(unittest.TestCase):
    maxDiff = None

    def test_every_folder_with_code_is_a_room(self) -> None:
        self.assertEqual({room_of(file) for file in sources()}, set(ROOMS))

    def test_no_room_includes_what_is_not_for_it(self) -> None:
        found = [
            f"{complaint} (line {number})"
            for file in sources()
            for number, line in lines(file)
            if (match := INCLUDE.match(line)) and (complaint := objection(file, match[1]))
        ]
        self.assertEqual(found, [])

    # An invalid metadata value aborts a gRPC 1.51 process; reply.cc looks at each.
    def test_metadata_is_sent_by_one_file(self) -> None:
        found = {
            file
            for file in sources()
            if file.startswith("service/") and any(METADATA.search(line) for _, line in lines(file))
        }
        self.assertLessEqual(found, {"service/rpc/reply.cc", "service/rpc/reply.h"})
        self.assertIn("service/rpc/reply.cc", found)

    # gRPC 1.51 and 1.83 differ here and there; the rest of the code knows nothing of it.
    def test_two_files_ask_which_grpc_it_is(self) -> None:
        found = {
            file for file in sources() if any(VERSION.search(line) for _, line in lines(file))
        }
        self.assertEqual(found, {"service/rpc/grpc_version.cc", "service/rpc/goaway.cc"})

    def test_who_calls_absl_strings_includes_them(self) -> None:
        found = {
            path.relative_to(REPOSITORY).as_posix(): missing
            for folder in ("service", "client", "tests")
            for path in (REPOSITORY / folder).rglob("*")
            if path.suffix in {".cc", ".h"} and (missing := missing_strings(path.read_text("utf-8")))
        }
        self.assertEqual(found, {})

    def test_the_rule_of_absl_strings_objects(self) -> None:
        self.assertEqual(
            missing_strings('  absl::StrCat(absl::StrJoin(ids, ","))'),
            ["absl/strings/str_cat.h", "absl/strings/str_join.h"],
        )
        self.assertEqual(missing_strings('#include "absl/strings/match.h"\n absl::StartsWith(a, b)'), [])

    # A wait without an end hangs a test until ctest kills it, and says nothing of what it was for.
    def test_tests_wait_by_until_and_event(self) -> None:
        found = {
            f"{path.relative_to(REPOSITORY).as_posix()}:{number}"
            for path in (REPOSITORY / "tests").rglob("*")
            if path.suffix in {".cc", ".h"} and path.name != "until.h"
            for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
            if WAITING.search(line)
        }
        self.assertEqual(found, set())

    def test_the_rules_object(self) -> None:
        for file, include in (
            ("service/cache/store.cc", "absl/synchronization/mutex.h"),
            ("service/cache/store.cc", "mutex"),
            ("service/rpc/server.cc", "condition_variable"),
            ("client/grpc_thread.cc", "mutex"),
            ("client/grpc_thread.cc", "service/base/thread.h"),
            ("service/gateway.cc", "absl/synchronization/mutex.h"),
            ("service/cache/store.cc", "grpcpp/grpcpp.h"),
            ("service/cache/store.cc", "service/upstream/rest_source.h"),
            ("service/cache/store.cc", "service/gateway.h"),
            ("service/mapping/envelope.cc", "service/endpoints/get_pcap.h"),
            ("service/mapping/envelope.cc", "pcap/v1/pcap_service.grpc.pb.h"),
            ("service/upstream/rest_source.cc", "curl/curl.h"),
            ("service/upstream/rest_source.cc", "service/mapping/envelope.h"),
            ("service/source/id.h", "service/cache/store.h"),
            ("service/base/clock.h", "service/source/id.h"),
            ("service/loop/event_loop.h", "service/source/id.h"),
            ("service/cache/store.cc", "service/loop/loop.h"),
            ("service/upstream/curl_pool.cc", "sys/epoll.h"),
            ("service/shared/shared_source.cc", "service/cache/store.h"),
            ("service/watch/watches.cc", "service/endpoints/list_pcaps.h"),
            ("service/watch/watches.cc", "service/upstream/rest_source.h"),
            ("service/source/id.h", "unistd.h"),
            ("service/rpc/server.cc", "service/cache/store.h"),
            ("service/operations/metrics.cc", "service/rpc/server.h"),
            ("service/gateway.cc", "grpcpp/grpcpp.h"),
            ("client/pcap_client.cc", "service/source/id.h"),
            ("client/pcap_client.cc", "boost/asio.hpp"),
            ("client/pcap_client.cc", "client/pcapctl/table.h"),
            ("client/pcapctl/main.cc", "grpcpp/grpcpp.h"),
            ("client/pcapctl/main.cc", "client/status_details.h"),
            ("client/include/pcap_client/pcap_client.h", "client/service_config.h"),
            ("client/include/pcap_client/pcap_client.h", "google/rpc/error_details.pb.h"),
        ):
            with self.subTest(file=file, include=include):
                self.assertIsNotNone(objection(file, include))

    def test_the_rules_let_through(self) -> None:
        for file, include in (
            ("service/cache/store.cc", "service/cache/store.h"),
            ("service/cache/store.cc", "service/source/query.h"),
            ("service/cache/store.cc", "unordered_map"),
            ("service/cache/store.cc", "absl/time/time.h"),
            ("service/gateway.cc", "service/options.h"),
            ("service/gateway.cc", "service/cache/caching_source.h"),
            ("service/rpc/server.cc", "grpc/grpc.h"),
            ("service/rpc/server.cc", "grpc/health/v1/health.grpc.pb.h"),
        ):
            with self.subTest(file=file, include=include):
                self.assertIsNone(objection(file, include))


if __name__ == "__main__":
    unittest.main()
