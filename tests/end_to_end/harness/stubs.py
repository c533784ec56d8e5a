"""Python code from our .proto files, made when the tests start, never committed.

Importing this module makes `pcap.v1` importable.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
_PROTOS = REPOSITORY / "proto"


def _generate() -> Path:
    """Returns the folder to import from."""
    files = sorted(_PROTOS.glob("pcap/v1/*.proto"))
    digest = hashlib.sha256(importlib.metadata.version("grpcio-tools").encode())
    for file in files:
        digest.update(file.read_bytes())
    made = REPOSITORY / "build" / "python-stubs" / digest.hexdigest()[:16]
    if made.exists():
        return made
    # Beside its place first, then moved: test files run as processes of their own, at once.
    made.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=made.parent))
    from grpc_tools import protoc

    well_known = Path(protoc.__file__).parent / "_proto"
    arguments = [f"-I{_PROTOS}", f"-I{well_known}", f"--python_out={unfinished}"]
    arguments += [f"--pyi_out={unfinished}", f"--grpc_python_out={unfinished}"]
    if protoc.main(["protoc", *arguments, *map(str, files)]) != 0:
        raise RuntimeError("protoc failed; see above")
    try:
        os.rename(unfinished, made)
    except OSError:
        if not made.exists():  # otherwise another process was faster
            raise
    return made


sys.path.insert(0, str(_generate()))

from pcap.v1 import (  # noqa: E402
    pcap_ownership_service_pb2,
    pcap_ownership_service_pb2_grpc,
    pcap_pb2,
    pcap_service_pb2,
    pcap_service_pb2_grpc,
)

__all__ = [
    "REPOSITORY",
    "pcap_ownership_service_pb2",
    "pcap_ownership_service_pb2_grpc",
    "pcap_pb2",
    "pcap_service_pb2",
    "pcap_service_pb2_grpc",
]
