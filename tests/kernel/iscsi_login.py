"""Login of an iSCSI session (RFC 7143 6, 7, 13): nobody has to prove anything, and one connection is a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.kernel.iscsi_pdus import LoginRequest, LoginResponse, Pdu, PeerError

__all__ = ["SEGMENT_BYTES", "Login", "Parameters", "negotiated"]

SEGMENT_BYTES: Final = 128 << 10
"""The longest data segment that this target takes."""
_DEFAULT_SEGMENT_BYTES: Final = 8 << 10
_FIRST_BURST: Final = 256 << 10
_LARGEST_BURST: Final = 1 << 20
_LONGEST_TEXT: Final = 64 << 10
_SECURITY, _OPERATIONAL, _FULL = 0, 1, 3
_NOT_FOUND: Final = 0x0203
_AUTHENTICATION: Final = 0x0201
_VERSION: Final = 0x0205
_NOT_OF_THIS_SESSION: Final = 0x020A
_MISSING: Final = 0x0207
_ONLY_NORMAL: Final = 0x0209


@dataclass(slots=True)
class Parameters:
    """What both agreed on, by its default until then (13). Sizes in bytes."""

    initiator_segment: int = _DEFAULT_SEGMENT_BYTES
    initial_r2t: bool = True
    immediate_data: bool = True
    first_burst: int = 64 << 10
    largest_burst: int = 256 << 10


@dataclass(slots=True)
class Login:
    """One login: requests in, responses out, until ``done``. ``number`` is the handle that the session will have."""

    target: str
    number: int
    parameters: Parameters = field(default_factory=Parameters)
    initiator: str = ""
    part: bytes = b""
    first_command: int = 0
    done: bool = False
    refused: bool = False
    _text: bytes = b""
    _greeted: bool = False

    def answer(self, pdu: Pdu, status_number: int) -> tuple[LoginResponse, bytes]:
        """The response to a request, by its number, and its text; PeerError for what is no login."""
        request = pdu.header
        if not isinstance(request, LoginRequest):
            raise PeerError(f"{request.opcode!r} before the login")
        self.part, self.first_command = request.initiator_part, request.command_number
        self._text += pdu.segment
        if len(self._text) > _LONGEST_TEXT:
            message = "too long a login"
            raise PeerError(message)
        if request.goes_on:
            return self._response(request, status_number, final=False), b""
        offered, self._text = _pairs(self._text), b""
        if fault := self._fault(request, offered):
            self.refused = True
            return self._response(request, status_number, final=False, status=fault), b""
        said = {} if self._greeted else {"TargetPortalGroupTag": "1"}
        self._greeted, self.initiator = True, self.initiator or offered.get("InitiatorName", "")
        said |= negotiated(self.parameters, offered)
        self.done = request.final and request.next_stage == _FULL
        if request.stage == _OPERATIONAL and request.final:
            said["MaxRecvDataSegmentLength"] = str(SEGMENT_BYTES)
        return self._response(request, status_number, final=request.final), _text_of(said)

    def _fault(self, request: LoginRequest, offered: Mapping[str, str]) -> int:
        """The status of the first reason to refuse, or 0."""
        names = {} if self._greeted else {"InitiatorName": "", "TargetName": "", "SessionType": "Normal", **offered}
        faults = (
            (request.oldest_version > 0, _VERSION),
            (request.session != 0, _NOT_OF_THIS_SESSION),
            (names.get("InitiatorName") == "", _MISSING),
            (names.get("SessionType", "Normal") != "Normal", _ONLY_NORMAL),
            (names.get("TargetName") == "", _MISSING),
            (names.get("TargetName", self.target) != self.target, _NOT_FOUND),
            (
                request.stage == _SECURITY and "None" not in offered.get("AuthMethod", "None").split(","),
                _AUTHENTICATION,
            ),
        )
        return next((status for wrong, status in faults if wrong), 0)

    def _response(self, request: LoginRequest, status_number: int, *, final: bool, status: int = 0) -> LoginResponse:
        return LoginResponse(
            tag=request.tag,
            status_number=status_number,
            expected_command=request.command_number,
            last_command=request.command_number + 1,
            final=final,
            stage=request.stage,
            next_stage=request.next_stage if final else 0,
            initiator_part=request.initiator_part,
            session=self.number if self.done else 0,
            status=status,
        )


def negotiated(parameters: Parameters, offered: Mapping[str, str]) -> dict[str, str]:
    """What to answer to each key; ``parameters`` take over what follows from it."""
    return {key: value for key, text in offered.items() if (value := _answer(parameters, key, text)) is not None}


def _answer(parameters: Parameters, key: str, text: str) -> str | None:
    if key in _DECLARED:
        return None
    if key == "MaxRecvDataSegmentLength":
        parameters.initiator_segment = _number(text, 512, (1 << 24) - 1)
        return None
    rule = _RULES.get(key)
    return rule(parameters, text) if rule else "NotUnderstood"


def _first_burst(parameters: Parameters, text: str) -> str:
    parameters.first_burst = min(_number(text, 512, (1 << 24) - 1), _FIRST_BURST)
    return str(parameters.first_burst)


def _largest_burst(parameters: Parameters, text: str) -> str:
    parameters.largest_burst = min(_number(text, 512, (1 << 24) - 1), _LARGEST_BURST)
    return str(parameters.largest_burst)


def _initial_r2t(parameters: Parameters, text: str) -> str:
    parameters.initial_r2t = text != "No"
    return text


def _immediate_data(parameters: Parameters, text: str) -> str:
    parameters.immediate_data = text == "Yes"
    return text


def _no_digest(_: Parameters, text: str) -> str:
    return "None" if "None" in text.split(",") else "Reject"


def _always(value: str) -> Callable[[Parameters, str], str]:
    return lambda _parameters, _text: value


_DECLARED: Final = ("InitiatorName", "InitiatorAlias", "TargetName", "SessionType")
_RULES: Final[Mapping[str, Callable[[Parameters, str], str]]] = {
    "AuthMethod": _always("None"),
    "HeaderDigest": _no_digest,
    "DataDigest": _no_digest,
    "MaxConnections": _always("1"),
    "InitialR2T": _initial_r2t,
    "ImmediateData": _immediate_data,
    "FirstBurstLength": _first_burst,
    "MaxBurstLength": _largest_burst,
    "DefaultTime2Wait": lambda _parameters, text: text,
    "DefaultTime2Retain": _always("0"),
    "MaxOutstandingR2T": _always("1"),
    "DataPDUInOrder": _always("Yes"),
    "DataSequenceInOrder": _always("Yes"),
    "ErrorRecoveryLevel": _always("0"),
    "IFMarker": _always("No"),
    "OFMarker": _always("No"),
}


def _number(text: str, least: int, most: int) -> int:
    try:
        value = int(text, 0)
    except ValueError as failure:
        raise PeerError(f"{text!r} is no number") from failure
    if not least <= value <= most:
        raise PeerError(f"{value} is not within {least}..{most}")
    return value


def _pairs(text: bytes) -> dict[str, str]:
    try:
        pairs = [pair.partition("=") for pair in text.decode("utf-8").split("\0") if pair]
    except UnicodeDecodeError as failure:
        raise PeerError(f"text that is none: {failure}") from failure
    if not all(equals for _, equals, _ in pairs):
        raise PeerError(f"a key without a value in {text!r}")
    return {key: value for key, _, value in pairs}


def _text_of(pairs: Mapping[str, str]) -> bytes:
    return b"".join(f"{key}={value}\0".encode() for key, value in pairs.items())
