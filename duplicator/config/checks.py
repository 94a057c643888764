"""What a correct configuration finds on this machine: files of passwords and certificates, and agents that fit."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from duplicator.config.access import client_tls, keeper_of, local_agent, password_found
from duplicator.config.model import AgentSpec, Config, PolicySpec
from duplicator.config.positions import Path as Keys
from duplicator.config.problems import Problem
from duplicator.config.reading import Reading
from duplicator.config.words import Wording
from duplicator.credentials import CredentialError, read_password_file
from duplicator.selection import Agents, assign_unit
from duplicator.status import JobError

__all__ = ["find_defects"]


def find_defects(
    reading: Reading, environ: Mapping[str, str] = os.environ, *, agent: AgentSpec | None = None
) -> list[Problem]:
    """What keeps this machine from doing as the file says; nothing leaves the machine for that.

    ``agent``: the one that this machine is for, None for the one without a command. Whether agents can run policies is
    asked only of a file without problems: what is wrong is missing in the rest.
    """
    config = reading.config
    findings = [
        *_writable(config),
        *_password_files(config, agent or local_agent(config)),
        *_certificates(config),
        *_folders(config),
        *_users(config),
        *(() if reading.problems else _policies(config, environ)),
    ]
    return [reading.problem(finding) for finding in findings]


def _writable(config: Config) -> Iterator[Wording]:
    if config.file is not None and config.file.stat().st_mode & stat.S_IWOTH:
        text = "everybody can write this file, which says what is run, and who gets passwords"
        yield (), text, "run chmod o-w on it"


def _password_files(config: Config, agent: AgentSpec | None) -> Iterator[Wording]:
    """Those of this process; other agents have theirs elsewhere."""
    for path, file in () if agent is None else dict(_own_files(config, agent)).items():
        try:
            read_password_file(file)
        except CredentialError as error:
            yield path, str(error), "make it a file of yours with the password as its first line, and chmod 600 it"


def _own_files(config: Config, agent: AgentSpec) -> Iterator[tuple[Keys, Path]]:
    for name in filter(config.hosts.__contains__, agent.hosts):
        keeper = keeper_of(config, config.hosts[name])
        if name not in agent.credentials and keeper.password_file is not None:
            yield ("hosts", keeper.name, "password_file"), keeper.password_file
    for name, credential in agent.credentials.items():
        if credential.password_file is not None:
            yield ("agents", agent.name, "credentials", name, "password_file"), credential.password_file


def _certificates(config: Config) -> Iterator[Wording]:
    if config.tls.ca or config.tls.certificate or config.tls.key:
        try:
            client_tls(config).context()
        except CredentialError as error:
            yield ("tls",), str(error), "correct the paths; `ndmpdup probe --tls-ca FILE` tries them"
    for host in config.hosts.values():
        if config.tls.required and not host.tls:
            text = f"TLS is required, and host {host.name!r} has none"
            yield ("hosts", host.name), text, "add tls = true, or take 'required' out of [tls]"


def _folders(config: Config) -> Iterator[Wording]:
    for unit in config.storage.disk.values():
        if unit.path is not None and not unit.path.is_dir():
            text = f"disk unit {unit.name!r} has no folder {unit.path} here"
            yield ("storage", "disk", unit.name, "path"), text, "mount it, or take 'path' out"


def _users(config: Config) -> Iterator[Wording]:
    for index, name in enumerate(config.xbsa.users):
        try:
            pwd.getpwnam(name)
        except KeyError:
            text = f"'users' names {name!r}, and this machine has no such user"
            yield ("xbsa", "users", index), text, "correct it, or make the user"


def _policies(config: Config, environ: Mapping[str, str]) -> Iterator[Wording]:
    found = password_found(config, environ) if config.policies else frozenset[str]()
    for policy in config.policies.values():
        source = config.storage.disk.get(policy.source) or config.storage.tape[policy.source]
        for index, name in enumerate(policy.targets):
            try:
                assign_unit(config, source, config.storage.tape[name], agents=Agents(policy.agents, found))
            except JobError as error:
                text = f"no agent can run policy {policy.name!r} from {policy.source!r} to {name!r}"
                yield _blamed(policy, index), text, error.reason


def _blamed(policy: PolicySpec, target: int) -> Keys:
    """Who may run it, if the policy says so; else where it goes."""
    return ("policies", policy.name, *(("agents",) if policy.agents else ("to", target)))
