"""The shape that all of Cloudflare's JSON answers have: errors, messages, result, success."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from emulator.refusal import Refusal


def success(result: Any) -> web.Response:
    return _response(200, {"success": True, "errors": [], "messages": [], "result": result})


def failure(refusal: Refusal) -> web.Response:
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.pointer is not None:
        error["source"] = {"pointer": refusal.pointer}
    body = {"success": False, "errors": [error], "messages": [], "result": None}
    response = _response(refusal.status, body)
    if refusal.retry_after_seconds is not None:
        response.headers["retry-after"] = str(refusal.retry_after_seconds)
    return response


def _response(status: int, body: Any) -> web.Response:
    # Not web.json_response: that says `charset=utf-8`, which Cloudflare does not.
    return web.Response(
        status=status, body=json.dumps(body).encode(), content_type="application/json"
    )
