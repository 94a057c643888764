"""`ndmpdup tape URL memory`: what the chip in a cartridge says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from duplicator.cli.options import Json
from duplicator.cli.tape_options import fail
from duplicator.cli.terminal import plain, print_json, print_table

if TYPE_CHECKING:
    from scsi.parameters import Attribute

__all__ = ["memory"]


def memory(context: typer.Context, *, as_json: Json = False) -> None:
    """Show the memory of the cartridge.

    That is what drives, makers and applications keep in its chip: capacity, loads, serial number, labels.
    """
    from duplicator.cli.tape_opening import opened_transport
    from scsi import drive_reports
    from scsi.device import Device

    with opened_transport(context.obj) as transport:
        device = Device(transport, dismiss=lambda _: True)
        device.ready()
        found = drive_reports.attributes(device)
    if as_json:
        print_json({"attributes": [_document(each) for each in found]})
    elif found:
        rows = [(f"{each.code:#06x}", _name(each), plain(str(_value(each)))) for each in found]
        print_table(("attribute", "meaning", "value"), rows, right=())
    else:
        fail("neither the drive nor the cartridge has such a memory")


def _document(attribute: Attribute) -> dict[str, Any]:
    return {"attribute": attribute.code, "name": _name(attribute), "value": _value(attribute)}


def _name(attribute: Attribute) -> str:
    from scsi.attributes import AttributeCode

    known = AttributeCode(attribute.code)
    return "unknown" if known.name.startswith("UNKNOWN") else known.name.lower().replace("_", " ")


def _value(attribute: Attribute) -> int | str:
    """Text, or a number of up to eight bytes; else hex."""
    from scsi.parameters import AttributeFormat

    if attribute.format != AttributeFormat.BINARY:
        return attribute.text
    return attribute.number if attribute.value_bytes <= 8 else attribute.value.hex()
