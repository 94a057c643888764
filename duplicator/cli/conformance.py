"""`ndmpdup conformance`: tests any NDMP v4 host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import (
    Json,
    PasswordFile,
    RequireTls,
    TlsCa,
    TlsCert,
    TlsKey,
    client_tls,
    find_place,
    parse_ndmp_url,
)
from duplicator.cli.terminal import complain, plain, print_json, print_table, say
from duplicator.credentials import Role
from duplicator.status import ExitCode

if TYPE_CHECKING:
    from duplicator.conformance import Check, Outcome, Report
    from duplicator.conformance.reports.baseline import Comparison

__all__ = ["conformance"]

_WHAT: Final = "What may be done to it"
_RUN: Final = "How it is run"
_OUTPUT: Final = "Output"
_MIB: Final = 1024 * 1024

HostUrl = Annotated[str, typer.Argument(metavar="ndmp://USER@HOST:PORT", help="The host to test.")]


def _option(group: str, *names: str, metavar: str, text: str) -> typer.models.OptionInfo:
    made: typer.models.OptionInfo = typer.Option(*names, metavar=metavar, help=text, rich_help_panel=group)
    return made


TapeName = Annotated[
    str | None,
    _option(_WHAT, "--tape", metavar="NAME", text="A drive with a tape in it, to be opened and read."),
]
Scratch = Annotated[
    bool, typer.Option("--scratch", help="That tape's contents may be lost: write to it.", rich_help_panel=_WHAT)
]
Fill = Annotated[
    int,
    typer.Option(
        "--fill",
        min=0,
        max=1024 * 1024,
        metavar="MIB",
        help="Write at most so much to find the tape's end; a longer tape has no checks of it.",
        rich_help_panel=_WHAT,
    ),
]
ScsiName = Annotated[
    str | None,
    _option(_WHAT, "--scsi", metavar="NAME", text="A media changer, to be opened and asked; nothing in it is moved."),
]
Butype = Annotated[str | None, _option(_WHAT, "--butype", metavar="TYPE", text="Back up --path by this backup type.")]
BackupPath = Annotated[
    str | None, _option(_WHAT, "--path", metavar="PATH", text="What to back up: a tree of some MB; only read.")
]
Second = Annotated[
    str | None,
    _option(
        _WHAT,
        "--second",
        metavar="URL",
        text="ndmp://USER@HOST:PORT/TAPE: another tape server (or the same) and a scratch tape, for mover to mover.",
    ),
]
SecondPassword = Annotated[
    Path | None,
    _option(_RUN, "--second-password-file", metavar="FILE", text="Its password; else the one found for its user."),
]
Deadline = Annotated[
    float,
    typer.Option(
        "--deadline",
        min=0.1,
        max=3600.0,
        metavar="SECONDS",
        help="Longest wait for each thing; a host that hangs costs one of them.",
        rich_help_panel=_RUN,
    ),
]
Only = Annotated[
    list[str] | None,
    _option(
        _RUN,
        "--only",
        metavar="ID",
        text="Only checks whose id begins so, such as `mover` or `tape.open`; again for more.",
    ),
]
Listing = Annotated[bool, typer.Option("--list", help="Show the checks, and make none.", rich_help_panel=_RUN)]
Junit = Annotated[Path | None, _option(_OUTPUT, "--junit", metavar="FILE", text="Write JUnit's XML.")]
Html = Annotated[Path | None, _option(_OUTPUT, "--html", metavar="FILE", text="Write one HTML page with everything.")]
BaselineFile = Annotated[
    Path | None,
    _option(_OUTPUT, "--baseline", metavar="FILE", text="Compare with an earlier run: what --json printed then."),
]


def conformance(
    url: HostUrl,
    *,
    tape: TapeName = None,
    scratch: Scratch = False,
    fill: Fill = 32,
    scsi: ScsiName = None,
    butype: Butype = None,
    path: BackupPath = None,
    second: Second = None,
    password_file: PasswordFile = None,
    second_password_file: SecondPassword = None,
    deadline: Deadline = 5.0,
    only: Only = None,
    listing: Listing = False,
    junit: Junit = None,
    html: Html = None,
    baseline: BaselineFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    require_tls: RequireTls = False,
    as_json: Json = False,
) -> None:
    """Test an NDMP v4 host against the draft.

    Each check has an id, a section of draft-skardal-ndmp4-04 and a level (MUST, SHOULD, MAY, extension), and is made
    on a session of its own. Unless told more, it only connects and asks: without --tape no tape is touched, and without
    --scratch none is written. The host must share that tape with nobody. What it does not offer is "not offered".

    \b
    Examples:
      ndmpdup conformance ndmp://ndmp@filer
      ndmpdup conformance ndmp://ndmp@filer --tape nrst0a --scsi mc0 --html report.html
      ndmpdup conformance ndmp://ndmp@filer --tape nrst0a --scratch --butype dump --path /vol/test \\
        --second ndmp://ndmp@other/nst0 --json > today.json
      ndmpdup conformance ndmp://ndmp@filer --baseline today.json
      ndmpdup conformance ndmp://ndmp@filer --only mover --only tape.open

    \b
    Exit codes: 0 no MUST fails (and with --baseline nothing became worse), 1 one does, 2 the command was given wrongly.
    """
    from duplicator.cli.running import run
    from duplicator.conformance import CHECKS, Permissions, Target, run_suite
    from duplicator.conformance.reports.baseline import compare, read_baseline

    checks = [check for check in CHECKS if not only or check.id.startswith(tuple(only))]
    _audit(checks, tape=tape, scratch=scratch, butype=butype, path=path, second=second)
    if listing:
        _list(checks, as_json=as_json)
        return
    before = read_baseline(baseline) if baseline else None
    tls = client_tls(tls_ca, tls_cert, key=tls_key, required=require_tls)
    place = find_place(parse_ndmp_url(url, option="URL"), password_file, Role.ANY, tls=tls)
    other = None
    if second is not None:
        other_url = parse_ndmp_url(second, option="--second", place="tape")
        other = find_place(other_url, second_password_file or password_file, Role.ANY, tls=tls)
    allowed = Permissions(tape, scratch, fill * _MIB, scsi, butype, path, other)
    report = run(run_suite(Target(place, allowed, deadline), checks, watcher=_watch))
    comparison = compare(report, before) if before is not None else None
    _write(report, comparison, junit=junit, html=html, as_json=as_json)
    if not report.is_conforming or (comparison and comparison.worse):
        raise typer.Exit(ExitCode.FAILED)


def _audit(
    checks: list[Check], *, tape: str | None, scratch: bool, butype: str | None, path: str | None, second: str | None
) -> None:
    if not checks:
        raise UsageProblem("--only: no check's id begins so; --list shows them")
    if scratch and tape is None:
        raise UsageProblem("--scratch: say which tape may be written: --tape NAME")
    if (butype is None) != (path is None):
        raise UsageProblem("--butype and --path go together")
    if second is not None and not scratch:
        raise UsageProblem("--second: its tape and that of --tape are written: give --tape NAME --scratch too")


def _list(checks: list[Check], *, as_json: bool) -> None:
    if as_json:
        print_json([{"id": c.id, "section": c.section, "level": c.level.value, "title": c.title} for c in checks])
        return
    print_table(("check", "draft", "level", "what"), [(c.id, c.section, c.level.value, c.title) for c in checks])


def _watch(outcome: Outcome) -> None:
    if outcome.is_deviation:
        expected = f"expected {outcome.expected}; came " if outcome.expected else ""
        complain(plain(f"{outcome.verdict} ({outcome.check.level}) {outcome.check.id}: {expected}{outcome.came}"))


def _write(
    report: Report, comparison: Comparison | None, *, junit: Path | None, html: Path | None, as_json: bool
) -> None:
    from duplicator.conformance.reports.documents import report_document
    from duplicator.conformance.reports.junit import write_junit
    from duplicator.conformance.reports.page import write_page

    if junit:
        write_junit(report, junit)
    if html:
        write_page(report, html, comparison)
    if as_json:
        document = report_document(report)
        print_json({**document, "baseline": comparison.document()} if comparison else document)
        return
    _show(report, comparison)


def _show(report: Report, comparison: Comparison | None) -> None:
    from duplicator.conformance import Level, Verdict

    verdicts = [verdict for verdict in Verdict if report.counts()[verdict]]
    names = [verdict.value for verdict in verdicts]
    interfaces = [
        (name, *(_number(report.counts(interface=name)[verdict]) for verdict in verdicts)) for name in report.interfaces
    ]
    levels = [(level.value, *(_number(report.counts(level)[verdict]) for verdict in verdicts)) for level in Level]
    deviations = [
        (o.check.level.value, o.check.section, o.check.id, o.verdict.value, o.expected, o.came)
        for o in report.deviations
    ]
    print_table(("interface", *names), interfaces, right=names)
    say()
    print_table(("level", *names), levels, right=names)
    if deviations:
        say()
        print_table(("level", "draft", "check", "verdict", "expected", "came"), deviations)
    if comparison:
        say()
        for name, ids in comparison.document().items():
            say(f"{name:7} {len(ids)}  {' '.join(ids)}".rstrip())
    say()
    words = "no MUST fails" if report.is_conforming else "a MUST fails, or could not be tried"
    say(f"{plain(report.facts.name)}: {len(report.outcomes)} checks in {report.seconds:.1f} s, {words}")


def _number(count: int) -> str:
    return str(count) if count else ""
