"""`ndmpdup decode`: captures made by hand, recorded dialogues in hex, and files that are neither."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from duplicator.capture.listening import Heard, listen
from duplicator.capture.packets import CaptureError, Packet, read_packets
from duplicator.cli.main import app
from tests.duplicator.captures import ETHERNET, Talk, ethernet, ipv4, ipv6, pcap, pcapng, tcp
from tests.ndmp.hexes import post, record, reply, request

FIXTURES = Path(__file__).parents[2] / "fixtures"
GREETING = post(1, 0x502, "00000000 00000004 00000005 48656c6c 6f000000")
OPEN = request(1, 0x900, "00000004")
OPENED = reply(2, 0x900, 1, "00000000")
LOGIN = request(2, 0x901, "00000001 00000001 75000000 00000006 73336372 65740000")
"""User u, password s3cret."""
LOGGED_IN = reply(3, 0x901, 2, "00000000")
CHOOSE = request(3, 0x109, "00000001 00007ff0 00000002")
CHOSEN = reply(4, 0x109, 3, "00000000")
ECHO = request(4, 0x7FF00000, "00000001 61000000 00000007")
ECHOED = reply(5, 0x7FF00000, 4, "00000000 00000001 61000000 00000007")
STATE = request(5, 0xA00)
WRITE = request(6, 0x304, "00000400" + "ab" * 1024)
DIALOGUE = [
    (GREETING, True),
    (OPEN, False),
    (OPENED, True),
    (LOGIN, False),
    (LOGGED_IN, True),
    (CHOOSE, False),
    (CHOSEN, True),
    (ECHO, False),
    (ECHOED, True),
    (STATE, False),
]
LINES = [
    '< post 1 NOTIFY_CONNECTION_STATUS reason=CONNECTED(0) version=4 text="Hello"',
    "> request 1 CONNECT_OPEN protocol_version=4",
    "< reply 2 to 1 CONNECT_OPEN error=NO_ERR(0)",
    '> request 2 CONNECT_CLIENT_AUTH proof=AuthText(user="u", password=(hidden))',
    "< reply 3 to 2 CONNECT_CLIENT_AUTH error=NO_ERR(0)",
    "> request 3 CONFIG_SET_EXT_LIST classes=[ClassVersion(class_id=32752, version=2)]",
    "< reply 4 to 3 CONFIG_SET_EXT_LIST error=NO_ERR(0)",
    '> request 4 TEST_ECHO2 text="a" number=7',
    '< reply 5 to 4 TEST_ECHO2 error=NO_ERR(0) text="a" number=7',
    "> request 5 MOVER_GET_STATE",
]


def talk(said: list[tuple[bytes, bool]] = DIALOGUE) -> Talk:
    made = Talk().handshake()
    for octets, from_host in said:
        made.say(octets, from_host=from_host)
    return made


def decode(*arguments: str | Path, code: int = 0) -> Any:  # noqa: ANN401
    result = CliRunner().invoke(app, ["decode", *map(str, arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert "s3cret" not in result.output
    return result


def shown(file: Path, content: bytes, *options: str, code: int = 0) -> list[str]:
    """What is shown of a capture, without the connection's number and the time."""
    file.write_bytes(content)
    lines = decode(file, *options, code=code).stdout.splitlines()
    return [line if line.startswith("#") else line.split(" ", 2)[2] for line in lines]


def test_formats(tmp_path: Path) -> None:
    frames = talk().frames
    packets = [frame[14:] for frame in frames]
    cooked = [bytes(14) + b"\x08\0" + packet for packet in packets]
    files = {
        "pcap": pcap(frames),
        "pcap, big-endian, nanoseconds": pcap(frames, order=">", magic=0xA1B23C4D),
        "pcapng": pcapng(frames),
        "pcapng, big-endian": pcapng(frames, order=">"),
        "two sections": pcapng(frames[:5]) + pcapng(frames[5:], order=">"),
        "tagged": pcap([frame[:12] + b"\x88\xa8\0\1\x81\0\0\2" + frame[12:] for frame in frames]),
        "raw": pcap(packets, link=101),
        "ipv4": pcapng(packets, link=228),
        "loopback": pcap([b"\2\0\0\0" + packet for packet in packets], link=0),
        "cooked": pcap(cooked, link=113),
        "cooked 2": pcapng([b"\x08\0" + bytes(18) + packet for packet in packets], link=276),
    }
    for name, content in files.items():
        title, *lines = shown(tmp_path / "c", content)
        assert title.endswith("connection 1: application 10.0.0.1:40000, host 10.0.0.2:10000"), name
        assert lines == LINES, name


def test_times(tmp_path: Path) -> None:
    frames = talk([(GREETING, True)]).frames
    halves = [(pcapng(frames, resolution=number), "16:00:00.500000") for number in (0x8A, 9, None)]
    cases = [(pcap(frames), "16:00:00.000003"), *halves]
    for content, time in cases:
        (tmp_path / "c").write_bytes(content)
        assert decode(tmp_path / "c").stdout.splitlines()[1] == f"1 {time} {LINES[0]}"
    (tmp_path / "c").write_bytes(pcapng(frames, simple=True))
    assert decode(tmp_path / "c").stdout.splitlines()[1] == f"1 {LINES[0]}"


def test_ipv6(tmp_path: Path) -> None:
    frame = ethernet(ipv6(tcp((40000, 10000), 1, OPEN)))
    assert shown(tmp_path / "c", pcap([frame])) == [
        f"# {tmp_path}/c, connection 1: application [::1]:40000, host [::2]:10000",
        LINES[1],
    ]


def test_segments_in_any_order(tmp_path: Path) -> None:
    """Cut small, sent twice, overlapping and swapped: what is shown stays the same."""
    plain = talk()
    small = Talk().handshake()
    for octets, from_host in DIALOGUE:
        for start in range(0, len(octets), 7):
            small.say(octets[start : start + 7], from_host=from_host)
    assert sorted(shown(tmp_path / "c", pcap(small.frames))[1:]) == sorted(LINES)
    doubled = [frame for frame in plain.frames for _ in range(2)]
    assert shown(tmp_path / "c", pcap(doubled))[1:] == LINES
    keepalive = ethernet(ipv4("10.0.0.1", "10.0.0.2", tcp((40000, 10000), small.sequences[0] - 1, b"\0")))
    assert sorted(shown(tmp_path / "c", pcap([*small.frames, keepalive, small.frames[5]]))[1:]) == sorted(LINES)


@given(st.integers(0), st.integers(1, 60))
def test_one_side_in_any_order(seed: int, size: int) -> None:
    """Shuffled segments of one direction come out in order, as long as the first is the first."""
    source = random.Random(seed)
    octets = OPEN + LOGIN + CHOOSE + STATE + WRITE
    first, *rest = [(start, octets[start : start + size]) for start in range(0, len(octets), size)]
    rest += source.choices(rest, k=len(rest) // 2) if rest else []
    source.shuffle(rest)
    base = 2**32 - 100
    frames = [
        ethernet(ipv4("10.0.0.1", "10.0.0.2", tcp((40000, 10000), base + at, part))) for at, part in [first, *rest]
    ]
    heard = list(listen(Packet(None, ETHERNET, frame) for frame in frames))
    assert [item.saying.header.code for item in heard if item.saying.header] == [0x900, 0x901, 0x109, 0xA00, 0x304]
    assert not any(item.saying.problem for item in heard)


def test_a_lost_segment(tmp_path: Path) -> None:
    """The other side's acknowledgement tells that it is lost; the next record is shown again."""
    frames = talk().frames
    lines = shown(tmp_path / "c", pcap(frames[:6] + frames[7:]), code=1)[1:]
    assert lines == [*LINES[:3], LINES[4], "> ** 52 bytes are missing in the capture", *LINES[5:]]


def test_a_capture_that_begins_late(tmp_path: Path) -> None:
    frames = Talk().say(OPENED[10:], from_host=True).say(LOGIN).say(LOGGED_IN, from_host=True).frames
    assert shown(tmp_path / "c", pcap(frames))[1:] == [LINES[3], LINES[4]]


def test_a_record_mark_in_a_segment_of_its_own(tmp_path: Path) -> None:
    frames = Talk().say(OPEN[:4]).say(OPEN[4:]).say(OPENED, from_host=True).frames
    assert shown(tmp_path / "c", pcap(frames))[1:] == LINES[1:3]


def test_connections_are_told_apart(tmp_path: Path) -> None:
    """Ports used again begin a new connection; what is no NDMP is left out."""
    second = Talk(sequences=[5000, 9000]).handshake().say(GREETING, from_host=True)
    web = Talk(host=("10.0.0.3", 80), application=("10.0.0.1", 40001)).handshake()
    for _ in range(40):
        web.say(b"GET / HTTP/1.1\r\n")
    other = ethernet(ipv4("10.0.0.1", "10.0.0.2", GREETING, protocol=17))
    piece = ethernet(ipv4("10.0.0.1", "10.0.0.2", tcp((40002, 10000), 1, GREETING), fragment=0x2000))
    frames = [*talk().frames, *web.frames, other, piece, b"", b"\1\2\3", *second.frames]
    lines = shown(tmp_path / "c", pcap(frames))
    assert lines[1:11] == LINES
    assert "connection 3" in lines[11]
    assert lines[12:] == [LINES[0]]


def test_a_port_can_be_forced(tmp_path: Path) -> None:
    """Records in tiny fragments do not look like NDMP by themselves (RFC 5531 section 11)."""
    body = OPEN[4:]
    pieces = b"".join(b"\0\0\0\4" + body[at : at + 4] for at in range(0, 24, 4)) + b"\x80\0\0\4" + body[24:]
    content = pcap(Talk().say(pieces).frames)
    assert shown(tmp_path / "c", content, "--port", "10000")[1:] == ["> request 1 CONNECT_OPEN protocol_version=4"]
    assert shown(tmp_path / "c", content, "--port", "10001", code=1) == []


def test_garbage_within_a_dialogue(tmp_path: Path) -> None:
    """Each is told, and the next record is shown."""
    said = [
        (GREETING, True),
        (OPEN, False),
        (record("01020304"), False),
        (request(1, 0x900, "00000004 00000000"), False),
        (request(2, 0xA77, "01020304"), False),
        (request(3, 0x7FE00001), False),
        (reply(2, 0x900, 2, "00000000"), True),
        (b"\xff\xff\xff\xff" + bytes(30), False),
        (b"nonsense that begins no record, for some 60 bytes or so.....", False),
        (STATE, False),
        (OPENED[:20], True),
    ]
    lines = shown(tmp_path / "c", pcap(talk(said).frames), code=1)[1:]
    assert lines.pop(3).startswith("> request 1 CONNECT_OPEN ** ConnectOpen")
    assert lines == [
        *LINES[:2],
        "> ** a record of 4 bytes, shorter than a header",
        "> request 2 code 0x0a77 ** no such message is declared; 4 bytes not decoded",
        "> request 3 FSE_GET_INFO ** extension not selected on this connection; 0 bytes not decoded",
        "< reply 2 to 2 CONNECT_OPEN error=NO_ERR(0)",
        "> ** a record of 2147483647 bytes or more, 1114112 allowed",
        "> ** 60 bytes that begin no record",
        LINES[9],
        "< ** the capture ends within a record",
    ]


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_every_truncation_is_told(make: Callable[[Sequence[bytes]], bytes]) -> None:
    """A cut between packets or blocks is an end; any other says where it is."""
    frames = talk([(GREETING, True)]).frames
    content = make(frames)
    ends = {len(make(frames[:count])) for count in range(len(frames))}
    if make is pcapng:
        # Behind the section header, the unknown block and the interface.
        ends |= {28, 28 + 16, 28 + 16 + 32}
    for length in range(len(content)):
        heard = list[Heard]()
        problem = pytest.raises(CaptureError, match=f"ends at byte {length},|not a pcap")
        with nullcontext() if length in ends else problem:
            heard.extend(listen(read_packets(BytesIO(content[:length]))))
        assert not heard


def test_what_comes_before_a_cut_is_shown(tmp_path: Path) -> None:
    content = pcap(talk().frames)
    (tmp_path / "c").write_bytes(content[:-1])
    result = decode(tmp_path / "c", code=1)
    assert [line.split(" ", 2)[2] for line in result.stdout.splitlines()[1:]] == LINES[:-1]
    assert (
        result.stderr == f"ndmpdup: {tmp_path}/c: the file ends at byte {len(content) - 1}, within a packet or block\n"
    )


@given(
    garbage=st.binary(max_size=200),
    before=st.sampled_from([pcap([]), pcapng([]), pcap(talk().frames), pcapng(talk().frames)]),
    kept=st.floats(0, 1),
)
def test_garbage_files(garbage: bytes, before: bytes, kept: float) -> None:
    """Whatever a file holds: messages, or our own error."""
    for content in (garbage, before + garbage, before[: int(kept * len(before))] + garbage):
        with suppress(CaptureError):
            list(listen(read_packets(BytesIO(content))))


def test_damaged_files_say_where(tmp_path: Path) -> None:
    frames = talk([(GREETING, True)]).frames
    good, block = pcap(frames), pcapng(frames)
    cases = [
        (b"", "no hex digits"),
        (b"hello world", "neither a pcap or pcapng file nor hex: not hex"),
        (b"\xff\xfe\xfd\xfc", "not text"),
        (b"8000001", "an odd number of hex digits"),
        (pcap([]), "no NDMP message found"),
        (good + b"\0" * 8 + b"\xff" * 8, "a packet of 4294967295 bytes"),
        (block + b"\6\0\0\0\5\0\0\0", "a block of 5 bytes"),
        (block + b"\6\0\0\0\xfc\xff\xff\xff", "the file is damaged"),
        (block + b"\7\0\0\0\xfc\xff\xff\x7f", "the file ends at byte"),
        (block + b"\x0a\x0d\x0d\x0a" + bytes(8), "no byte order magic"),
        (block + b"\6\0\0\0\x0c\0\0\0\x0c\0\0\0", "makes no sense"),
    ]
    for content, words in cases:
        (tmp_path / "c").write_bytes(content)
        result = decode(tmp_path / "c", code=1)
        assert words in result.stderr, (words, result.stderr)
        assert (LINES[0] in result.stdout) is (content.startswith((good, block))), words


def test_recorded_captures() -> None:
    """All that ndmjob said to ndmjob decodes; its logins are hidden."""
    files = sorted(FIXTURES.glob("*.pcap.gz"))
    assert len(files) >= 10
    for path in files:
        lines = decode(path).stdout.splitlines()
        assert "connection 1: application" in lines[0]
        assert "(hidden)" in "".join(lines) or "CLIENT_AUTH" not in "".join(lines)
        assert "**" not in "".join(lines)


def test_a_gzipped_capture(tmp_path: Path) -> None:
    packed = gzip.compress(pcap(talk().frames), mtime=0)
    assert shown(tmp_path / "c", packed)[1:] == LINES
    for content in (packed[:-20], packed[:40] + b"\xff" * 40 + packed[80:], packed[:3]):
        (tmp_path / "c").write_bytes(content)
        assert "damaged gzip file" in decode(tmp_path / "c", code=1).stderr


def test_recorded_dialogues() -> None:
    for path in sorted(FIXTURES.glob("ndmjob_*.hex")):
        records = [line for line in path.read_text().splitlines() if line[:1] in ("<", ">")]
        lines = [line for line in decode(path).stdout.splitlines() if not line.startswith("#")]
        assert [line.split()[1] for line in lines] == [line[0] for line in records]
        assert "**" not in "".join(lines)
    labels = decode(FIXTURES / "ndmjob_labels.hex").stdout
    assert (
        '\n1 > request 4 TAPE_OPEN device="tape" mode=RDWR(1)\n1 < reply 5 to 4 TAPE_OPEN error=NO_ERR(0)\n' in labels
    )
    assert 'proof=AuthMd5(user="ndmp", digest=(hidden))' in labels
    assert "818b9ae2" not in labels
    assert "\n2 < post 1 NOTIFY_CONNECTION_STATUS" in labels


def test_hex_arguments() -> None:
    mark, words = OPEN[:4].hex(), OPEN[4:].hex(" ", 4)
    expected = "# hex, connection 1\n1 request 1 CONNECT_OPEN protocol_version=4\n"
    cases = [[f"{mark} {words}"], [words], [mark, *words.split()], [f"0x{OPEN.hex()}"], [OPEN.hex(":").upper()]]
    for arguments in cases:
        assert decode(*arguments).stdout == expected, arguments
    both = decode((OPEN + OPENED).hex()).stdout.splitlines()
    assert [line[2:] for line in both[1:]] == [LINES[1][2:], LINES[2][2:]]
    assert "FSE_GET_INFO" in decode(request(1, 0x7FE00001).hex()).stdout
    assert "it ends within a record" in decode(OPEN[:-1].hex(), code=1).stdout
    assert "** ConnectOpen" in decode(OPEN[4:-1].hex(), code=1).stdout
    assert "it ends within a record" in decode("80", code=1).stdout


def test_a_bad_line_of_a_dialogue(tmp_path: Path) -> None:
    (tmp_path / "c").write_text(f"# one\n< {GREETING.hex()}\n> 12 zz\n\n> {OPEN.hex()}\n")
    lines = decode(tmp_path / "c", code=1).stdout.splitlines()[1:]
    assert lines == [f"1 {LINES[0]}", "1 > ** line 3: not hex", f"1 {LINES[1]}"]


def test_full(tmp_path: Path) -> None:
    lines = shown(tmp_path / "c", pcap(talk([(OPEN, False)]).frames), "--full")
    assert lines[1:] == [
        "> request CONNECT_OPEN (0x0900)",
        "    sequence: 1",
        "    time: 2024-10-04 14:47:28 UTC",
        "    header error: NO_ERR(0)",
        "    body:",
        "      protocol_version: 4",
    ]


def test_json(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(pcap(talk([(GREETING, True), (record("01020304"), True), (LOGIN, False)]).frames))
    result = decode(tmp_path / "c", "--json", code=1)
    document = json.loads(result.stdout)
    assert document["success"] is False
    greeting, short, login = document["messages"]
    assert greeting == {
        "input": f"{tmp_path}/c",
        "connection": 1,
        "time": 57600.000003,
        "source": "10.0.0.2:10000",
        "target": "10.0.0.1:40000",
        "from_host": True,
        "name": "NOTIFY_CONNECTION_STATUS",
        "header": {
            "sequence": 1,
            "time_stamp": 0x67000000,
            "type": "post",
            "code": 0x502,
            "reply_sequence": 0,
            "error": "NO_ERR",
        },
        "fields": {"reason": "CONNECTED", "version": 4, "text": "Hello"},
        "problem": None,
    }
    assert (short["header"], short["name"], short["fields"]) == (None, None, None)
    assert short["problem"] == "a record of 4 bytes, shorter than a header"
    assert login["fields"] == {"proof": {"arm": "AuthText", "user": "u", "password": "(hidden)"}}


def test_help_teaches() -> None:
    text = decode("--help").stdout
    assert "  ndmpdup decode capture.pcap --port 20001 --full" in text
    assert "exit code is 1 if something could not be decoded" in " ".join(text.split())


def test_usage() -> None:
    cases = [
        ([], "Missing argument"),
        (["absent.pcap"], "'absent.pcap' is no file"),
        (["8000001"], "an odd number of hex digits"),
        (["\x1b[2J"], "is no file"),
        (["z" * 5000], "is no file"),
        (["00", "--port", "0"], "--port"),
    ]
    for arguments, words in cases:
        result = decode(*arguments, code=2)
        assert words in result.stderr, arguments
        assert "\x1b" not in result.stderr
        assert result.stdout == ""
