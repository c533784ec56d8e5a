"""Every method that Cloudflare's SDKs have for packet captures and their buckets, called alike.

What comes back is in one set of terms, whatever the SDK: a capture is a Reading, a bucket a dict, a
file its bytes, a list a list of these, and nothing None.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from pathlib import Path
from typing import Any, Mapping, Protocol, Sequence

from cloudflare import AsyncCloudflare, BaseModel, DefaultAsyncHttpxClient
from cloudflare._resource import AsyncAPIResource, SyncAPIResource
from cloudflare.types.magic_transit.pcaps import Ownership
from emulator import demo

from harness.gateway import environment
from sdks import readings
from sdks.readers import GO_READER, python_sdk

# What there is to be done, and the methods that do it.
IN_PYTHON = {
    "create": ("create",),
    "get": ("get",),
    "list": ("list",),
    "stop": ("stop",),
    "download": ("download.get",),
    "add bucket": ("ownership.create",),
    "validate bucket": ("ownership.validate",),
    "list buckets": ("ownership.get",),
    "delete bucket": ("ownership.delete",),
}
IN_GO = {
    "create": ("New",),
    "get": ("Get",),
    "list": ("List", "ListAutoPaging"),
    "stop": ("Stop",),
    "download": ("Download.Get",),
    "add bucket": ("Ownership.New",),
    "validate bucket": ("Ownership.Validate",),
    "list buckets": ("Ownership.Get", "Ownership.GetAutoPaging"),
    "delete bucket": ("Ownership.Delete",),
}


class Methods(Protocol):
    @property
    def operations(self) -> Mapping[str, Sequence[str]]:
        """IN_PYTHON or IN_GO."""
        ...

    def there_are(self) -> set[str]:
        """The names of all methods, as the SDK itself has them."""
        ...

    def call(self, operation: str, method: str, id: str | None, fields: dict[str, Any]) -> Any:
        """`id`: of the capture or the bucket; `fields`: of the request's body."""
        ...


class Python:
    operations = IN_PYTHON

    def __init__(self, base_url: str) -> None:
        self._pcaps = python_sdk(base_url).magic_transit.pcaps

    def there_are(self) -> set[str]:
        return _methods_of(self._pcaps)

    def call(self, operation: str, method: str, id: str | None, fields: dict[str, Any]) -> Any:
        arguments = [] if id is None else [id]
        given = _find(self._pcaps, method)(*arguments, account_id=demo.ACCOUNT_ID, **fields)
        if operation.startswith("list"):
            return [_in_terms(one) for one in given]
        return given.read() if operation == "download" else _in_terms(given)


class AsyncPython:
    operations = IN_PYTHON

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def there_are(self) -> set[str]:
        return _methods_of(self._client().magic_transit.pcaps)

    def call(self, operation: str, method: str, id: str | None, fields: dict[str, Any]) -> Any:
        return asyncio.run(self._call(operation, method, id, fields))

    async def _call(
        self, operation: str, method: str, id: str | None, fields: dict[str, Any]
    ) -> Any:
        arguments = [] if id is None else [id]
        async with self._client() as client:
            called = _find(client.magic_transit.pcaps, method)(
                *arguments, account_id=demo.ACCOUNT_ID, **fields
            )
            if operation.startswith("list"):
                return [_in_terms(one) async for one in called]
            given = await called
            return await given.read() if operation == "download" else _in_terms(given)

    def _client(self) -> AsyncCloudflare:
        return AsyncCloudflare(
            api_token=demo.TOKEN,
            base_url=self._base_url,
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(trust_env=False),
        )


class Go:
    operations = IN_GO

    def __init__(self, base_url: str) -> None:
        settings = {"CLOUDFLARE_BASE_URL": base_url, "CLOUDFLARE_API_TOKEN": demo.TOKEN}
        self._environment = environment(Path("/nonexistent"), **settings)

    def there_are(self) -> set[str]:
        return set(self._ask("methods", ""))

    def call(self, operation: str, method: str, id: str | None, fields: dict[str, Any]) -> Any:
        wanted = {"Method": method, "Account": demo.ACCOUNT_ID, "ID": id or "", "Fields": fields}
        said = self._ask("calls", json.dumps(wanted))
        assert "error" not in said, said["error"]
        result = said["result"]
        match operation:
            case "create" | "get":
                return readings.of_go(result)
            case "list":
                return [readings.of_go(one) for one in result]
            case "download":
                return base64.b64decode(result)
            case "add bucket" | "validate bucket":
                return _bucket_of_go(result)
            case "list buckets":
                return [_bucket_of_go(one) for one in result]
            case _:
                assert result is None
                return None

    def _ask(self, what: str, line: str) -> Any:
        assert GO_READER.exists(), f"{GO_READER} is not there: run tests/install-tools"
        ended = subprocess.run(
            [GO_READER, what],
            input=line,
            capture_output=True,
            text=True,
            timeout=30,
            env=self._environment,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


def _methods_of(resource: SyncAPIResource | AsyncAPIResource) -> set[str]:
    """Without the variants that `with_raw_response` and `with_streaming_response` have of each."""
    found = set()
    for name in dir(type(resource)):
        if name.startswith(("_", "with_")):
            continue
        member = getattr(resource, name)
        if isinstance(member, (SyncAPIResource, AsyncAPIResource)):
            found |= {f"{name}.{inner}" for inner in _methods_of(member)}
        elif callable(member):
            found.add(name)
    return found


def _find(resource: Any, name: str) -> Any:
    for part in name.split("."):
        resource = getattr(resource, part)
    return resource


def _in_terms(given: BaseModel | None) -> Any:
    if given is None:
        return None
    return given.to_dict() if isinstance(given, Ownership) else readings.of_python(given)


def _bucket_of_go(read: dict[str, Any]) -> dict[str, Any]:
    assert not read["extra"], read
    fields = read["fields"].items()
    return {name: told["value"] for name, told in fields if told["state"] == "valid"}
