"""Peers that vanish without a word are noticed, and peers that only take nothing for a while are not given up."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

from tests.interop.vanishing import LIMIT
from tests.peers import network_namespace, require_peer

GONE = [(kind, manner, "gone") for kind in ("plain", "tls") for manner in ("waiting", "sending", "full")]
THERE = [(kind, manner, "there") for kind in ("plain", "tls") for manner in ("waiting", "full")]


def test_a_data_connection_tells_a_vanished_peer_from_a_slow_one() -> None:
    require_peer("ip")
    with ExitStack() as stack:
        running = {}
        for case in (*GONE, *THERE):
            namespace = stack.enter_context(network_namespace())
            command = [sys.executable, "-m", "tests.interop.vanishing", *case]
            running[case] = namespace.popen(command, stdout=subprocess.PIPE)
        told = {case: program.communicate(timeout=60)[0].decode() for case, program in running.items()}
    for case in GONE:
        seconds, _, reason = told[case].partition(" ")
        assert LIMIT / 2 < float(seconds) < 2 * LIMIT, (case, told[case])
        assert "[Errno " in reason
    assert {told[case] for case in THERE} == {"alive\n"}
