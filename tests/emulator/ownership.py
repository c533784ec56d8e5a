"""Buckets that full captures are written to, and the proof that they are the account's own."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Iterable, Literal

from emulator.times import format_time

Json = dict[str, Any]
Status = Literal["pending", "success", "failed"]

# A validation "can take five to ten minutes" (documentation, "Validate a bucket").
VALIDATION = timedelta(minutes=5)


def bucket_of(destination_conf: str) -> str:
    """s3://NAME, gs://NAME or r2://NAME: without the folder, the region, and R2's keys.

    ASSUMED: that ownership is of this; documented is that R2's keys are left out of a validation.
    """
    return re.split("[?#]|(?<=[^:/])/", destination_conf, maxsplit=1)[0]


@dataclass
class Ownership:
    account_id: str
    destination_conf: str
    created: datetime
    # What the file in the bucket says, which is the proof.
    challenge: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    proven: bool = False  # by the proof that came last
    proof_came: datetime | None = None

    def validate(self, proof: str, now: datetime) -> None:
        """The outcome is told later. ASSUMED: so is that of a wrong proof; and what has succeeded
        stays so, whatever proof comes."""
        if self.status_at(now) != "success":
            self.proven = secrets.compare_digest(proof.encode(), self.challenge.encode())
            self.proof_came = now

    def status_at(self, now: datetime) -> Status:
        if self.proof_came is None or now < self.proof_came + VALIDATION:
            return "pending"
        return "success" if self.proven else "failed"

    def to_json(self, now: datetime) -> Json:
        status = self.status_at(now)
        validated = ""  # as in the documented example of a pending one
        if status == "success" and self.proof_came is not None:
            validated = format_time(self.proof_came + VALIDATION)
        return {
            "id": self.id,
            "status": status,
            "submitted": format_time(self.created),
            "validated": validated,
            # ASSUMED: as it was given, R2's keys included.
            "destination_conf": self.destination_conf,
            "filename": f"ownership-challenge-{self.id}.txt",
        }


class Ownerships:
    """All buckets of all accounts."""

    def __init__(self, ownerships: Iterable[Ownership] = ()) -> None:
        self._all = list(ownerships)

    def add(self, ownership: Ownership) -> None:
        self._all.append(ownership)

    def remove(self, ownership: Ownership) -> None:
        self._all.remove(ownership)

    def find(self, account_id: str, ownership_id: str) -> Ownership | None:
        mine = self.of_account(account_id)
        return next((one for one in mine if one.id == ownership_id), None)

    def find_bucket(self, account_id: str, destination_conf: str) -> Ownership | None:
        bucket = bucket_of(destination_conf)
        mine = self.of_account(account_id)
        return next((one for one in mine if bucket_of(one.destination_conf) == bucket), None)

    def of_account(self, account_id: str) -> list[Ownership]:
        """Newest first. ASSUMED: the order."""
        return [one for one in reversed(self._all) if one.account_id == account_id]

    def all(self) -> list[Ownership]:
        return list(self._all)
