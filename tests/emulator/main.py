"""Runs the emulator until it is ended.

build/venv/bin/python tests/emulator/main.py                   prints its base URL, then serves
build/venv/bin/python tests/emulator/main.py --print-demo      NAME=VALUE lines for a shell
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import signal
import ssl
import sys
from datetime import datetime
from pathlib import Path

# Run as a program, the package's own folder is on the path instead of the one that it lies in.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from emulator import demo  # noqa: E402
from emulator.clock import Clock  # noqa: E402
from emulator.listening import listening_sockets  # noqa: E402

BASE_PATH = "/client/v4"
CONTROL_PATH = "/__control"


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="emulator",
        description="A stand-in for Cloudflare's packet capture API.",
        epilog="Beside the API there is a control door, /__control: faults, what came, the time, and "
        "what lies in the buckets (GET /__control/challenges). tests/emulator/control.py has all.",
    )
    parser.add_argument(
        "--listen",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="port 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument("--tls-cert", metavar="FILE", help="PEM; with --tls-key: serve https")
    parser.add_argument("--tls-key", metavar="FILE")
    parser.add_argument(
        "--time",
        type=datetime.fromisoformat,
        metavar="RFC3339",
        help="what time it is at the start (default: the machine's)",
    )
    parser.add_argument(
        "--frozen", action="store_true", help="time moves only through the control door"
    )
    parser.add_argument(
        "--speed",
        type=float,
        default=1,
        metavar="N",
        help="time goes N times as fast as the machine's",
    )
    parser.add_argument(
        "--captures",
        type=Path,
        metavar="FILE",
        help="JSON: [{account_id, pcap_id, capture}, …], as /__control/captures takes them; there "
        "from the first request on",
    )
    parser.add_argument(
        "--rate-limit",
        nargs="?",
        const=1200,
        type=int,
        metavar="REQUESTS",
        help="hold a limit from the first request on: so many in five minutes, then a block of five "
        "minutes (with no number: %(const)s, as Cloudflare)",
    )
    parser.add_argument(
        "--print-demo",
        nargs="?",
        const="shell",
        choices=("shell", "json"),
        help="print the demo's ids and credentials, and end",
    )
    options = parser.parse_args(arguments)
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("--tls-cert and --tls-key go together")
    return options


def print_demo(form: str) -> None:
    if form == "json":
        print(json.dumps(demo.names(), indent=2))
        return
    for name, value in demo.names().items():
        print(f"{name}={shlex.quote(value)}")


async def serve(options: argparse.Namespace) -> None:
    # Here, so that --print-demo works without aiohttp.
    from aiohttp import web

    from emulator.api import World, api
    from emulator.captures import FixedCapture
    from emulator.control import control
    from emulator.faults import Faults
    from emulator.ledger import Ledger
    from emulator.rate_rule import RateLimit, RateRule

    clock = Clock(options.time, options.frozen, options.speed)
    captures = demo.captures(clock.now())
    if options.captures is not None:
        for named in json.loads(options.captures.read_text()):
            captures.add(
                FixedCapture(named["pcap_id"], named["account_id"], clock.now(), named["capture"])
            )
    world = World(
        clock=clock,
        captures=captures,
        ownerships=demo.ownerships(clock.now()),
        credentials=demo.credentials(),
        rate_rule=RateRule(None if options.rate_limit is None else RateLimit(options.rate_limit)),
        faults=Faults(),
        ledger=Ledger(),
    )
    app = web.Application(client_max_size=64 << 20)  # faults carry whole bodies
    app.add_subapp(BASE_PATH, api(world))
    app.add_subapp(CONTROL_PATH, control(world))

    tls = None
    if options.tls_cert is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.tls_cert, options.tls_key)
    host = options.listen.rpartition(":")[0]
    sockets = listening_sockets(options.listen)
    # Cancelling a handler whose client went away is what lets the ledger know of it.
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    for one in sockets:
        await web.SockSite(runner, one, ssl_context=tls, backlog=1024).start()
    taken = runner.addresses[0][1]
    print(f"{'http' if tls is None else 'https'}://{host}:{taken}{BASE_PATH}", flush=True)

    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    world.faults.clear()
    await runner.cleanup()


def main() -> None:
    options = parse_arguments(sys.argv[1:])
    if options.print_demo is not None:
        print_demo(options.print_demo)
    else:
        asyncio.run(serve(options))


if __name__ == "__main__":
    main()
