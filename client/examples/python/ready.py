import sys

import grpc
from pcap.v1 import pcap_pb2, pcap_service_pb2, pcap_service_pb2_grpc

gateway, pcap_id = sys.argv[1:]
client = pcap_service_pb2_grpc.PcapServiceStub(grpc.insecure_channel(gateway))
pcap = client.GetPcap(pcap_service_pb2.GetPcapRequest(pcap_id=pcap_id), timeout=10).pcap
is_ready = pcap.simple.status == pcap_pb2.PCAP_STATUS_SUCCESS or pcap.full.status == pcap_pb2.PCAP_STATUS_COMPLETE
print("ready" if is_ready else "not ready")
