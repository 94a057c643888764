"""Whatever a device sends is read, or refused with one exception of ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scsi import cdb, smc, spc
from scsi.elements import parse_status
from scsi.errors import FieldError, IllegalRequest
from scsi.inquiry import InquiryData, parse_identification, parse_page_list, parse_serial
from scsi.modes import ModeParameters
from scsi.parameters import parse_attributes, parse_log_page, parse_registrations, parse_reservation, parse_units

assert {spc.Inquiry, smc.MoveMedium} <= set(cdb.commands().values())

READERS: tuple[Callable[[bytes], object], ...] = (
    parse_status,
    InquiryData.parse,
    parse_page_list,
    parse_serial,
    parse_identification,
    lambda raw: ModeParameters.parse(raw, long=False),
    lambda raw: ModeParameters.parse(raw, long=True),
    lambda raw: parse_log_page(raw).parameters,
    parse_attributes,
    parse_registrations,
    parse_reservation,
    parse_units,
)

# Few different bytes, so that lengths often fit.
BYTES = st.one_of(
    st.binary(max_size=200), st.lists(st.sampled_from([0, 1, 4, 8, 16, 52, 0x80]), max_size=200).map(bytes)
)


@pytest.mark.parametrize("read", READERS)
@given(raw=BYTES)
def test_parameter_data(read: Callable[[bytes], object], raw: bytes) -> None:
    try:
        read(raw)
    except FieldError:
        return


@given(raw=st.binary(max_size=20))
def test_commands_come_back_as_they_were(raw: bytes) -> None:
    """What is read and written again is the same command; only reserved bits are lost."""
    try:
        command = cdb.decode(raw)
    except IllegalRequest:
        return
    again = command.encode()
    assert len(again) == len(raw)
    assert (again[0], again[-1]) == (raw[0], raw[-1])
    assert cdb.decode(again) == command
