"""channelz: who is connected, on a port of its own and only if it is asked for."""

from __future__ import annotations

import os
import socket

import grpc
import pytest
from emulator import demo
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc

from harness.calls import get
from harness.gateway import Gateway, StartGateway

# As tests/end_to_end/CMakeLists.txt builds it.
NAMES = os.environ.get("NAMES_LIBRARY", "")


def channelz_of(channel: grpc.Channel) -> channelz_pb2_grpc.ChannelzStub:
    return channelz_pb2_grpc.ChannelzStub(channel)


def test_it_tells_of_servers_sockets_and_calls(start_gateway: StartGateway) -> None:
    gateway = start_gateway("--channelz-listen=127.0.0.1:0")
    for _ in range(3):
        get(gateway.channel, demo.FULL_ID)
    address = gateway.process.stdout.wait_for(r"^pcap-gateway channelz on (\S+)$").group(1)
    with grpc.insecure_channel(address) as channel:
        stub = channelz_of(channel)
        servers = stub.GetServers(channelz_pb2.GetServersRequest(), timeout=20).server
        called = [server for server in servers if server.data.calls_succeeded >= 3]
        assert called, servers
        request = channelz_pb2.GetServerSocketsRequest(server_id=called[0].ref.server_id)
        assert stub.GetServerSockets(request, timeout=20).socket_ref


def test_it_is_at_every_address_of_its_name(start_gateway: StartGateway) -> None:
    gateway = start_gateway(
        "--channelz-listen=localhost:0",
        LD_PRELOAD=NAMES,
        NAMES_SEVERAL="localhost=127.0.0.1,127.0.0.2,::1",
        GRPC_DNS_RESOLVER="native",  # newer gRPC would ask c-ares, which knows nothing of the above
    )
    address = gateway.process.stdout.wait_for(r"^pcap-gateway channelz on (\S+)$").group(1)
    port = int(address.rpartition(":")[2])
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        socket.create_connection((host, port), timeout=20).close()


def test_the_main_port_has_none(start_gateway: StartGateway, gateway: Gateway) -> None:
    with_it = start_gateway("--channelz-listen=127.0.0.1:0")
    for one in (with_it, gateway):
        with pytest.raises(grpc.RpcError) as caught:
            channelz_of(one.channel).GetServers(channelz_pb2.GetServersRequest(), timeout=20)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "channelz" not in gateway.process.stdout.text()
