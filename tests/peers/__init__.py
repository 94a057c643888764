"""Programs of third parties as the other end of a test, and what they need: a network of their own, a capture."""

from __future__ import annotations

from tests.peers.application import Agent, Application, Report, Word
from tests.peers.capture import Capture, capture
from tests.peers.dissection import Endpoint, Segment, ShownPdu, dissect
from tests.peers.namespace import Namespace, network_namespace
from tests.peers.ndmjob import NdmjobDaemon, formatter, ndmjob_daemon
from tests.peers.postgresql import Cluster, postgresql_cluster
from tests.peers.requirements import require_peer
from tests.peers.wire_report import WireReport, every_byte_dissected

__all__ = [
    "Agent",
    "Application",
    "Capture",
    "Cluster",
    "Endpoint",
    "Namespace",
    "NdmjobDaemon",
    "Report",
    "Segment",
    "ShownPdu",
    "WireReport",
    "Word",
    "capture",
    "dissect",
    "every_byte_dissected",
    "formatter",
    "ndmjob_daemon",
    "network_namespace",
    "postgresql_cluster",
    "require_peer",
]
