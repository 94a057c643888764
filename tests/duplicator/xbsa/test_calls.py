"""What the calls do and refuse: arguments, buffers, limits, sizes, queries, deletion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from duplicator.xbsa import calls
from duplicator.xbsa.codes import ReturnCode
from duplicator.xbsa.types import (
    BSA_ApiVersion,
    BSA_DataBlock32,
    BSA_Handle,
    BSA_ObjectDescriptor,
    BSA_ObjectName,
    BSA_ObjectOwner,
    BSA_QueryDescriptor,
    BSA_UInt64,
    BSA_Vote,
    Size,
    Strings,
    Text,
)
from tests.duplicator.xbsa.fake_service import NOON, FakeService
from tests.duplicator.xbsa.steps import (
    ENVIRONMENT,
    OK,
    begin,
    block,
    commit,
    create,
    everything,
    get,
    new_object,
    put,
    start,
    words,
)

BAD_BLOCK = ReturnCode.INVALID_DATABLOCK
ALL = ReturnCode.NO_MORE_DATA


def test_arguments_may_not_be_missing(service: FakeService) -> None:
    service.store("/one", b"whole")
    null, query = ReturnCode.NULL_ARGUMENT, everything()
    owner, found, empty = BSA_ObjectOwner(), BSA_ObjectDescriptor(), BSA_DataBlock32()
    cases: list[tuple[Callable[[], int], list[Callable[[int], ReturnCode]]]] = [
        (
            lambda: 0,
            [
                lambda _: calls.BSAQueryApiVersion(None),
                lambda _: calls.BSAGetLastError(None, Text()),
                lambda _: calls.BSAGetLastError(Size(), None),
                lambda _: calls.BSAQueryServiceProvider(None, Text(), Text()),
                lambda _: calls.BSAQueryServiceProvider(Size(99), None, Text()),
                lambda _: calls.BSAQueryServiceProvider(Size(99), Text(), None),
                lambda _: calls.BSAInit(None, None, owner, ENVIRONMENT),
                lambda _: calls.BSAInit(BSA_Handle(), None, None, ENVIRONMENT),
                lambda _: calls.BSAInit(BSA_Handle(), None, owner, None),
            ],
        ),
        (
            begin,
            [
                lambda h: calls.BSAGetEnvironment(h, None, Strings(99)),
                lambda h: calls.BSAGetEnvironment(h, owner, None),
                lambda h: calls.BSACreateObject(h, None, empty),
                lambda h: calls.BSACreateObject(h, new_object(), None),
                lambda h: calls.BSAGetObject(h, None, empty),
                lambda h: calls.BSAGetObject(h, BSA_ObjectDescriptor(copyId=BSA_UInt64(0, 1)), None),
                lambda h: calls.BSAQueryObject(h, None, found),
                lambda h: calls.BSAQueryObject(h, query, None),
                lambda h: calls.BSADeleteObject(h, None),
            ],
        ),
    ]
    for prepare, refused in cases:
        handle = prepare()
        for number, call in enumerate(refused):
            assert call(handle) == null, number
    assert calls.BSAEndTxn(handle, 2) == OK
    assert calls.BSABeginTxn(handle) == OK
    create(handle)
    assert calls.BSASendData(handle, None) == null
    assert calls.BSAEndTxn(handle, 2) == OK
    assert calls.BSABeginTxn(handle) == OK
    get(handle, 1)
    assert calls.BSAGetData(handle, None) == null


def test_version_and_provider() -> None:
    version = BSA_ApiVersion()
    assert calls.BSAQueryApiVersion(version) == OK
    assert version == BSA_ApiVersion(1, 1, 0)
    text = "ndmpdup/xbsa/1.1.0"
    size, delimiter, provider = Size(0), Text("kept"), Text("kept")
    for room in (0, len(text)):
        size.value = room
        assert calls.BSAQueryServiceProvider(size, delimiter, provider) == ReturnCode.BUFFER_TOO_SMALL
        assert (size.value, delimiter.value, provider.value) == (len(text) + 1, "kept", "kept")
    assert calls.BSAQueryServiceProvider(size, delimiter, provider) == OK
    assert (delimiter.value, provider.value) == ("/", text)
    start("BSA_DELIMITER=:")
    assert calls.BSAQueryServiceProvider(size, delimiter, provider) == OK
    assert (delimiter.value, provider.value) == (":", "ndmpdup:xbsa:1.1.0")


def test_the_environment_is_given_back() -> None:
    handle = start("NBBSA_KEYWORD=é", "OTHER=")
    needed = len("BSA_API_VERSION=1.1.0") + 1 + len("NBBSA_KEYWORD=") + 2 + 1 + len("OTHER=") + 1
    owner, environment = BSA_ObjectOwner("kept"), Strings(needed - 1, ["kept"])
    assert calls.BSAGetEnvironment(handle, owner, environment) == ReturnCode.BUFFER_TOO_SMALL
    assert (owner, environment) == (BSA_ObjectOwner("kept"), Strings(needed, ["kept"]))
    assert calls.BSAGetEnvironment(handle, owner, environment) == OK
    assert owner == BSA_ObjectOwner("owner", "app")
    assert environment.value == ["BSA_API_VERSION=1.1.0", "NBBSA_KEYWORD=é", "OTHER="]


def test_last_error() -> None:
    handle = start()
    assert calls.BSAEndData(handle) == ReturnCode.INVALID_CALL_SEQUENCE
    size, text = Size(0), Text("kept")
    assert calls.BSAGetLastError(size, text) == OK
    needed = size.value
    size.value = needed - 1
    assert calls.BSAGetLastError(size, text) == ReturnCode.BUFFER_TOO_SMALL
    assert (size.value, text.value) == (needed, "kept")
    assert calls.BSAGetLastError(size, text) == OK
    assert text.value == "BSAEndData: INVALID_CALL_SEQUENCE: END_DATA is not allowed in the state SESSION"
    assert needed == len(text.value) + 1
    assert calls.BSATerminate(handle) == OK
    assert words() == text.value


def test_one_session_and_its_handle() -> None:
    first = start()
    assert calls.BSAInit(BSA_Handle(), None, BSA_ObjectOwner(), ENVIRONMENT) == ReturnCode.INVALID_CALL_SEQUENCE
    assert calls.BSATerminate(first) == OK
    second = start()
    assert second != first
    assert calls.BSABeginTxn(first) == ReturnCode.INVALID_HANDLE
    assert calls.BSABeginTxn(second) == OK
    assert calls.BSAInit(BSA_Handle(), "t" * 64, BSA_ObjectOwner(), ENVIRONMENT) == ReturnCode.AUTHENTICATION_FAILURE


def test_limits_of_texts(service: FakeService) -> None:
    """Bytes in UTF-8 with a NUL: the longest fits, one more does not."""
    fits: dict[str, tuple[int, Callable[[BSA_ObjectDescriptor, str], None]]] = {
        "bsa_ObjectOwner": (63, lambda d, t: setattr(d.objectOwner, "bsa_ObjectOwner", t)),
        "app_ObjectOwner": (63, lambda d, t: setattr(d.objectOwner, "app_ObjectOwner", t)),
        "objectSpaceName": (1023, lambda d, t: setattr(d.objectName, "objectSpaceName", t)),
        "pathName": (1023, lambda d, t: setattr(d.objectName, "pathName", t)),
        "resourceType": (30, lambda d, t: setattr(d, "resourceType", t)),
        "objectDescription": (99, lambda d, t: setattr(d, "objectDescription", t)),
    }
    handle = begin()
    for name, (limit, put_into) in fits.items():
        for text in ("/" + "x" * limit, "/" + "é" * (limit // 2 + 1), "/\0", "/\ud800"):
            descriptor, query = new_object(), everything()
            put_into(descriptor, text)
            assert code_of(handle, descriptor) == ReturnCode.INVALID_OBJECTDESCRIPTOR, (name, text)
            assert name in words()
            put_into(query, text)  # type: ignore[arg-type]
            found = BSA_ObjectDescriptor()
            assert calls.BSAQueryObject(handle, query, found) == ReturnCode.INVALID_QUERYDESCRIPTOR, (name, text)
        descriptor = new_object()
        put_into(descriptor, "/" + "x" * (limit - 1))
        create(handle, descriptor)
        assert calls.BSAEndTxn(handle, BSA_Vote.ABORT) == OK
        assert calls.BSABeginTxn(handle) == OK
    create(handle, replace(new_object(), objectInfo=bytes(256)))


def test_object_descriptors(service: FakeService) -> None:
    handle, good = begin(), new_object()
    wrong = [
        replace(good, objectName=BSA_ObjectName("", "")),
        replace(good, objectName=BSA_ObjectName("", "relative")),
        replace(good, objectName=BSA_ObjectName("", None)),  # type: ignore[arg-type]
        replace(good, resourceType=""),
        replace(good, objectInfo=bytes(257)),
        replace(good, objectInfo="text"),  # type: ignore[arg-type]
        *(replace(good, copyType=value) for value in (0, 1, 4)),
        *(replace(good, objectType=value) for value in (0, 1, 5)),
        *(replace(good, estimatedSize=BSA_UInt64(*halves)) for halves in ((-1, 0), (0, 1 << 32))),
    ]
    for descriptor in wrong:
        assert code_of(handle, descriptor) == ReturnCode.INVALID_OBJECTDESCRIPTOR, descriptor
    answer = BSA_DataBlock32(9, 9, 9, 9, 9, bytearray(9))
    assert calls.BSACreateObject(handle, good, answer) == OK
    assert answer == BSA_DataBlock32(0, 0, 0, 0, 0, bytearray(9))
    assert (int(good.copyId), good.createTime) == (1, NOON + timedelta(minutes=1))


def test_send_buffers(service: FakeService) -> None:
    handle = begin()
    create(handle)
    wrong = [
        BSA_DataBlock32(bufferLen=2, numBytes=3, bufferPtr=bytearray(9)),
        BSA_DataBlock32(bufferLen=3, numBytes=2, headerBytes=2, bufferPtr=bytearray(9)),
        BSA_DataBlock32(bufferLen=10, numBytes=10, bufferPtr=bytearray(9)),
        BSA_DataBlock32(bufferLen=3, numBytes=3),
        BSA_DataBlock32(bufferLen=3, numBytes=3, bufferPtr="abc"),  # type: ignore[arg-type]
        BSA_DataBlock32(bufferLen=3, numBytes=-1, bufferPtr=bytearray(9)),
        BSA_DataBlock32(bufferLen=3, numBytes=1, headerBytes=-1, bufferPtr=bytearray(9)),
        BSA_DataBlock32(bufferLen=1 << 32, numBytes=1, bufferPtr=bytearray(9)),
    ]
    for each in wrong:
        assert calls.BSASendData(handle, each) == BAD_BLOCK, each
    full = block(b"abc")
    before = replace(full)
    assert calls.BSASendData(handle, full) == OK
    assert full == before
    assert calls.BSASendData(handle, BSA_DataBlock32(5, 3, 2, bufferPtr=b"..def")) == OK
    assert calls.BSASendData(handle, block(b"last", 9)) == OK
    assert calls.BSASendData(handle, block(b"more")) == BAD_BLOCK
    assert calls.BSASendData(handle, block(b"")) == BAD_BLOCK
    assert calls.BSAEndData(handle) == OK
    second = put(handle, b"the next begins anew", path="/second")
    commit(handle)
    assert [content for _, content in service.objects.values()] == [b"abcdeflast", b"the next begins anew"]
    assert second == 2


@pytest.mark.parametrize("way", ["auto", "socket"])
def test_get_buffers(service: FakeService, way: str) -> None:
    """Full buffers, and the end of the object with its last bytes."""
    content = bytes(range(256)) * 40
    service.store("/one", content)
    handle = start(f"NDMPDUP_XBSA_DATA={way}")
    assert calls.BSABeginTxn(handle) == OK
    for size in (1, 7, 1000, len(content), len(content) + 1):
        get(handle, 1)
        got, code = bytearray(), OK
        while code == OK:
            one = BSA_DataBlock32(bufferLen=size, numBytes=77, bufferPtr=bytearray(size))
            before = replace(one)
            code = calls.BSAGetData(handle, one)
            assert replace(one, numBytes=77) == before
            assert one.numBytes == size or code == ALL
            assert isinstance(one.bufferPtr, bytearray)
            got += one.bufferPtr[: one.numBytes]
        assert code == ALL, words()
        assert one.numBytes > 0
        assert got == content
        assert calls.BSAGetData(handle, one) == ALL
        assert one.numBytes == 0
        assert calls.BSAEndData(handle) == OK
    commit(handle)


def test_get_buffers_that_cannot_be_filled(service: FakeService) -> None:
    service.store("/one", b"whole")
    handle = begin()
    answer = BSA_DataBlock32(9, 9, 9, 9, 9)
    assert calls.BSAGetObject(handle, BSA_ObjectDescriptor(copyId=BSA_UInt64(0, 1)), answer) == OK
    assert answer == BSA_DataBlock32()
    for wrong in (
        BSA_DataBlock32(),
        BSA_DataBlock32(bufferLen=3, bufferPtr=bytes(3)),
        BSA_DataBlock32(bufferLen=4, bufferPtr=bytearray(3)),
        BSA_DataBlock32(bufferLen=3, headerBytes=3, bufferPtr=bytearray(3)),
    ):
        assert calls.BSAGetData(handle, wrong) == BAD_BLOCK, wrong
    room = bytearray(b"##########")
    behind_header = BSA_DataBlock32(bufferLen=9, headerBytes=2, bufferPtr=room)
    assert calls.BSAGetData(handle, behind_header) == ALL
    assert room == b"##whole###"


def test_empty_objects(service: FakeService) -> None:
    """A zero estimate: no data may come. Another estimate: none has to."""
    handle = begin()
    create(handle, new_object("/none", estimate=0))
    assert calls.BSASendData(handle, block(b"")) == ReturnCode.INVALID_CALL_SEQUENCE
    assert calls.BSAEndData(handle) == OK
    put(handle, path="/unknown")
    commit(handle)
    assert [content for _, content in service.objects.values()] == [b"", b""]
    assert calls.BSABeginTxn(handle) == OK
    get(handle, 1)
    one = BSA_DataBlock32(bufferLen=9, bufferPtr=bytearray(9))
    assert calls.BSAGetData(handle, one) == ALL
    assert one.numBytes == 0
    assert calls.BSAEndData(handle) == OK


def test_an_estimate_is_no_limit(service: FakeService) -> None:
    handle = begin()
    create(handle, new_object(estimate=1))
    assert calls.BSASendData(handle, block(b"more than one")) == OK
    assert calls.BSAEndData(handle) == OK
    commit(handle)
    assert service.objects[1][1] == b"more than one"


def test_the_rest_may_be_unwanted(service: FakeService) -> None:
    service.store("/one", bytes(20_000_000))
    handle = begin()
    get(handle, 1)
    assert calls.BSAGetData(handle, BSA_DataBlock32(bufferLen=9, bufferPtr=bytearray(9))) == OK
    assert calls.BSAEndData(handle) == OK
    assert [(status.bytes, status.complete) for status in service.statuses] == [(9, False)]


def test_copy_ids(service: FakeService) -> None:
    handle = begin()
    for number, code in ((0, ReturnCode.INVALID_COPYID), (7, ReturnCode.OBJECT_NOT_FOUND)):
        wanted = BSA_ObjectDescriptor(copyId=BSA_UInt64(0, number), objectName=BSA_ObjectName("", "/ignored"))
        assert calls.BSAGetObject(handle, wanted, BSA_DataBlock32()) == code
        assert calls.BSADeleteObject(handle, BSA_UInt64(0, number)) == code
    for left, right in ((-1, 1), (1 << 32, 0), (0, 1 << 32)):
        assert calls.BSADeleteObject(handle, BSA_UInt64(left, right)) == ReturnCode.INVALID_COPYID
    assert int(BSA_UInt64(1, 2)) == (1 << 32) + 2


def test_a_backup_is_there_at_commit(service: FakeService) -> None:
    for end in (
        lambda h: calls.BSAEndTxn(h, BSA_Vote.ABORT),
        calls.BSATerminate,
        lambda h: calls.BSAEndTxn(h, BSA_Vote.COMMIT),
    ):
        handle = begin()
        put(handle, b"one", path="/one")
        put(handle, b"two", path="/two")
        assert service.objects == {}
        assert end(handle) == OK
        calls.BSATerminate(handle)
    assert [found.descriptor.path for found, _ in service.objects.values()] == ["/one", "/two"]


def test_deletion_at_commit(service: FakeService) -> None:
    for path in ("/one", "/two", "/three"):
        service.store(path)
    handle = begin()
    for number in (1, 3, 3):
        assert calls.BSADeleteObject(handle, BSA_UInt64(0, number)) == OK
    found = BSA_ObjectDescriptor()
    assert calls.BSAQueryObject(handle, everything("/one"), found) == OK
    assert calls.BSAEndTxn(handle, BSA_Vote.ABORT) == OK
    assert list(service.objects) == [1, 2, 3]
    assert calls.BSABeginTxn(handle) == OK
    for number in (1, 3):
        assert calls.BSADeleteObject(handle, BSA_UInt64(0, number)) == OK
    commit(handle)
    assert list(service.objects) == [2]


def paths(handle: int, query: BSA_QueryDescriptor) -> list[str]:
    found, names = BSA_ObjectDescriptor(), []
    code = calls.BSAQueryObject(handle, query, found)
    while code == OK:
        names.append(found.objectName.pathName)
        code = calls.BSAGetNextQueryObject(handle, found)
    assert code in (ALL, ReturnCode.NO_MATCH), words()
    return names


def test_queries(service: FakeService) -> None:
    service.store("/a/1", space="", app_owner="x")
    service.store("/a/2", space="room", copy_type=2)  # type: ignore[arg-type]
    service.store("/b/1", resource_type="other", object_type=3)  # type: ignore[arg-type]
    service.store("/a/1", description="again")
    handle, any_ = begin(), everything()
    anyone, minute = BSA_ObjectOwner("*", "*"), timedelta(minutes=1)
    cases: list[tuple[BSA_QueryDescriptor, list[str]]] = [
        (any_, ["/a/1", "/a/2", "/b/1", "/a/1"]),
        (everything("/a/*"), ["/a/1", "/a/2", "/a/1"]),
        (everything("/?/1"), ["/a/1", "/b/1", "/a/1"]),
        (everything(""), []),
        (replace(any_, objectName=BSA_ObjectName("", "*")), ["/a/1", "/b/1", "/a/1"]),
        (replace(any_, objectOwner=BSA_ObjectOwner("*", "x")), ["/a/1"]),
        (replace(any_, objectOwner=BSA_ObjectOwner("", "")), ["/a/2", "/b/1", "/a/1"]),
        (replace(any_, objectOwner=anyone, copyType=2), ["/a/2"]),
        (replace(any_, objectType=3), ["/b/1"]),
        (replace(any_, resourceType="oth??"), ["/b/1"]),
        (replace(any_, resourceType=""), []),
        (replace(any_, objectDescription="again"), ["/a/1"]),
        (replace(everything("/a/1"), objectStatus=2), ["/a/1"]),
        (replace(any_, objectStatus=3), ["/a/1"]),
        (replace(any_, createTime_from=NOON + 2 * minute), ["/a/2", "/b/1", "/a/1"]),
        (replace(any_, createTime_from=NOON + 2 * minute, createTime_to=NOON + 3 * minute), ["/a/2", "/b/1"]),
    ]
    for query, expected in cases:
        assert paths(handle, query) == expected, query
    for wrong in (
        BSA_QueryDescriptor(),
        replace(any_, copyType=4),
        replace(any_, objectType=0),
        replace(any_, objectStatus=4),
        replace(any_, createTime_from=datetime(2026, 1, 1)),  # noqa: DTZ001
    ):
        assert calls.BSAQueryObject(handle, wrong, BSA_ObjectDescriptor()) == ReturnCode.INVALID_QUERYDESCRIPTOR, wrong


def test_what_a_query_tells(service: FakeService) -> None:
    told = {"bsa_owner": "b", "app_owner": "a", "space": "s", "description": "d", "info": "00ff"}
    number = service.store("/one", b"whole", **told)
    handle, found = begin(), BSA_ObjectDescriptor()
    assert calls.BSAQueryObject(handle, everything(), found) == OK
    assert found == BSA_ObjectDescriptor(
        objectOwner=BSA_ObjectOwner("b", "a"),
        objectName=BSA_ObjectName("s", "/one"),
        createTime=NOON + timedelta(minutes=1),
        copyType=3,
        copyId=BSA_UInt64(0, number),
        estimatedSize=BSA_UInt64(0, 5),
        resourceType="test",
        objectType=2,
        objectStatus=2,
        objectDescription="d",
        objectInfo=b"\x00\xff",
    )


def test_queries_take_all_pages(service: FakeService) -> None:
    service.page = 3
    for number in range(10):
        service.store(f"/{number}")
    handle = begin()
    assert paths(handle, everything()) == [f"/{number}" for number in range(10)]
    assert calls.BSAGetNextQueryObject(handle, BSA_ObjectDescriptor()) == ALL


def test_queries_ask_for_this_host(service: FakeService) -> None:
    service.store("/one")
    handle = start("NBBSA_CLIENT_HOST=elsewhere")
    assert calls.BSABeginTxn(handle) == OK
    assert calls.BSAQueryObject(handle, everything(), BSA_ObjectDescriptor()) == ReturnCode.NO_MATCH


def code_of(handle: int, descriptor: BSA_ObjectDescriptor) -> ReturnCode:
    return calls.BSACreateObject(handle, descriptor, BSA_DataBlock32())
