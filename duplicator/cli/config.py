"""`ndmpdup config`: what the configuration says, and whether it is right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import ConfigFile, Json
from duplicator.cli.terminal import plain, print_json, print_table, say
from duplicator.status import ExitCode

if TYPE_CHECKING:
    from duplicator.config import AgentSpec, Problem, Reading
    from duplicator.config.connecting import Visit

__all__ = ["check", "config", "example", "show"]

Connect = Annotated[
    bool,
    typer.Option("--connect", help="Log in to the hosts too, and ask for the units, drives and changers named here."),
]
Agent = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Check as this agent, on its machine. Default: the one without a command."),
]


def config() -> None:
    """Check and show the configuration.

    It is in FILE of --config, else in that of NDMPDUP_CONFIG, else in ndmpdup.toml of this folder, else in that of your
    configuration folder.

    \b
    Examples:
      ndmpdup config example > ndmpdup.toml
      ndmpdup config check
      ndmpdup config check --connect
    """


def check(file: ConfigFile = None, *, connect: Connect = False, agent: Agent = None, as_json: Json = False) -> None:
    """Say what is wrong with the configuration.

    Each problem is a line FILE:LINE:COLUMN: WHAT IS WRONG; WHAT TO DO. The exit code is 0 if there is none, else 2.

    \b
    Examples:
      ndmpdup config check
      ndmpdup config check --config /etc/ndmpdup.toml --connect --json
    """
    from duplicator.config.checks import find_defects

    path = _path(file)
    problems, reading = _read(path)
    visits: Sequence[Visit] = ()
    if reading is not None:
        me = _agent(reading, agent)
        problems += find_defects(reading, agent=me)
        if connect:
            visits = _visit(reading, me)
            problems += [reading.problem(finding) for visit in visits for finding in visit.findings]
    problems.sort(key=lambda problem: (problem.line, problem.column))
    if as_json:
        print_json(_document(path, problems, visits))
    else:
        _tell(path, problems, visits)
    if problems:
        raise typer.Exit(ExitCode.USAGE)


def show(file: ConfigFile = None, *, as_json: Json = False) -> None:
    """Print the configuration as it takes effect, with all that it leaves out; there are no secrets in it."""
    from duplicator.config import load
    from duplicator.config.showing import as_document, as_toml, effective

    configuration = effective(load(_path(file)))
    if as_json:
        print_json(as_document(configuration))
    else:
        say(as_toml(configuration).rstrip())


def example() -> None:
    """Print a configuration with comments, to begin with."""
    from importlib.resources import files

    say(files("duplicator.config").joinpath("example.toml").read_text(encoding="utf-8").rstrip())


def _path(given: Path | None) -> Path:
    from duplicator.config import find_file

    path = find_file(given)
    if path is None:
        raise UsageProblem("there is no ndmpdup.toml: begin with `ndmpdup config example > ndmpdup.toml`")
    return path


def _read(path: Path) -> tuple[list[Problem], Reading | None]:
    """All that is wrong with the file, and what it says, if it could be read at all."""
    from duplicator.config import ConfigError, read

    try:
        reading = read(path)
    except ConfigError as error:
        return list(error.problems), None
    return list(reading.problems), reading


def _agent(reading: Reading, name: str | None) -> AgentSpec | None:
    from duplicator.config.problems import in_words

    agents = reading.config.agents
    if name is not None and name not in agents and not reading.problems:
        raise UsageProblem(f"--agent: there is no agent {name!r}; there is {in_words(list(agents)) or 'none'}")
    return agents.get(name or "")


def _visit(reading: Reading, agent: AgentSpec | None) -> list[Visit]:
    from duplicator.cli.running import run
    from duplicator.config.connecting import visit_hosts

    return run(visit_hosts(reading.config, agent=agent))


def _tell(path: Path, problems: Sequence[Problem], visits: Sequence[Visit]) -> None:
    if visits:
        print_table(("host", "what it says"), [(visit.host, visit.line) for visit in visits])
    for problem in problems:
        say(plain(str(problem)))
    if not problems:
        say(f"{plain(str(path))}: no problem found")


def _document(path: Path, problems: Sequence[Problem], visits: Sequence[Visit]) -> dict[str, object]:
    return {
        "file": str(path),
        "problems": [
            {
                "file": str(problem.file),
                "line": problem.line or None,
                "column": problem.column or None,
                "problem": problem.text,
                "hint": problem.hint,
            }
            for problem in problems
        ],
        "hosts": [{"host": visit.host, "said": visit.line} for visit in visits],
    }
