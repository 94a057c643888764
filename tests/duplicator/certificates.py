"""Certificates made by the openssl program."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.peers.requirements import require_peer

__all__ = ["Authority", "Certificate", "self_signed"]

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, in files."""

    path: Path
    key: Path

    def serve_options(self) -> list[str]:
        """For ``serve``, and the same for commands that show it."""
        return ["--tls-cert", str(self.path), "--tls-key", str(self.key)]


def _openssl(*words: str | Path) -> str:
    command = [require_peer("openssl"), *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def self_signed(folder: Path, name: str, *, names: str = "IP:127.0.0.1", ca: bool = False) -> Certificate:
    """A certificate that vouches for itself; ``names`` as openssl has them, ``DNS:host,IP:1.2.3.4``."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    extensions = ["-addext", f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}"]
    if not ca:
        extensions += ["-addext", f"subjectAltName={names}"]
    subject = ["-x509", "-subj", f"/CN={name}", "-days", "2", "-keyout", made.key, "-out", made.path]
    _openssl("req", *_NEW_KEY, *subject, *extensions)
    made.key.chmod(0o600)
    return made


class Authority:
    """A private certificate authority."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._own = self_signed(folder, name, ca=True)

    @property
    def path(self) -> Path:
        """Its certificate."""
        return self._own.path

    def issue(self, name: str, *, names: str = "IP:127.0.0.1") -> Certificate:
        """A certificate for ``names``."""
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n")
        _openssl("req", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", made.key, "-out", request)
        signer = ["-CA", self._own.path, "-CAkey", self._own.key, "-CAcreateserial", "-days", "2"]
        _openssl("x509", "-req", "-in", request, *signer, "-extfile", extensions, "-out", made.path)
        made.key.chmod(0o600)
        return made
