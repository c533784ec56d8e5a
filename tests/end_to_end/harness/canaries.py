"""Secrets that stand out, and the search for them in whatever a program lets out."""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse

TOKEN = "canary-token-7d1f0a9be4c2"
EMAIL = "canary-mail-55c1@example.com"
KEY = "canarykey31d9fe07aa8842"
KEY_ID = "canaryaccesskeyid90215e"
BUCKET_SECRET = "canarybucketsecret4be6c0d1"
REDIS_PASSWORD = "canary-redis-password-8e21"
CANARIES = (TOKEN, EMAIL, KEY, KEY_ID, BUCKET_SECRET, REDIS_PASSWORD)
DESTINATION = f"r2://b?account-id=a&access-key-id={KEY_ID}&secret-access-key={BUCKET_SECRET}"


def _forms(text: bytes) -> list[bytes]:
    """The text, and what it says once percent, base64 or hex is undone."""
    found = [text, urllib.parse.unquote_to_bytes(text)]
    for run in re.findall(rb"[A-Za-z0-9+/_-]{16,}", text):
        for start in range(4):  # a run may begin before what was encoded
            part = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            found.append(base64.b64decode(part[: len(part) // 4 * 4]))
    for run in re.findall(rb"[0-9A-Fa-f]{16,}", text):
        for start in range(2):
            part = run[start:]
            found.append(binascii.unhexlify(part[: len(part) // 2 * 2]))
    return found


def told(text: bytes | str) -> list[str]:
    """Those of CANARIES that the text gives away, plain or encoded, in any case."""
    forms = [form.lower() for form in _forms(text.encode() if isinstance(text, str) else text)]
    return [c for c in CANARIES if any(c.encode().lower() in form for form in forms)]
