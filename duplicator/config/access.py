"""Who logs in where, and with what: the credentials of agents, and the rule of the same name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from os import environ as process_environment

from duplicator.config.model import LOCAL_AGENT, AgentSpec, Config, Credential, HostSpec
from duplicator.credentials import CredentialError, Role, Secret, find_password
from duplicator.plan import Place, Step
from duplicator.status import JobError, Status
from duplicator.tls import ClientTls
from duplicator.urls import NdmpUrl

__all__ = ["agents_of", "client_tls", "credential_of", "keeper_of", "local_agent", "password_found", "place_of"]


def agents_of(config: Config) -> tuple[AgentSpec, ...]:
    """The agents in the order of the configuration; where it names none, this process, with credentials for all."""
    return tuple(config.agents.values()) or (AgentSpec(name=LOCAL_AGENT, hosts=tuple(config.hosts)),)


def local_agent(config: Config) -> AgentSpec | None:
    """This process as an agent; None if only others are."""
    return next((agent for agent in agents_of(config) if agent.is_local), None)


def credential_of(config: Config, agent: AgentSpec, host: str) -> Credential:
    """What an agent logs in with: its own for the host, with the user of the host's entry if it names none, or that."""
    own, entry = agent.credentials.get(host), keeper_of(config, config.hosts[host]).credential or Credential()
    return entry if own is None else Credential(user=own.user or entry.user, password_file=own.password_file)


def keeper_of(config: Config, host: HostSpec) -> HostSpec:
    """The entry with the credential of a host: its own, or its storage server's, by reference, name or address."""
    return next((entry for entry in _same(config, host) if entry.credential is not None), host)


def _same(config: Config, host: HostSpec) -> Iterator[HostSpec]:
    yield host
    named = config.hosts.get(host.storage_server or "")
    if named is not None:
        yield named
    servers = {unit.host for unit in config.storage.disk.values()} | {
        entry.storage_server for entry in config.hosts.values() if entry.storage_server is not None
    }
    mine = {host.name.casefold(), host.address.casefold()}
    for entry in config.hosts.values():
        if entry.name in servers and mine & {entry.name.casefold(), entry.address.casefold()}:
            yield entry


def client_tls(config: Config) -> ClientTls:
    """How control connections are made secure."""
    tls = config.tls
    return ClientTls(tls.ca, tls.certificate, tls.key, tls.required)


def place_of(
    config: Config,
    host: str,
    *,
    path: str = "",
    agent: AgentSpec,
    role: Role = Role.ANY,
    environ: Mapping[str, str] = process_environment,
) -> Place:
    """A place on a host, with the secret that ``agent``, which is this process, has for it.

    JobError NO_CREDENTIALS if it has none.
    """
    entry, credential = config.hosts[host], credential_of(config, agent, host)
    if credential.user is None:
        raise _unknown(f"no user is known for host {host!r}: add 'user' to [hosts.{host}]")
    url = NdmpUrl(credential.user, entry.address, entry.port, path, entry.tls)
    try:
        secret = _find(config, host, credential, role=role, environ=environ)
    except CredentialError as error:
        raise _unknown(str(error)) from error
    return Place(url, secret, client_tls(config))


def _unknown(reason: str) -> JobError:
    return JobError(Status.NO_CREDENTIALS, step=Step.PREPARE.value, reason=reason)


def _find(config: Config, host: str, credential: Credential, *, role: Role, environ: Mapping[str, str]) -> Secret:
    """The password; in the keyring also under the address of the entry whose credential it is. CredentialError."""
    user, file, entry = credential.user or "", credential.password_file, config.hosts[host]
    try:
        return find_password(user, entry.address, entry.port, file=file, role=role, environ=environ)
    except CredentialError:
        keeper = keeper_of(config, entry)
        if file is not None or keeper is entry:
            raise
        with suppress(CredentialError):
            return find_password(user, keeper.address, keeper.port, environ={})
        raise


def password_found(
    config: Config, environ: Mapping[str, str] = process_environment, *, agent: AgentSpec | None = None
) -> frozenset[str]:
    """The hosts for which this process, as ``agent`` or as what it is, finds a password in environment or keyring."""
    me = agent or local_agent(config)
    return frozenset(host for host in config.hosts if me is not None and _finds(config, me, host, environ))


def _finds(config: Config, agent: AgentSpec, host: str, environ: Mapping[str, str]) -> bool:
    user = credential_of(config, agent, host).user
    if user is None:
        return False
    try:
        _find(config, host, Credential(user=user), role=Role.ANY, environ=environ)
    except CredentialError:
        return False
    return True
