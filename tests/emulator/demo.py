"""What the emulator starts with: who may ask, and which captures there are.

The ids stand here and nowhere else; deploy/run reads them through `main.py --print-demo`, tests
import them. Only the standard library is needed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from emulator.captures import Capture, Captures, FixedCapture, LivingCapture
from emulator.credentials import READ, WRITE, Credentials, Principal
from emulator.ownership import Ownership, Ownerships
from emulator.times import format_time

# The account and the simple capture have the ids of Cloudflare's own documentation examples.
ACCOUNT_ID = "023e105f4ecef8ad9ca31a8372d0c353"
OTHER_ACCOUNT_ID = "9a7806061c88ada191ed06f989cc3dac"

# None of these opens anything but an emulator.
TOKEN = "emulator-demo-token-that-opens-nothing-"  # may read and write captures of ACCOUNT_ID
SECOND_TOKEN = "emulator-second-token-with-same-rights-"  # the same rights, another secret
READ_TOKEN = "emulator-token-that-may-only-read------"
NO_RIGHTS_TOKEN = "emulator-token-without-any-permission--"  # valid, but not for captures
OTHER_TOKEN = "emulator-token-of-the-other-account----"  # for OTHER_ACCOUNT_ID alone
EMAIL = "demo@example.com"
KEY = "emulatordemokeythatopensnothing000000"

SIMPLE_ID = "66802ca5668e47a2b82c2e6746e45037"  # success
FULL_ID = "7d7c88382f2b4a2b9f1b8f0fa6d1d7a1"  # complete
RUNNING_ID = "1f0e9d8c7b6a49588776655443322110"  # full, moves on: running, converted, complete
PENDING_ID = "2b4a2b9f1b8f0fa6d1d7a17d7c88382f"  # simple, stays pending
FAILED_ID = "35b1d2c3a4f54e6d8c7b6a5949382716"  # full, with an error_message
ODD_ID = "0ddba11c0ffee0ddba11c0ffee0ddba1"  # nothing in it is as documented
OTHER_ACCOUNTS_ID = "4c4b4a4948474645444342414f3e3d3c"  # a simple one of OTHER_ACCOUNT_ID

# The secrets inside the full capture's destination_conf: made up, and meant to be looked for.
DESTINATION_ACCESS_KEY_ID = "emulatoraccesskeyid0000000000001"
DESTINATION_SECRET_ACCESS_KEY = "emulatorsecretaccesskey000000000000000000000000000000000000002"
DESTINATION_CONF = (
    f"r2://captures?account-id={ACCOUNT_ID}"
    f"&access-key-id={DESTINATION_ACCESS_KEY_ID}"
    f"&secret-access-key={DESTINATION_SECRET_ACCESS_KEY}"
)

# A bucket that full captures can be written to, and one whose ownership is not proven yet.
BUCKET = "s3://captures?region=us-east-1"
NEW_BUCKET = "gs://captures-new/here"
# What the file in the new bucket says.
OWNERSHIP_CHALLENGE = "emulatorownershipchallenge0000000000000000000000000000003"

R2_OWNERSHIP_ID = "9883874ecac311ec8475433579a6bf5f"  # success; of DESTINATION_CONF, keys included
OWNERSHIP_ID = "9a993aa6c58711ec89d3037647342e63"  # success; of BUCKET
NEW_OWNERSHIP_ID = "cc20c2d6c62e11ecbe646b173af3b6b9"  # pending; of NEW_BUCKET
FAILED_OWNERSHIP_ID = "5e1f0a9b8c7d46e5a4b3c2d1e0f9a8b7"  # failed

# Whatever must never turn up where it does not belong.
SECRETS = (
    TOKEN,
    SECOND_TOKEN,
    READ_TOKEN,
    NO_RIGHTS_TOKEN,
    OTHER_TOKEN,
    KEY,
    DESTINATION_ACCESS_KEY_ID,
    DESTINATION_SECRET_ACCESS_KEY,
    OWNERSHIP_CHALLENGE,
)

FILTER = {
    "source_address": "1.2.3.4",
    "source_port": 123,
    "destination_address": "5.6.7.8",
    "destination_port": 80,
    "protocol": 6,
}


def credentials() -> Credentials:
    both = frozenset({READ, WRITE})
    return Credentials(
        [
            Principal("demo", token=TOKEN, rights={ACCOUNT_ID: both}),
            Principal("second", token=SECOND_TOKEN, rights={ACCOUNT_ID: both}),
            Principal("reader", token=READ_TOKEN, rights={ACCOUNT_ID: frozenset({READ})}),
            Principal("no rights", token=NO_RIGHTS_TOKEN, rights={}),
            Principal("other", token=OTHER_TOKEN, rights={OTHER_ACCOUNT_ID: both}),
            Principal("user", email=EMAIL, key=KEY, rights={ACCOUNT_ID: both}),
        ]
    )


def captures(now: datetime) -> Captures:
    """The captures, as old as they would be at `now`."""
    return Captures(_captures_of_the_demo_account(now) + [_capture_of_the_other_account(now)])


def _captures_of_the_demo_account(now: datetime) -> list[Capture]:
    return [
        LivingCapture(
            id=SIMPLE_ID,
            account_id=ACCOUNT_ID,
            created=now - timedelta(minutes=30),
            kind="simple",
            time_limit=300,
            packet_limit=10000,
            filter_v1=FILTER,
            offset_time=format_time(now - timedelta(hours=1)),
        ),
        LivingCapture(
            id=FULL_ID,
            account_id=ACCOUNT_ID,
            created=now - timedelta(hours=2),
            kind="full",
            time_limit=120,
            byte_limit=100_000_000,
            colo_name="ord02",
            destination_conf=DESTINATION_CONF,
            filter_v1=FILTER,
        ),
        LivingCapture(
            id=RUNNING_ID,
            account_id=ACCOUNT_ID,
            created=now - timedelta(seconds=30),
            kind="full",
            time_limit=300,
            byte_limit=1_000_000_000,
            colo_name="ORD",
            destination_conf="s3://captures/running?region=us-east-1",
            filter_v1={},
        ),
        LivingCapture(
            id=FAILED_ID,
            account_id=ACCOUNT_ID,
            created=now - timedelta(hours=3),
            kind="full",
            time_limit=60,
            colo_name="ord02",
            destination_conf="gs://captures/failed",
            failure="the bucket could not be written to",
        ),
        # A living one would be done within a second, so this one is fixed.
        FixedCapture(
            id=PENDING_ID,
            account_id=ACCOUNT_ID,
            created=now - timedelta(minutes=5),
            fields={
                "id": PENDING_ID,
                "type": "simple",
                "status": "pending",
                "system": "magic-transit",
                "submitted": format_time(now - timedelta(minutes=5)),
                "time_limit": 300,
                "filter_v1": {},
            },
        ),
        # Drift as other users of Cloudflare's API have met it: an unknown status, names nobody
        # knows, numbers as text, a fraction where a whole number belongs, a date without a time,
        # and no `type`; only `byte_limit` tells the form.
        FixedCapture(
            id=ODD_ID,
            account_id=ACCOUNT_ID,
            created=now - timedelta(hours=4),
            fields={
                "id": ODD_ID,
                "status": "teleporting",
                "system": "magic-carpet",
                "submitted": "2020-13-45",
                "time_limit": "300",
                "byte_limit": 9007199254740993,
                "packets_captured": 1.5,
                "colo_name": "",
                "error_message": None,
                "filter_v1": {"destination_port": 4294967296, "protocol": -1, "vlan": 7},
                "sampling": {"rate": 0.25, "tags": ["a", None, True]},
                "huge": 123456789012345678901234567890,
            },
        ),
    ]


def _capture_of_the_other_account(now: datetime) -> Capture:
    return LivingCapture(
        id=OTHER_ACCOUNTS_ID,
        account_id=OTHER_ACCOUNT_ID,
        created=now - timedelta(minutes=10),
        kind="simple",
        time_limit=10,
        packet_limit=100,
        filter_v1={},
    )


def ownerships(now: datetime) -> Ownerships:
    """The buckets, as long added as they would be at `now`; those of the demo account."""

    def long_ago(ownership_id: str, destination_conf: str, proven: bool) -> Ownership:
        added = now - timedelta(days=30)
        came = added + timedelta(minutes=1)
        return Ownership(
            ACCOUNT_ID, destination_conf, added, id=ownership_id, proven=proven, proof_came=came
        )

    return Ownerships(
        [
            long_ago(R2_OWNERSHIP_ID, DESTINATION_CONF, proven=True),
            long_ago(OWNERSHIP_ID, BUCKET, proven=True),
            long_ago(FAILED_OWNERSHIP_ID, "gs://captures", proven=False),
            Ownership(
                ACCOUNT_ID,
                NEW_BUCKET,
                now - timedelta(minutes=2),
                id=NEW_OWNERSHIP_ID,
                challenge=OWNERSHIP_CHALLENGE,
            ),
        ]
    )


def names() -> dict[str, str]:
    """What a script needs to know to ask for the demo captures, and to make some."""
    return {
        "ACCOUNT_ID": ACCOUNT_ID,
        "TOKEN": TOKEN,
        "EMAIL": EMAIL,
        "KEY": KEY,
        "FULL_ID": FULL_ID,
        "SIMPLE_ID": SIMPLE_ID,
        "RUNNING_ID": RUNNING_ID,
        "PENDING_ID": PENDING_ID,
        "FAILED_ID": FAILED_ID,
        "ODD_ID": ODD_ID,
        "BUCKET": BUCKET,
        "NEW_BUCKET": NEW_BUCKET,
        "OWNERSHIP_CHALLENGE": OWNERSHIP_CHALLENGE,
    }
