"""What `--json` prints: records as plain dictionaries. Sizes in bytes, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from duplicator.catalog import Copy, Fragment, Job, JobEvent, JobTry, Section
from duplicator.digests import digest_name
from duplicator.plan import JobResult
from duplicator.status import Status, status_of_all

__all__ = ["copy_document", "event_document", "job_document", "result_document", "results_document", "try_document"]

Document = dict[str, Any]


def _time(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def result_document(result: JobResult) -> Document:
    """How a job ended."""
    return {
        "job": result.job_id,
        "image": result.image,
        "status": int(result.status),
        "status_text": result.status.text,
        "step": result.step,
        "reason": result.reason,
        "hint": result.status.hint,
        "copy": result.copy_id,
        "volume": result.volume,
        "bytes": result.size,
        "move_seconds": round(result.move_seconds, 6),
        "validated": result.validated,
    }


def results_document(results: Sequence[JobResult], *, interrupted: bool) -> Document:
    """How all jobs of a command ended, each and together."""
    status = Status.CANCELLED if interrupted else status_of_all([result.status for result in results])
    return {
        "jobs": [result_document(result) for result in results],
        "status": int(status),
        "success": not interrupted and all(result.status == 0 for result in results),
        "interrupted": interrupted,
    }


def job_document(job: Job) -> Document:
    """A job as the catalog has it."""
    return {
        "job": job.id,
        "kind": job.kind.value,
        "state": job.state.value,
        "status": None if job.status is None else int(job.status),
        "status_text": None if job.status is None else job.status.text,
        "step": job.step,
        "reason": job.reason,
        "image": job.image,
        "copy": job.copy_id,
        "source": job.source,
        "target": job.target,
        "priority": job.priority,
        "tries": job.tries,
        "policy": job.policy,
        "route": job.route,
        "agents": job.agents,
        "drive": job.drive,
        "volume": job.volume,
        "queued": _time(job.queued),
        "not_before": _time(job.not_before),
        "started": _time(job.started),
        "ended": _time(job.ended),
        "bytes_total": job.bytes_total,
        "bytes_moved": job.bytes_moved,
        "pid": job.pid,
        "host": job.host,
    }


def event_document(event: JobEvent) -> Document:
    """A line of a job's log."""
    return {"time": _time(event.time), "try": event.attempt, "step": event.step, "text": event.text}


def try_document(tried: JobTry) -> Document:
    """One run of a job."""
    return {
        "try": tried.number,
        "started": _time(tried.started),
        "ended": _time(tried.ended),
        "status": None if tried.status is None else int(tried.status),
        "reason": tried.reason,
    }


def copy_document(copy: Copy) -> Document:
    """A copy with its fragments."""
    image = copy.image
    return {
        "copy": copy.id,
        "number": copy.number,
        "state": copy.state.value,
        "image": {
            "host": image.host,
            "unit": image.unit,
            "name": image.name,
            "bytes": image.size,
            "modified": image.modified,
            "fragments": image.fragments,
        },
        "job": copy.job_id,
        "tape_url": copy.tape_url,
        "algorithm": digest_name(copy.algorithm),
        "record_bytes": copy.record_bytes,
        "created": _time(copy.created),
        "validated": _time(copy.validated),
        "validation": copy.validation,
        "expires": _time(copy.expires),
        "route": copy.route,
        "volumes": list(copy.volumes),
        "fragments": [_fragment_document(fragment) for fragment in copy.fragments],
    }


def _fragment_document(fragment: Fragment) -> Document:
    return {
        "index": fragment.index,
        "name": fragment.name,
        "volume": fragment.volume,
        "file_sequence": fragment.file_sequence,
        "bytes": fragment.size,
        "blocks": fragment.blocks,
        "digest": fragment.digest.hex(),
        "sections": [_section_document(section) for section in fragment.sections],
    }


def _section_document(section: Section) -> Document:
    return {
        "section": section.number,
        "volume": section.volume,
        "file_sequence": section.file_sequence,
        "offset": section.offset,
        "bytes": section.size,
        "blocks": section.blocks,
    }
