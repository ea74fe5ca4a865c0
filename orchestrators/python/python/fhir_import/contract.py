"""The records of the contract (``wit/types.wit``), as the dictionaries that they are in Python.

Times are Unix milliseconds. A variant is a string when it holds nothing, else a dictionary with one key.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Dict, Iterable, List, Literal, Mapping, Optional, Tuple, TypedDict, Union

Purpose = Literal["Import", "Detect", "Verify"]

Dialect = Union[Literal["Detect"], Dict[Literal["Named", "Defined"], str]]
"""``"Detect"``, ``{"Named": "hapi"}``, or ``{"Defined": json}``."""


class Input(TypedDict):
    """One NDJSON file that the server is asked to fetch."""

    url: str
    resource_type: str
    resources: Optional[int]
    etag: Optional[str]


class Sample(TypedDict):
    """A resource that is read back and compared; no fingerprint: only its presence counts."""

    reference: str
    fingerprint: str


class ExpectedCount(TypedDict):
    """How many resources of a type the input holds."""

    resource_type: str
    resources: int
    distinct_ids: Optional[int]


class Policy(TypedDict):
    """The caller's limits."""

    poll_max_ms: int
    deadline_ms: int
    max_errors: int


class Request(TypedDict):
    """What ``start`` is given; :func:`request` fills one in."""

    id: str
    time_ms: int
    purpose: Purpose
    base_url: str
    dialect: Dialect
    inputs: List[Input]
    samples: List[Sample]
    expected: List[ExpectedCount]
    settings: List[Tuple[str, str]]
    documents_url: Optional[str]
    policy: Policy


class Wake(TypedDict):
    """When to go on, and why."""

    at_ms: int
    reason: Literal["Poll", "BackOff", "Settle"]
    server_asked_ms: Optional[int]


class Pause(TypedDict):
    """Why the import stands still, and what ``resolve`` would take now."""

    reason: str
    message: str
    decisions: List[str]
    outcome: str


class Report(TypedDict):
    """The final word; ``errors``, ``types`` and ``detection`` are records of the contract, too."""

    outcome: str
    sentence: str
    advice: str
    retry: Literal["Resume", "NewRun", "Never"]
    detection: Dict[str, Any]
    proven: str
    types: List[Dict[str, Any]]
    imported: Optional[int]
    rejected: Optional[int]
    errors: List[Dict[str, Any]]
    verdict: str
    limits: List[str]
    missing: List[str]
    polls: int


class Wait(TypedDict):
    """Call ``step`` at a later time."""

    Wait: Wake


class Paused(TypedDict):
    """A person, or a credential, is needed."""

    Paused: Pause


class Done(TypedDict):
    """It is over."""

    Done: Report


Next = Union[Literal["Step", "Submit", "Recover"], Wait, Paused, Done]
"""What the owner of the loop does next."""

Decision = Union[
    Literal["Resubmit", "Cancel", "ForceCancel", "GiveUp", "Continue"], Dict[Literal["Adopt"], str], Dict[Literal["Extend"], int]
]
"""What a person decided: ``"Continue"``, ``{"Adopt": status_url}``, ``{"Extend": milliseconds}``."""


class Event(TypedDict):
    """Something that happened: one line for people, without secrets or resource content."""

    at_ms: int
    kind: str
    text: str


class Document(TypedDict):
    """A document to be published before anything else."""

    name: str
    media_type: str
    content: str


class Transition(TypedDict):
    """What is now so, what is next, and what the network knows about failed exchanges."""

    checkpoint: str
    next: Next
    events: List[Event]
    failures: List[str]


class Started(TypedDict):
    """What ``start`` answers."""

    plan: str
    documents: List[Document]
    transition: Transition


class Status(TypedDict):
    """The same as a checkpoint, readable."""

    phase: str
    sentence: str
    dialect: Optional[str]
    jobs_done: int
    jobs: int
    job_url: Optional[str]
    progress: Optional[str]
    percent: Optional[float]
    polls: int
    accepted_ms: Optional[int]
    deadline_at_ms: int
    next: Next


MINUTE_MS = 60_000


def request(
    base_url: str,
    inputs: Iterable[Tuple[str, str]],
    *,
    dialect: Dialect = "Detect",
    settings: Optional[Mapping[str, str]] = None,
    max_errors: int = 0,
) -> Request:
    """A request to import files, each a resource type and a URL that the server can fetch, with the limits of the
    command line. Change fields of the answer for anything else."""
    files: List[Input] = [{"url": url, "resource_type": kind, "resources": None, "etag": None} for kind, url in inputs]
    return {
        "id": secrets.token_hex(16),
        "time_ms": int(time.time() * 1000),
        "purpose": "Import",
        "base_url": base_url,
        "dialect": dialect,
        "inputs": files,
        "samples": [],
        "expected": [],
        "settings": list((settings or {}).items()),
        "documents_url": None,
        "policy": {"poll_max_ms": 10 * MINUTE_MS, "deadline_ms": 24 * 60 * MINUTE_MS, "max_errors": max_errors},
    }
