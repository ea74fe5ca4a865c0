"""The calls of the contract."""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional

from . import _native
from .contract import Decision, Request, Started, Status, Transition


class Importer:
    """Imports to one server, with the rights to it and to nothing else.

    ``rights`` is written by whoever runs this, never by who asks for an import::

        {"servers": [{"url": "https://fhir.example.org/fhir", "credential": {"bearer-env": "FHIR_TOKEN"}}],
         "allow": ["https://*.example.org"], "ca": "/etc/ssl/hospital.pem"}

    Credentials (``bearer-env``, ``bearer-file``, ``basic-env``, ``basic-file``) are read at each call, so a changed one is
    used from the next call on. Calls may be made from any thread; other threads run meanwhile. Ctrl-C ends a call at once.
    """

    def __init__(self, rights: Mapping[str, Any], base_url: str) -> None:
        """Raises :class:`NotAllowed` or :class:`InvalidRights`."""
        self._native = _native.Importer(json.dumps(rights), base_url)

    def start(self, request: Request) -> Started:
        """Makes a plan. Sends nothing. Raises :class:`InvalidRequest`."""
        return json.loads(self._native.start(json.dumps(request)))

    def step(self, plan: str, checkpoint: str) -> Transition:
        """One bounded exchange at most; safe to repeat."""
        return json.loads(self._native.step(plan, checkpoint))

    def submit(self, plan: str, checkpoint: str) -> Transition:
        """The kick-off. Never call it twice for one checkpoint: make durable that it is about to be called, and if its
        transition was not stored, call :meth:`recover` instead.

        Ctrl-C gives it a few seconds to be answered. What it answered in that time is in what is raised, see
        :func:`last_words`."""
        answer, interrupt = self._native.submit(plan, checkpoint)
        if interrupt is not None:
            interrupt.fhir_import_transition = json.loads(answer)  # type: ignore[attr-defined]
            raise interrupt
        return json.loads(answer)

    def recover(self, plan: str, checkpoint: str) -> Transition:
        """Nobody knows whether ``submit`` ran; safe to repeat."""
        return json.loads(self._native.recover(plan, checkpoint))

    def resolve(self, plan: str, checkpoint: str, decision: Decision) -> Transition:
        """What a person, or a policy, decided. Sends nothing. Raises :class:`InvalidCall` when it cannot be taken now."""
        return json.loads(self._native.resolve(plan, checkpoint, json.dumps(decision)))

    def inspect(self, plan: str, checkpoint: str) -> Status:
        """The two texts as a record, for people and screens. Sends nothing."""
        return json.loads(self._native.inspect(plan, checkpoint))


def last_words(raised: BaseException) -> Optional[Transition]:
    """The transition of a ``submit`` that was answered although Ctrl-C came: to be stored before the process ends."""
    return getattr(raised, "fhir_import_transition", None)
