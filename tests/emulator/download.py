"""The answer that carries a capture file."""

from __future__ import annotations

from aiohttp import web

from emulator.ledger import Entry
from emulator.pcap_file import PcapFile


class Download(web.StreamResponse):
    """Sent piece by piece, as fast as the client takes it; until `send` a fault may take its place."""

    def __init__(self, file: PcapFile) -> None:
        super().__init__()
        # As the API reference names it.
        self.content_type = "application/vnd.tcpdump.pcap"
        self.content_length = file.size
        self.file = file

    async def send(self, request: web.Request, entry: Entry) -> None:
        await self.prepare(request)
        entry.body_bytes_sent = 0
        for piece in self.file.pieces():
            await self.write(piece)
            entry.body_bytes_sent += len(piece)
        await self.write_eof()
