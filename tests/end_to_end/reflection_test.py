"""A client that knows nothing of us can find out, by either version of reflection."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Iterator

import grpc
import pytest
from emulator import demo
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2 as messages

from harness.calls import DEADLINE_SECONDS
from harness.emulator import Emulator
from harness.gateway import Gateway
from harness.stubs import REPOSITORY

SERVICE = "pcap.v1.PcapService"
GRPCURL = Path(os.environ.get("GRPCURL", REPOSITORY / "build" / "tools" / "bin" / "grpcurl"))

# The messages of both versions are the same on the wire; only the service's name differs.
VERSIONS = pytest.mark.parametrize("version", ["v1", "v1alpha"])


class Reflection:
    def __init__(self, gateway: Gateway, version: str) -> None:
        self._stream = gateway.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=messages.ServerReflectionRequest.SerializeToString,
            response_deserializer=messages.ServerReflectionResponse.FromString,
        )

    def ask(
        self, *questions: messages.ServerReflectionRequest
    ) -> list[messages.ServerReflectionResponse]:
        """One stream; its answers in order."""
        return list(self._stream(iter(questions), timeout=DEADLINE_SECONDS))

    def services(self) -> list[str]:
        [answer] = self.ask(messages.ServerReflectionRequest(list_services="*"))
        return [service.name for service in answer.list_services_response.service]

    def files_with(self, symbol: str) -> list[descriptor_pb2.FileDescriptorProto]:
        """The file of `symbol`, and what it needs that did not come with it, asked for by name."""
        question = messages.ServerReflectionRequest(file_containing_symbol=symbol)
        wanted, files = [question], {}
        while wanted:
            [answer] = self.ask(wanted.pop())
            assert answer.HasField("file_descriptor_response"), answer
            for serialized in answer.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
                files[file.name] = file
            for file in list(files.values()):
                for name in file.dependency:
                    if name not in files and not wanted:
                        wanted.append(messages.ServerReflectionRequest(file_by_filename=name))
        return list(files.values())


@VERSIONS
def test_the_service_is_listed(gateway: Gateway, version: str) -> None:
    services = Reflection(gateway, version).services()
    assert SERVICE in services
    assert "grpc.health.v1.Health" in services


@VERSIONS
def test_a_client_can_call_by_reflection_alone(
    gateway: Gateway, emulator: Emulator, version: str
) -> None:
    pool = descriptor_pool.DescriptorPool()
    left = {f.name: f for f in Reflection(gateway, version).files_with(SERVICE)}

    def add(name: str) -> None:
        """What a file imports comes before it."""
        if (file := left.pop(name, None)) is not None:
            for dependency in file.dependency:
                add(dependency)
            pool.Add(file)

    for name in list(left):
        add(name)
    method = pool.FindServiceByName(SERVICE).methods_by_name["GetPcap"]
    request_type = message_factory.GetMessageClass(method.input_type)
    response_type = message_factory.GetMessageClass(method.output_type)
    call = gateway.channel.unary_unary(
        f"/{SERVICE}/GetPcap",
        request_serializer=request_type.SerializeToString,
        response_deserializer=response_type.FromString,
    )
    pcap_id = emulator.add()
    request = request_type(account_id=demo.ACCOUNT_ID, pcap_id=pcap_id)
    response = json_format.MessageToDict(call(request, timeout=DEADLINE_SECONDS))
    assert response["pcap"]["simple"]["id"] == pcap_id


@VERSIONS
@pytest.mark.parametrize(
    "question",
    [
        messages.ServerReflectionRequest(file_by_filename="no/such/file.proto"),
        messages.ServerReflectionRequest(file_containing_symbol="no.such.Symbol"),
        messages.ServerReflectionRequest(all_extension_numbers_of_type="no.such.Type"),
    ],
    ids=["file", "symbol", "type"],
)
def test_what_is_not_there_is_not_found(
    gateway: Gateway, version: str, question: messages.ServerReflectionRequest
) -> None:
    [answer] = Reflection(gateway, version).ask(question)
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@VERSIONS
def test_one_stream_answers_many_questions_in_order(gateway: Gateway, version: str) -> None:
    names = ["pcap/v1/pcap.proto", "no/such/file.proto", "pcap/v1/pcap_service.proto"]

    def questions() -> Iterator[messages.ServerReflectionRequest]:
        for name in names:
            yield messages.ServerReflectionRequest(file_by_filename=name)

    answers = Reflection(gateway, version).ask(*questions())
    assert [a.original_request.file_by_filename for a in answers] == names
    assert [a.HasField("error_response") for a in answers] == [False, True, False]


def grpcurl(*arguments: str) -> str:
    assert GRPCURL.exists(), (
        f"{GRPCURL} is not there. tests/run installs it; by hand: "
        "GOBIN=$PWD/build/tools/bin go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3, "
        "or set GRPCURL to a binary"
    )
    ended = subprocess.run(
        [GRPCURL, *arguments], capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_grpcurl_gets_a_capture(gateway: Gateway, emulator: Emulator) -> None:
    pcap_id = emulator.add()
    request = json.dumps({"account_id": demo.ACCOUNT_ID, "pcap_id": pcap_id})
    arguments = ["-plaintext", "-d", request, gateway.address, f"{SERVICE}/GetPcap"]
    assert json.loads(grpcurl(*arguments))["pcap"]["simple"]["id"] == pcap_id
    assert "cache-status: pcap-gateway; hit; " in grpcurl("-v", *arguments)


def test_grpcurl_describes_the_service(gateway: Gateway) -> None:
    assert SERVICE in grpcurl("-plaintext", gateway.address, "list").splitlines()
    assert "rpc GetPcap" in grpcurl("-plaintext", gateway.address, "describe", SERVICE)
