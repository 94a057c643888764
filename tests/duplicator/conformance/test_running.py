"""How the suite behaves: hosts that hang, die or lack things; what it may do; what it writes down."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from duplicator.adapters import VirtualTapeBackend
from duplicator.conformance import CHECKS, Outcome, Permissions, ProbeFailed, Report, Target, Verdict, run_suite
from duplicator.conformance.checks.states import DATA_TABLE, MOVER_TABLE, cells
from duplicator.conformance.peer import Peer
from duplicator.conformance.reports.baseline import BaselineError, compare, read_baseline
from duplicator.conformance.reports.documents import report_document
from duplicator.conformance.reports.junit import junit_text
from duplicator.conformance.reports.page import page_text
from duplicator.credentials import Secret
from duplicator.plan import Place
from duplicator.urls import NdmpUrl
from ndmp.backends import Host
from ndmp.enums import DataState, Error, MoverState
from ndmp.services.mover import MoverService
from ndmp.services.session import Session
from ndmp.services.tape import TapeService
from ndmp.states import DATA, MOVER
from ndmp.types import TcpAddress
from tests.duplicator.conformance.hosts import SECRET, Ground, chosen, describe, failed, run
from tests.duplicator.conformance.mutation import forgets, instead
from tests.duplicator.processes import SECRET as SITE_SECRET
from tests.duplicator.processes import USER as SITE_USER
from tests.duplicator.processes import site_in


def bare(host: Host) -> Host:
    """Neither tapes nor changers nor files."""
    return dataclasses.replace(host, tapes={}, changers={}, data=None)


def ours(ground: Ground, allow: Callable[[Permissions], Permissions], *checks: str) -> Report:
    async def story() -> Report:
        async with ground.serving() as target:
            allowed = dataclasses.replace(target, permissions=allow(target.permissions))
            return await run_suite(allowed, chosen(*checks) if checks else CHECKS)

    return asyncio.run(story())


# -- what it may do --------------------------------------------------------------------------------------------------


def test_without_a_name_no_tape_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VirtualTapeBackend, "open", lambda *_: pytest.fail("a tape was opened"))
    report = ours(Ground(tmp_path), lambda _: Permissions())
    assert describe(report) == []
    assert report.counts()[Verdict.PASSED] > 200


def test_without_scratch_nothing_is_written(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    run(ground, chosen("blocks.order"))
    before = {path: path.read_bytes() for path in tmp_path.glob("A*")}
    report = ours(ground, lambda allowed: Permissions(tape=allowed.tape, scsi=allowed.scsi))
    assert describe(report) == []
    assert report.counts()[Verdict.PASSED] > 400
    assert {path: path.read_bytes() for path in tmp_path.glob("A*")} == before


def test_what_a_host_does_not_have_is_to_be_refused(tmp_path: Path) -> None:
    report = asyncio.run(bare_report(Ground(tmp_path)))
    assert describe(report) == []
    assert {o.verdict for o in report.outcomes if o.check.id.startswith("absent.")} == {Verdict.PASSED}
    assert {o.verdict for o in report.outcomes if o.check.id.startswith("mover.")} == {Verdict.NOT_OFFERED}


async def bare_report(ground: Ground) -> Report:
    async with ground.serving(bare) as target:
        return await run_suite(dataclasses.replace(target, permissions=Permissions()), CHECKS)


# -- hosts that misbehave --------------------------------------------------------------------------------------------


def test_a_hang_costs_one_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> Report:
        async with Ground(tmp_path).serving() as target:
            return await run_suite(dataclasses.replace(target, deadline=1.0), chosen("unknown.0xb00", "connect.open"))

    forgets(Session, "_refuse_by_header")(monkeypatch)
    report = asyncio.run(story())
    (hung,) = failed(report).values()
    assert hung.verdict is Verdict.FAILED
    assert "nothing within 1 s" in hung.came
    assert 1.0 <= hung.seconds < 2.0
    assert report.counts()[Verdict.PASSED] == 6


def test_a_host_that_died_is_said_to_have_died(tmp_path: Path) -> None:
    with site_in(tmp_path) as site:
        host = site.serve("--tape", f"t=virtual:{tmp_path}/A1")
        there = Place(NdmpUrl(SITE_USER, "127.0.0.1", host.port), Secret(SITE_SECRET))
        target = Target(there, deadline=0.5)
        seen: list[Outcome] = []

        def watch(outcome: Outcome) -> None:
            seen.append(outcome)
            if len(seen) == 3:
                host.kill()

        checks = chosen("connect.greeting")
        report = asyncio.run(run_suite(target, checks, watcher=watch))
    verdicts = [outcome.verdict for outcome in report.outcomes]
    assert verdicts == [Verdict.PASSED, Verdict.PASSED, Verdict.DIED, Verdict.NOT_RUN, Verdict.NOT_RUN]
    assert not report.is_conforming


def test_set_ups_that_fail_are_no_failures_of_what_follows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MoverService, "_set_window", lambda *_: 1 / 0)
    report = run(Ground(tmp_path), chosen("mover.listen.state"))
    (blocked,) = failed(report).values()
    assert blocked.verdict is Verdict.BLOCKED
    assert "UNDEFINED" in blocked.came
    assert not report.is_conforming, "a MUST that could not be tried is not proven"


def test_a_host_that_cannot_be_tested_is_refused_in_words(tmp_path: Path) -> None:
    async def story() -> None:
        async with Ground(tmp_path).serving() as target:
            stranger = dataclasses.replace(target.place, url=dataclasses.replace(target.place.url, user="eve"))
            with pytest.raises(ProbeFailed, match="no login as 'eve'"):
                await run_suite(dataclasses.replace(target, place=stranger), CHECKS)
            absent = dataclasses.replace(target, permissions=Permissions(tape="none"))
            with pytest.raises(ProbeFailed, match="tape 'none' does not open: NO_DEVICE"):
                await run_suite(absent, CHECKS)
        with pytest.raises(ProbeFailed, match="no connection"):
            await run_suite(target, CHECKS)

    asyncio.run(story())


# -- what is written down --------------------------------------------------------------------------------------------


@pytest.fixture
def deviating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """A host that calls a drive that is not there broken."""
    instead(TapeService, "_open", {Error.NO_DEVICE: Error.IO})(monkeypatch)
    return run(Ground(tmp_path), chosen("tape.open", "absent.TAPE_OPEN"))


def test_json_and_the_comparison_with_an_earlier_run(deviating: Report, tmp_path: Path) -> None:
    document = json.loads(json.dumps(report_document(deviating)))
    (row,) = [row for row in document["checks"] if row["verdict"] == "failed"]
    assert (row["id"], row["section"], row["level"]) == ("tape.open.nothing", "3.4.2", "MUST")
    assert (row["expected"], row["came"]) == ("NO_DEVICE(16)", "IO(7)")
    assert [entry["direction"] for entry in row["transcript"]][-2:] == ["sent", "came"]
    assert document["conforming"] is False
    assert document["counts"]["MUST"] == {"passed": 5, "failed": 1, "not offered": 1}
    path = tmp_path / "before.json"
    path.write_text(json.dumps(document))
    assert compare(deviating, read_baseline(path)).document() == {"worse": [], "better": [], "new": [], "gone": []}
    row["verdict"] = "passed"
    document["checks"][2]["verdict"] = "failed"
    document["checks"].append({"id": "gone", "verdict": "passed"})
    path.write_text(json.dumps(document))
    compared = compare(deviating, read_baseline(path))
    assert compared.worse == ("tape.open.nothing",)
    assert compared.better == (document["checks"][2]["id"],)
    assert compared.gone == ("gone",)
    path.write_text("{}")
    with pytest.raises(BaselineError, match="is no run"):
        read_baseline(path)


def test_junit(deviating: Report) -> None:
    suites = Xml.fromstring(junit_text(deviating))
    (suite,) = [each for each in suites if each.get("name") == "tape"]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "1", "0")
    (failure,) = suite.iter("failure")
    assert failure.get("message") == "MUST of section 3.4.2, failed: expected NO_DEVICE(16); IO(7)"
    assert "TAPE_OPEN" in (failure.text or "")
    (skipped,) = suites.iter("skipped")
    assert "has a tape service" in (skipped.get("message") or "")


def test_the_page_shows_both_messages_in_full_and_needs_nothing_else(deviating: Report) -> None:
    page = page_text(deviating)
    assert "not conforming" in page
    assert '<h3 id="tape.open.nothing">' in page
    assert "request TAPE_OPEN (0x0300)" in page
    assert "reply TAPE_OPEN (0x0300)" in page
    assert "6e6f2d73\n7563682d" in page, "no-such- in hex"
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert page.count("<details>") == 1


def test_no_secret_is_written_down(deviating: Report) -> None:
    written = page_text(deviating) + json.dumps(report_document(deviating)) + junit_text(deviating)
    assert "(hidden" in written
    assert SECRET not in written
    assert SECRET.encode().hex() not in written.replace(" ", "")


# -- the tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "transitions", "states"), [(MOVER_TABLE, MOVER, MoverState), (DATA_TABLE, DATA, DataState)]
)
def test_the_tables_and_those_of_our_host_agree(table: str, transitions: tuple, states: type) -> None:
    """They are written down twice, so that neither is checked by itself."""
    allowed = {(row.event.value, row.state) for row in transitions}
    for request, state, errors in cells(table):
        if not request.endswith("GET_STATE"):
            is_allowed = (request, states[state]) in allowed  # type: ignore[index]
            assert is_allowed == (Error.ILLEGAL_STATE not in errors), (request, state)


def test_a_peer_that_takes_nothing_can_be_closed_twice() -> None:
    async def story() -> None:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held.append(writer)

        held: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        peer = await Peer.connect(TcpAddress(*server.sockets[0].getsockname()), 5.0)
        await peer.send(bytes(32 << 20), patient=False)
        await peer.close()
        await peer.close()
        server.close()
        for writer in held:
            writer.transport.abort()

    asyncio.run(story())
