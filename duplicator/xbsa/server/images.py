"""An object's image: its fragments, and the descriptor that goes with the bytes wherever they go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from duplicator.catalog import Copy, Fragment, ObjectState, StoredObject
from duplicator.digests import algorithm_by_name
from duplicator.xbsa.wire import Descriptor, Hex, Quad

__all__ = [
    "DATA",
    "DESCRIPTOR",
    "LONGEST_DOCUMENT",
    "DocumentError",
    "fragment_named",
    "read_document",
]

DATA: Final = "data"
"""The fragment with the object's bytes as they are."""
DESCRIPTOR: Final = "object.json"
"""The fragment that tells what they are."""
LONGEST_DOCUMENT: Final = 1 << 16


class DocumentError(ValueError):
    """A descriptor that cannot be read."""


@dataclass(frozen=True, slots=True)
class _Document(Descriptor):
    """``object.json``: the object as the catalog had it; what else is in there may come from a later version."""

    format: Literal[1]
    copy_id: Annotated[int, Field(ge=1, lt=1 << 63)]
    user: Annotated[str, Field(min_length=1, max_length=256)]
    host: Annotated[str, Field(max_length=1024)]
    created: AwareDatetime
    restore_order: Quad
    size: Annotated[int, Field(ge=0, lt=1 << 63)]
    algorithm: str
    digest: Hex
    image: str


_DOCUMENT: Final = TypeAdapter(_Document)


def fragment_named(copy: Copy, name: str) -> Fragment | None:
    """The fragment of a copy by its name."""
    return next((fragment for fragment in copy.fragments if fragment.name == name), None)


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
    if found.image != image:
        raise DocumentError(f"it is of image {found.image!r}")
    return StoredObject(
        copy_id=found.copy_id,
        state=ObjectState.STORED,
        user=found.user,
        host=found.host,
        bsa_owner=found.bsa_owner,
        app_owner=found.app_owner,
        space=found.space,
        path=found.path,
        copy_type=found.copy_type,
        object_type=found.object_type,
        resource_type=found.resource_type,
        description=found.description,
        info=bytes.fromhex(found.info),
        created=found.created,
        estimated_size=found.estimated_size,
        restore_order=found.restore_order,
        unit=unit,
        image=image,
        size=found.size,
        digest=bytes.fromhex(found.digest),
        algorithm=algorithm,
        most_recent=False,
    )
