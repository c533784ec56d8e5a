"""docs/coming-from-an-sdk.md is true: its code runs as it stands, and its tables are what happens.

The tables of differences are held by sdk_differential_test.py and sdk_errors_test.py, which count.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import types
import typing
from pathlib import Path

import pytest
from cloudflare.types.magic_transit import PCAP, PCAPFilter
from cloudflare.types.magic_transit.pcap_get_response import MagicVisibilityPCAPsPCAPsResponseFull
from emulator import demo
from google.protobuf.descriptor import FieldDescriptor

from harness.emulator import Emulator
from harness.gateway import Gateway, environment
from harness.stubs import REPOSITORY, pcap_ownership_service_pb2, pcap_pb2, pcap_service_pb2
from sdks import methods, page
from sdks.error_table import NONE, ROWS
from sdks.readers import GO_READER

PCAPCTL = Path(os.environ.get("PCAPCTL_BINARY", REPOSITORY / "build" / "client" / "pcapctl"))
TOOLS = REPOSITORY / "build" / "tools" / "bin"


def command(kind: str, folder: Path) -> list[str | Path]:
    """What runs a program of the page."""
    if kind.startswith("go"):
        return [TOOLS / f"page-{kind}"]
    file = folder / f"{kind}.py"
    file.write_text(page.program(kind))
    return [sys.executable, file]


@pytest.mark.parametrize("kind", page.PROGRAMS)
def test_the_code_runs_as_it_stands(
    gateway: Gateway, caller_gateway: Gateway, emulator: Emulator, tmp_path: Path, kind: str
) -> None:
    if kind.startswith("go"):
        # install-tools compiles it again when the page has changed.
        made_of = (TOOLS / "cloudflare-go-source").read_text()
        assert page.program(kind) in made_of, "the page has changed: run tests/install-tools"
    busy = emulator.add()
    emulator.fault(busy, "answer", status=429, body="{}", headers={"Retry-After": "17"})
    settings = {
        "CLOUDFLARE_API_TOKEN": demo.TOKEN,
        "CLOUDFLARE_BASE_URL": emulator.url,
        "PCAP_GATEWAY": gateway.address,
        "PCAP_GATEWAY_OF_TENANTS": caller_gateway.address,
        "PYTHONPATH": str(Path(pcap_pb2.__file__).parents[2]),
        "ACCOUNT_ID": demo.ACCOUNT_ID,
        "PCAP_ID": demo.FULL_ID,
        "NEW_ID": emulator.add(sampling=0.25),
        "MISSING_ID": emulator.unknown_id(),
        "BUSY_ID": busy,
    }
    ended = subprocess.run(
        command(kind, tmp_path),
        env=environment(tmp_path, **settings),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    [wanted] = page.blocks("text")
    assert ended.stdout == wanted


def test_the_table_of_errors_is_the_one_that_holds() -> None:
    shown = [row[:-1] for row in page.rows("Error by error")]
    wanted = []
    for row in ROWS:
        in_go, in_python = (f"`{name}`" if name != NONE else "–" for name in (row.go, row.python))
        details = ", ".join(f"`{name}`" for name in row.details)
        wanted.append([row.cause, in_go, in_python, row.code, f"`{row.reason}`", details])
    assert shown == wanted


def test_the_table_of_methods_has_each_and_names_what_there_is() -> None:
    def named(cell: str) -> list[str]:
        return re.findall("`(.+?)`", cell)

    shown = {row[0]: row[1:] for row in page.rows("Every method")}
    of_sdks = {name: cells for name, cells in shown.items() if cells[0] != "–"}
    assert {name: named(cells[0]) for name, cells in of_sdks.items()} == {
        name: list(called) for name, called in methods.IN_GO.items()
    }
    assert {name: named(cells[1]) for name, cells in of_sdks.items()} == {
        name: list(called) for name, called in methods.IN_PYTHON.items()
    }
    services = {
        **pcap_service_pb2.DESCRIPTOR.services_by_name,
        **pcap_ownership_service_pb2.DESCRIPTOR.services_by_name,
    }
    there_are = {f"{name}/{rpc}" for name, of in services.items() for rpc in of.methods_by_name}
    assert {rpc for cells in shown.values() for rpc in named(cells[2])} == there_are
    for command in (command for cells in shown.values() for command in named(cells[3])):
        asked = [PCAPCTL, *command.split(), "--help"]
        usage = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert f"Usage: pcapctl {command} " in usage


def test_the_versions_are_those_that_are_tested() -> None:
    text = page.whole()
    module = (REPOSITORY / "tests" / "cloudflare_go" / "go.mod").read_text()
    in_go = re.search(r"cloudflare-go/v7 (v\S+)", module)
    assert in_go is not None
    in_python = importlib.metadata.version("cloudflare")
    assert f"Here is {in_go[1]} of the one and {in_python} of the other" in text


def test_the_types_of_the_fields_are_those_of_the_packages() -> None:
    printed = subprocess.run([GO_READER, "types"], capture_output=True, text=True, check=True)
    in_go = json.loads(printed.stdout)
    shown = {
        row[0].strip("`"): [cell.strip("`") for cell in row[1:]]
        for row in page.rows("Field by field")
    }
    assert set(shown) == set(in_go)
    for name, cells in shown.items():
        if name == "type":
            in_gateway = "the arm of form"
        else:
            in_gateway = _proto_type(name)
        assert cells[0] == in_go[name], name
        assert cells[1] == _python_type(name), name
        assert cells[2].replace("`", "") == in_gateway, name


def _python_type(name: str) -> str:
    """Without Optional; the texts of a Literal are str."""
    if name.startswith("filter_v1."):
        fields = PCAPFilter.model_fields
    else:
        fields = {**MagicVisibilityPCAPsPCAPsResponseFull.model_fields, **PCAP.model_fields}
    told = fields[name.removeprefix("filter_v1.")].annotation
    [inner] = [one for one in typing.get_args(told) if one is not types.NoneType]
    return "str" if typing.get_origin(inner) is typing.Literal else str(inner.__name__)


_SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT32: "uint32",
}


def _proto_type(name: str) -> str:
    if name.startswith("filter_v1."):
        field = pcap_pb2.PcapFilter.DESCRIPTOR.fields_by_name[name.removeprefix("filter_v1.")]
    else:
        forms = (pcap_pb2.FullPcap.DESCRIPTOR, pcap_pb2.SimplePcap.DESCRIPTOR)
        field = next(f.fields_by_name[name] for f in forms if name in f.fields_by_name)
    kind = field.message_type or field.enum_type
    return str(kind.name) if kind is not None else _SCALARS[field.type]
