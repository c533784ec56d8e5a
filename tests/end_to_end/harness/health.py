"""grpc.health.v1, as a load balancer asks it."""

from __future__ import annotations

from typing import Iterator

from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.gateway import Gateway

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def check(gateway: Gateway, service: str) -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    status: int = health_pb2_grpc.HealthStub(gateway.channel).Check(request, timeout=20).status
    return status


def watch(gateway: Gateway, service: str) -> Iterator[int]:
    """The statuses as they change; the first one has come when this returns it."""
    request = health_pb2.HealthCheckRequest(service=service)
    for response in health_pb2_grpc.HealthStub(gateway.channel).Watch(request, timeout=30):
        yield response.status
