"""mtx, loaderinfo and the kernel's changer driver on the virtual library, in a guest."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import subprocess
from collections.abc import Sequence

import pytest

from tests.kernel.device_contracts import emptied
from tests.kernel.strangers_bench import CHANGER, SLOTS, TALE, TINY, ask, mt, mtx, says

ARM = "/dev/sch0"


@pytest.fixture(autouse=True)
def _empty_drive() -> None:
    emptied()


def held(kind: str, number: int) -> str:
    """The label in a place, as mtx prints it; empty for none."""
    ((full, label),) = re.findall(rf"{kind} {number}(?: IMPORT/EXPORT)?:(Empty|Full).*?VolumeTag ?= ?(\S*)", status())
    assert (full == "Full") == bool(label)
    return label


def status() -> str:
    done = subprocess.run(["mtx", "-f", CHANGER, "status"], capture_output=True, text=True, timeout=60, check=True)
    return re.sub(r"(Element \d+:Empty)$", r"\1:VolumeTag=", done.stdout, flags=re.MULTILINE)


def test_mtx() -> None:
    one, two, free, door = SLOTS[TALE], SLOTS[TINY], SLOTS["free"], SLOTS["door"]
    slot = "Storage Element"
    for words, places in (
        (f"transfer {one} {free}", {one: "", free: TALE}),
        (f"transfer {free} {one}", {one: TALE, free: ""}),
        (f"exchange {one} {two} {one}", {one: TINY, two: TALE}),
        (f"exchange {one} {two}", {one: TALE, two: TINY}),
        (f"transfer {one} {door}", {one: "", door: TALE}),
        (f"transfer {door} {one}", {one: TALE, door: ""}),
        (f"position {one}", {one: TALE}),
    ):
        mtx(*words.split())
        assert {number: held(slot, number) for number in places} == places, words
    mtx("load", str(one), "0")
    assert held("Data Transfer Element", 0) == TALE
    says(status(), f"Storage Element {one} Loaded")
    says(mtx("load", str(two), "0", code=1), f"Drive 0 Full (Storage Element {one} loaded)")
    mt("load")
    mt("rewind")
    # A tape that is in use is held fast: 05/53/02.
    says(mtx("unload", str(one), "0", code=1), "Additional Sense Code = 53", "Additional Sense Qualifier = 02")
    mt("offline")
    mtx("unload", str(one), "0")
    says(mtx("transfer", str(free), str(one), code=1), "Empty")
    # It means LOAD UNLOAD, which moves magazines; this library has none.
    says(mtx("eject"), "Eject (0x1B) failed", "Additional Sense Code = 20")
    says(mtx("inquiry"), "Product Type: Medium Changer", "Product ID: 'TAPE LIBRARY '")
    mtx("inventory")
    says(
        ask("loaderinfo", "-f", CHANGER),
        *(
            "Number of Storage Elements: 60",
            "Number of Import/Export Elements: 1",
            "Number of Data Transfer Elements: 1",
        ),
        *(
            "Transport Geometry Descriptor Page: Yes",
            "Invertable: No",
            "Transfer Storage: ->Data Transfer, ->Import/Export",
        ),
        "Exchange Storage: <>Data Transfer, <>Import/Export, <>Storage",
    )


class _Move(ctypes.Structure):
    """struct changer_move of <linux/chio.h>."""

    _fields_ = tuple((name, ctypes.c_int) for name in ("from_type", "from_unit", "to_type", "to_unit", "flags"))


class _Status(ctypes.Structure):
    """struct changer_element_status."""

    _fields_ = (("type", ctypes.c_int), ("flags", ctypes.c_void_p))


def order(node: int, number: int, *, writes: int, argument: ctypes.Structure | ctypes.Array[ctypes.c_int]) -> None:
    fcntl.ioctl(node, writes << 30 | ctypes.sizeof(argument) << 16 | ord("c") << 8 | number, argument, True)


def test_the_kernels_changer_driver() -> None:
    one, arm = SLOTS[TALE] - 1, os.open(ARM, os.O_RDWR)
    try:
        counts = (ctypes.c_int * 5)()  # struct changer_params: the current arm; arms, slots, ports, drives
        order(arm, 6, writes=2, argument=counts)
        assert counts[1:5] == [1, 60, 1, 1]

        def full(kind: int, room: int) -> Sequence[bool]:
            flags = (ctypes.c_ubyte * room)()
            order(arm, 8, writes=1, argument=_Status(kind, ctypes.addressof(flags)))
            return [bool(flag & 1) for flag in flags]

        slots = full(1, 60)
        assert [number + 1 for number, is_full in enumerate(slots) if not is_full] == list(range(SLOTS["free"], 61))
        order(arm, 1, writes=1, argument=_Move(1, one, 3, 0, 0))
        assert (full(3, 1), full(1, 60)[one]) == ([True], False)
        with pytest.raises(OSError, match="Invalid exchange"):  # EBADE: what the driver makes of 05/3B/0E
            order(arm, 1, writes=1, argument=_Move(1, one, 3, 0, 0))
        order(arm, 1, writes=1, argument=_Move(3, 0, 1, one, 0))
        assert (full(3, 1), full(1, 60)) == ([False], slots)
    finally:
        os.close(arm)
