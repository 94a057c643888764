"""An object's image: its fragments, and the descriptor that goes with the bytes wherever they go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from duplicator.catalog import Copy, Fragment, ObjectState, StoredObject
from duplicator.digests import algorithm_by_name, digest_name
from duplicator.xbsa.wire import Descriptor, Hex, Quad

__all__ = [
    "DATA",
    "DESCRIPTOR",
    "LONGEST_DOCUMENT",
    "DocumentError",
    "descriptor_of",
    "fragment_named",
    "read_document",
    "write_document",
]

DATA: Final = "data"
"""The fragment with the object's bytes as they are."""
DESCRIPTOR: Final = "object.json"
"""The fragment that tells what they are."""
LONGEST_DOCUMENT: Final = 1 << 16


class DocumentError(ValueError):
    """A descriptor that cannot be read."""


@dataclass(frozen=True, slots=True)
class _Document:
    format: Literal[1]
    copy_id: Annotated[int, Field(ge=1, lt=1 << 63)]
    user: Annotated[str, Field(min_length=1, max_length=256)]
    host: Annotated[str, Field(max_length=1024)]
    created: datetime
    restore_order: Quad
    size: Annotated[int, Field(ge=0, lt=1 << 63)]
    algorithm: str
    digest: Hex
    object: Descriptor


_DOCUMENT: Final = TypeAdapter(_Document)


def fragment_named(copy: Copy, name: str) -> Fragment | None:
    """The fragment of a copy by its name."""
    return next((fragment for fragment in copy.fragments if fragment.name == name), None)


def descriptor_of(stored: StoredObject) -> Descriptor:
    """What its application said of an object."""
    # The types were validated when they came.
    return Descriptor(
        bsa_owner=stored.bsa_owner,
        app_owner=stored.app_owner,
        space=stored.space,
        path=stored.path,
        copy_type=stored.copy_type,  # type: ignore[arg-type]
        object_type=stored.object_type,  # type: ignore[arg-type]
        resource_type=stored.resource_type,
        description=stored.description,
        info=stored.info.hex(),
        estimated_size=stored.estimated_size,
    )


def write_document(stored: StoredObject, *, size: int, digest: bytes) -> bytes:
    """The descriptor of an object whose data is staged, as JSON."""
    document = _Document(
        format=1,
        copy_id=stored.copy_id,
        user=stored.user,
        host=stored.host,
        created=stored.created,
        restore_order=stored.restore_order,
        size=size,
        algorithm=digest_name(stored.algorithm),
        digest=digest.hex(),
        object=descriptor_of(stored),
    )
    return _DOCUMENT.dump_json(document, indent=1) + b"\n"


def read_document(text: bytes, *, unit: str, image: str) -> StoredObject:
    """The object that a descriptor tells of, in image ``image`` of disk unit ``unit``; DocumentError."""
    try:
        found = _DOCUMENT.validate_json(text)
        algorithm = algorithm_by_name(found.algorithm)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise DocumentError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise DocumentError(str(error)) from error
    if found.created.tzinfo is None:
        raise DocumentError("created: a time without a zone")
    of = found.object
    return StoredObject(
        copy_id=found.copy_id,
        state=ObjectState.STORED,
        user=found.user,
        host=found.host,
        bsa_owner=of.bsa_owner,
        app_owner=of.app_owner,
        space=of.space,
        path=of.path,
        copy_type=of.copy_type,
        object_type=of.object_type,
        resource_type=of.resource_type,
        description=of.description,
        info=bytes.fromhex(of.info),
        created=found.created,
        estimated_size=of.estimated_size,
        restore_order=found.restore_order,
        unit=unit,
        image=image,
        size=found.size,
        digest=bytes.fromhex(found.digest),
        algorithm=algorithm,
        most_recent=False,
    )
