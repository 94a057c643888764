"""`ndmpdup serve`: an NDMP host with storage units, tape drives, media changers, directory trees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from duplicator.cli.endings import UsageProblem
from duplicator.cli.options import parse_listen
from duplicator.cli.serve_options import (
    Changers,
    DataAddresses,
    DataPeers,
    DataPorts,
    DataTlsChoice,
    DataTlsName,
    FailedLogins,
    HalfOpen,
    Listen,
    Login,
    LoginTimeout,
    PortFile,
    ProfileName,
    ProfileOption,
    ServedPasswordFile,
    ServerCert,
    ServerKey,
    SessionsAtMost,
    SessionsPerAddress,
    State,
    TapeDrives,
    TlsClientCa,
    Trees,
    Units,
    User,
    UsersPath,
    parse_logins,
    parse_named,
    parse_offers,
    parse_peers,
    parse_ports,
)
from duplicator.urls import NDMP_PORT, NDMPS_PORT, HostPort
from ndmp.aio.limits import Limits

if TYPE_CHECKING:
    from duplicator.accounts import Users
    from duplicator.host import Offers
    from duplicator.network import NetworkSettings
    from duplicator.tls import ServerTls
    from ndmp.enums import AuthType

__all__ = ["serve"]

_LOOPBACK: Final = "127.0.0.1"
_LIMITS: Final = Limits()


def serve(
    *,
    lsu: Units = None,
    tape: TapeDrives = None,
    changer: Changers = None,
    tree: Trees = None,
    state: State = None,
    profile: ProfileOption = ProfileName.STRICT,
    user: User = None,
    password_file: ServedPasswordFile = None,
    users_file: UsersPath = None,
    login: Login = None,
    listen: Listen = None,
    tls_cert: ServerCert = None,
    tls_key: ServerKey = None,
    tls_client_ca: TlsClientCa = None,
    port_file: PortFile = None,
    data_port: DataPorts = None,
    data_address: DataAddresses = None,
    data_peer: DataPeers = None,
    data_tls: DataTlsChoice = None,
    max_sessions: SessionsAtMost = _LIMITS.sessions,
    max_sessions_per_address: SessionsPerAddress = _LIMITS.sessions_per_address,
    max_half_open: HalfOpen = _LIMITS.half_open_sessions,
    login_timeout: LoginTimeout = _LIMITS.login_deadline,
    max_failed_logins: FailedLogins = _LIMITS.failed_logins,
) -> None:
    """Run an NDMP host.

    It runs until Ctrl-C or SIGTERM, and has exit code 0 then. Without --tls-cert nothing is encrypted: listen only on
    networks that you trust. docs/network.md tells which ports are used by whom.

    \b
    Examples:
      ndmpdup serve --user backup --password-file pw --lsu unit1=/srv/images
      ndmpdup serve --listen 127.0.0.1:10001 --user backup --password-file pw \\
        --tape "drive1=virtual:/srv/tapes/ND0001?capacity=100G"
      ndmpdup serve --users-file users --tape drive1=sg:/dev/sg0 --changer robot=sg:/dev/sg1
      ndmpdup serve --listen 192.0.2.7:30000 --tls-cert host.pem --tls-key host.key --users-file users \\
        --lsu unit1=/srv/images --data-port 30100-30199 --data-tls require
    """
    from duplicator.cli.hosting import Hosting, host_until_told

    if not (lsu or tape or changer or tree):
        raise UsageProblem(
            "nothing to serve: give at least one --lsu NAME=DIR, --tape NAME=URL (virtual:DIR/BARCODE, sg:/dev/sg0), "
            "--changer NAME=URL (virtual-library:DIR, sg:/dev/sg1) or --tree DIR"
        )
    tls = _tls(tls_cert, tls_key, tls_client_ca)
    address = parse_listen(listen) if listen is not None else HostPort(_LOOPBACK, NDMPS_PORT if tls else NDMP_PORT)
    host_until_told(
        Hosting(
            listen=address,
            users=_users(user, password_file, users_file, address),
            offers=_offers(lsu, tape, changers=changer, trees=tree, state=state),
            tls=tls,
            logins=_logins(login, open_to_all=not tls and not address.is_loopback),
            network=_network(
                data_port, data_address, data_peer, tls=data_tls or (DataTlsName.OFFER if tls else DataTlsName.OFF)
            ),
            limits=Limits(
                sessions=max_sessions,
                sessions_per_address=max_sessions_per_address,
                half_open_sessions=max_half_open,
                login_deadline=login_timeout,
                failed_logins=max_failed_logins,
            ),
            profile=profile.value,
            port_file=port_file,
        )
    )


def _offers(
    units: list[str] | None,
    tapes: list[str] | None,
    *,
    changers: list[str] | None,
    trees: list[Path] | None,
    state: Path | None,
) -> Offers:
    from platformdirs import user_state_path

    from duplicator.host import Offers

    return Offers(
        units={name: Path(folder) for name, folder in parse_named(units, "--lsu").items()},
        tapes=parse_named(tapes, "--tape"),
        changers=parse_named(changers, "--changer"),
        trees=trees or (),
        state=(state or user_state_path("ndmpdup")) if trees else None,
    )


def _logins(text: str | None, *, open_to_all: bool) -> tuple[AuthType, ...]:
    """As asked for; else no passwords as text where others may listen."""
    if text is not None:
        return parse_logins(text)
    return parse_logins("md5" if open_to_all else "md5,text")


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ServerTls | None:
    from duplicator.tls import ServerTls

    if certificate is not None:
        return ServerTls(certificate, key, client_ca)
    if key or client_ca:
        raise UsageProblem(f"{'--tls-key' if key else '--tls-client-ca'} is of no use without --tls-cert")
    return None


def _users(user: str | None, password_file: Path | None, users_file: Path | None, address: HostPort) -> Users:
    from duplicator.accounts import OneUser, UsersFile
    from duplicator.credentials import find_password

    if users_file is not None:
        if user is not None or password_file is not None:
            raise UsageProblem("--users-file stands instead of --user and --password-file: give one or the other")
        return UsersFile(users_file)
    if user is None:
        raise UsageProblem("nobody may log in: give --user U or --users-file FILE; there is no default account")
    if not user or not user.isprintable():
        raise UsageProblem("--user: the name is empty or cannot be printed")
    return OneUser(user, find_password(user, address.host, address.port, file=password_file))


def _network(
    ports: str | None, addresses: list[str] | None, peers: list[str] | None, *, tls: DataTlsName
) -> NetworkSettings:
    from duplicator.data_tls import DataTls, TlsPolicy
    from duplicator.network import NetworkSettings

    return NetworkSettings(
        ports=parse_ports(ports) if ports is not None else None,
        offers=parse_offers(addresses),
        peers=parse_peers(peers),
        tls=DataTls(TlsPolicy(tls.value)) if tls is not DataTlsName.OFF else None,
    )
