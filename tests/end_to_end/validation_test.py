"""The rules in proto/annotations.toml are those that the gateway keeps: protovalidate reads the ones,
the gateway has its own, and both refuse the same fields of the same requests."""

from __future__ import annotations

import collections
import os
import random
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import grpc
import protovalidate
import pytest
from emulator import demo
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest
from grpc_tools import protoc

from harness.calls import DEADLINE_SECONDS, Failure
from harness.gateway import Gateway, StartGateway
from harness.raw_http2 import CALL
from harness.stubs import REPOSITORY

REQUESTS = 12_000
AT_ONCE = 200
# Whatever is right is looked for in the cache alone, which is empty.
RIGHT = ("FAILED_PRECONDITION", "NOT_CACHED")
UNREADABLE = frozenset({"(bytes)"})
LONGEST_SECONDS = 315_576_000_000  # duration.proto

Fields = frozenset[str]


@pytest.fixture(scope="session")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pb2.FileDescriptorSet:
    """Our files as `proto/export --annotated` gives them away, and whatever they import."""
    folder = tmp_path_factory.mktemp("annotated")
    subprocess.run([REPOSITORY / "proto" / "export", "--annotated", folder], check=True)
    rules = descriptor_pb2.FileDescriptorSet()
    # protovalidate brings the descriptor of its own file, not the file.
    rules.file.add().ParseFromString(protovalidate.ViolationPb.desc().file.proto.to_binary())
    return compiled(folder, folder, rules)


@pytest.fixture(scope="session")
def request_class(annotated: descriptor_pb2.FileDescriptorSet) -> Any:
    pool = descriptor_pool.DescriptorPool()
    for file in annotated.file:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("pcap.v1.GetPcapRequest"))


def compiled(
    root: Path, work: Path, known: descriptor_pb2.FileDescriptorSet | None = None
) -> descriptor_pb2.FileDescriptorSet:
    """What protoc makes of our files below `root`, and of their imports, which are there or `known`."""
    made = work / "set.binpb"
    well_known = Path(protoc.__file__).parent / "_proto"
    options = [f"-I{root}", f"-I{well_known}", f"--descriptor_set_out={made}", "--include_imports"]
    if known is not None:
        (work / "known.binpb").write_bytes(known.SerializeToString())
        options.append(f"--descriptor_set_in={work / 'known.binpb'}")
    names = [str(path.relative_to(root)) for path in sorted(root.glob("pcap/v1/*.proto"))]
    assert protoc.main(["protoc", *options, *names]) == 0
    return descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())


# --- made-up requests


def made_up_id(dice: random.Random) -> str:
    text = "".join(dice.choices("0123456789abcdef", k=32))
    odd = dice.choice("gGAF/\\%. \t\n\r\0-_~é٣０\u200b😀")
    at = dice.randrange(32)
    return dice.choice(
        [
            text,
            text,
            text,
            "",
            text[:at],
            text + text[:at],
            text.upper(),
            text[:at] + odd + text[at + 1 :],
            text + odd,
            odd + text,
            text[1:] + odd,
            "0x" + text[2:],
            "{" + text + "}",
        ]
    )


def made_up_max_age(dice: random.Random) -> tuple[int, int] | None:
    """Seconds and nanos."""
    longest = LONGEST_SECONDS
    seconds = [0, 1, -1, 60, longest, longest + 1, -longest, 2**63 - 1, -(2**63)]
    nanos = [0, 1, -1, 999_999_999, 10**9, -999_999_999, -(10**9), 2**31 - 1, -(2**31)]
    ordinary = (dice.randrange(10**6), dice.randrange(10**9))
    return dice.choice([None, None, ordinary, ordinary, (dice.choice(seconds), dice.choice(nanos))])


def made_up_bytes(dice: random.Random, request_class: Any) -> bytes:
    message = request_class()
    if dice.random() < 0.8:
        message.account_id = dice.choice([demo.ACCOUNT_ID, made_up_id(dice)])
    if dice.random() < 0.95:
        message.pcap_id = made_up_id(dice)
    max_age = made_up_max_age(dice)
    if max_age is not None:
        message.max_age.seconds, message.max_age.nanos = max_age
    whole: bytes = message.SerializeToString()
    fate = dice.random()
    if fate < 0.04:  # cut off
        return whole[: dice.randrange(len(whole) + 1)]
    if fate < 0.08 and whole:  # one byte is another
        at = dice.randrange(len(whole))
        return whole[:at] + bytes([dice.randrange(256)]) + whole[at + 1 :]
    if fate < 0.12:  # a field of tomorrow
        return whole + bytes([15 << 3, dice.randrange(128)])
    if fate < 0.16:  # twice: the last one counts, and messages are merged
        return whole + made_up_bytes(dice, request_class)
    return whole


# --- what both say


def is_duration(seconds: int, nanos: int) -> bool:
    """By duration.proto, which no rule can ask for: protovalidate looks at the sum of both."""
    return (
        abs(seconds) <= LONGEST_SECONDS
        and abs(nanos) < 10**9
        and not (seconds > 0 > nanos or seconds < 0 < nanos)
    )


def refused_by_rules(request_class: Any, request: bytes) -> tuple[Fields, bool]:
    """And whether its `max_age`, if any, is a duration."""
    message: Any = request_class()
    try:
        message.ParseFromString(request)
    except DecodeError:
        return UNREADABLE, True
    violations = protovalidate.collect_violations(message)
    fields = frozenset(v.proto.field.elements[0].field_name for v in violations)
    return fields, is_duration(message.max_age.seconds, message.max_age.nanos)


def refused_by_gateway(call: Any) -> Fields:
    """`call`: one that is over."""
    failure = Failure(call)
    if (failure.code.name, failure.reason) == RIGHT:
        return frozenset()
    assert (failure.code.name, failure.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST"), failure
    details = failure.all(BadRequest)
    if not details:
        return UNREADABLE
    return frozenset(v.field for v in details[0].field_violations)


def all_refused_by_gateway(gateway: Gateway, requests: list[bytes]) -> list[Fields]:
    """As many calls at once as it takes to be quick about it."""
    method = gateway.channel.unary_unary(CALL)  # bytes as they are
    metadata = (("cache-control", "only-if-cached"),)
    found: list[Fields] = []
    for start in range(0, len(requests), AT_ONCE):
        calls = [
            method.future(request, metadata=metadata, timeout=DEADLINE_SECONDS)
            for request in requests[start : start + AT_ONCE]
        ]
        for call in calls:
            assert call.exception() is not None, "nothing is cached"
            found.append(refused_by_gateway(call))
    return found


def test_the_gateway_and_protovalidate_refuse_the_same(
    gateway: Gateway, request_class: Any
) -> None:
    seed = int(os.environ.get("VALIDATION_SEED", random.randrange(2**32)))
    print(f"VALIDATION_SEED={seed}")
    dice = random.Random(seed)
    requests = [made_up_bytes(dice, request_class) for _ in range(REQUESTS)]
    by_gateway = all_refused_by_gateway(gateway, requests)
    counts: collections.Counter[str] = collections.Counter()
    not_durations = 0
    for request, fields in zip(requests, by_gateway, strict=True):
        by_rules, is_sound = refused_by_rules(request_class, request)
        if not is_sound:
            not_durations += "max_age" not in by_rules
            by_rules |= {"max_age"}
        assert fields == by_rules, (
            f"seed {seed}: the gateway refuses {sorted(fields)}, the rules {sorted(by_rules)}"
            f" of {request.hex()}"
        )
        counts[", ".join(sorted(fields)) or "right"] += 1
    print(
        f"validation: {len(requests)} requests, 0 differences but {not_durations} with a max_age that"
        f" is no Duration, which the gateway alone refuses: {dict(counts.most_common())}"
    )
    # Otherwise little was compared.
    for kind in ("right", "account_id", "pcap_id", "max_age", "account_id, max_age, pcap_id"):
        assert counts[kind] > REQUESTS / 200, counts
    assert counts["(bytes)"] > REQUESTS / 1000, counts


def test_a_default_account_is_all_that_may_be_left_out(start_gateway: StartGateway) -> None:
    """The rules let account_id be empty; a gateway without a default account does not."""
    gateway = start_gateway()
    request = bytes([2 << 3 | 2, 32]) + demo.SIMPLE_ID.encode()
    assert all_refused_by_gateway(gateway, [request]) == [frozenset({"account_id"})]


# --- what is given away


def annotations() -> dict[str, dict[str, list[str]]]:
    """The options, by message and field."""
    read = tomllib.loads((REPOSITORY / "proto" / "annotations.toml").read_text())
    del read["imports"]
    return read


def test_annotations_change_nothing_else(
    annotated: descriptor_pb2.FileDescriptorSet, tmp_path: Path
) -> None:
    plain = {file.name: file for file in compiled(REPOSITORY / "proto", tmp_path).file}
    ours = {file.name: file for file in annotated.file if file.name.startswith("pcap/")}
    assert set(ours) == {name for name in plain if name.startswith("pcap/")}
    found: dict[str, set[str]] = {}
    for name, original in ours.items():
        file = descriptor_pb2.FileDescriptorProto()
        file.CopyFrom(original)
        for message in file.message_type:
            for field in message.field:
                if field.HasField("options"):
                    found.setdefault(f"{file.package}.{message.name}", set()).add(field.name)
                    field.ClearField("options")
        imports = [path for path in file.dependency if path in plain]
        del file.dependency[:]
        file.dependency.extend(imports)
        assert file == plain[name]
    assert found == {message: set(fields) for message, fields in annotations().items()}


def test_every_field_of_a_request_says_whether_it_is_needed(
    annotated: descriptor_pb2.FileDescriptorSet,
) -> None:
    """AIP-203."""
    wanted = annotations()
    messages = {
        f"{file.package}.{message.name}": message
        for file in annotated.file
        for message in file.message_type
    }
    inputs = {
        method.input_type.removeprefix(".")
        for file in annotated.file
        for service in file.service
        for method in service.method
    }
    assert inputs
    for name in inputs:
        for field in messages[name].field:
            options = wanted[name][field.name]
            assert sum(o.startswith("(google.api.field_behavior) = ") for o in options) == 1


def test_a_field_that_there_is_not_is_told(tmp_path: Path) -> None:
    proto = tmp_path / "proto"
    (proto / "pcap" / "v1").mkdir(parents=True)
    program = proto / "annotate"
    program.write_bytes((REPOSITORY / "proto" / "annotate").read_bytes())
    program.chmod(0o755)
    (proto / "annotations.toml").write_text('imports = []\n["a.M"]\nno_such = ["x = 1"]\n')
    (proto / "a.proto").write_text('package a;\nimport "b";\nmessage M {\n  int32 one = 1;\n}\n')
    ended = subprocess.run([program, "a.proto"], capture_output=True, text=True)
    assert ended.returncode != 0 and "no_such" in ended.stderr
