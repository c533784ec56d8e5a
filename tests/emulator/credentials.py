"""Who asks, and what they may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping

from emulator.refusal import Refusal

READ = "read"  # Cloudflare's permission "Magic Firewall Packet Captures - Read"
WRITE = "write"  # "Magic Firewall Packet Captures - Write"; allows reading, too


@dataclass(frozen=True)
class Principal:
    """A token, or a user with an email and a global key."""

    name: str
    rights: Mapping[str, frozenset[str]]  # by account
    token: str | None = None
    email: str | None = None
    key: str | None = None
    account: str | None = None  # that owns the token; None: a user does
    status: str = "active"  # of the token: "active", "disabled", "expired"

    def may(self, right: str, account_id: str) -> bool:
        rights = self.rights.get(account_id, frozenset())
        return right in rights or WRITE in rights


class Credentials:
    def __init__(self, principals: Iterable[Principal]) -> None:
        self._by_token: dict[str, Principal] = {}
        self._by_user: dict[tuple[str, str], Principal] = {}
        for principal in principals:
            self.add(principal)

    def add(self, principal: Principal) -> None:
        if principal.token is not None:
            self._by_token[principal.token] = principal
        if principal.email is not None and principal.key is not None:
            self._by_user[principal.email, principal.key] = principal

    def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Raises the Refusal that Cloudflare would answer with.

        ASSUMED: statuses and codes, taken from answers that people quoted in public; Cloudflare
        documents none of them.
        """
        authorization = headers.get("Authorization")
        email, key = headers.get("X-Auth-Email"), headers.get("X-Auth-Key")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or not token:
                raise Refusal(400, 6003, "Invalid request headers")
            principal = self._by_token.get(token)
        elif email is not None and key is not None:
            principal = self._by_user.get((email, key))
        else:
            raise Refusal(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers")
        if principal is None:
            raise Refusal(401, 10001, "Unable to authenticate request")
        return principal
