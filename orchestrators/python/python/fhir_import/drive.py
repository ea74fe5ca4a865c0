"""The loop: the contract's rules for its owner, and nothing else. Whoever has durable timers calls :func:`advance`."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Optional, Union

from .contract import Decision, Done, Event, Next, Paused, Request, Transition, Wait
from .errors import InvalidRequest, StoreError
from .importer import Importer, last_words
from .store import Store

Watch = Optional[Callable[[Event], None]]


def begin(importer: Importer, store: Store, request: Request) -> None:
    """Stores a plan for a request. Sends nothing. An import with the same id that is there already is left as it is."""
    if store.exists():
        if store.id != request["id"]:
            raise StoreError(f"{store.folder} holds import {store.id}: take a folder of its own for {request['id']}")
        return
    started = importer.start(request)
    if request["documents_url"] is not None and started["documents"]:
        raise InvalidRequest("documents_url: nobody publishes the documents of this plan. Use Importer.start, publish "
                             "them, and Store.create")
    store.create(request, started)


def advance(importer: Importer, store: Store, on_event: Watch = None) -> Union[Wait, Paused, Done]:
    """Goes on until there is something to wait for, which is what it answers. Each call may be in another process.

    Raises :class:`Busy` when another process is at it."""
    with store.lock():
        plan = store.plan
        while True:
            next = store.next
            if not isinstance(next, str) and not _due(next):
                return next
            _keep(store, _call(importer, store, next, plan, on_event), on_event)


def drive(
    importer: Importer, store: Store, sleep: Callable[[float], Any] = time.sleep, on_event: Watch = None
) -> Union[Paused, Done]:
    """Drives an import until it is over or paused; ``sleep`` is given seconds. Ctrl-C ends it where it can be driven on
    from: only a kick-off under way is given a few seconds to be answered."""
    while True:
        next = advance(importer, store, on_event)
        if "Wait" not in next:
            return next
        sleep(max(next["Wait"]["at_ms"] / 1000 - time.time(), 0.001))


def resolve(importer: Importer, store: Store, decision: Decision, on_event: Watch = None) -> Next:
    """Takes a person's decision, to be driven on afterwards. A kick-off that may have been sent is recovered first, so that
    nothing is decided as if it had not been."""
    with store.lock():
        plan = store.plan
        if store.next == "Recover":
            _keep(store, importer.recover(plan, store.checkpoint), on_event)
        _keep(store, importer.resolve(plan, store.checkpoint, decision), on_event)
        return store.next


def run(
    request: Request,
    rights: Mapping[str, Any],
    store: Store,
    sleep: Callable[[float], Any] = time.sleep,
    on_event: Watch = None,
) -> Union[Paused, Done]:
    """Begins an import, or goes on with it, and drives it until it is over (``{"Done": report}``) or paused
    (``{"Paused": pause}``)."""
    importer = Importer(rights, request["base_url"])
    begin(importer, store, request)
    return drive(importer, store, sleep, on_event)


def _due(next: Union[Wait, Paused, Done]) -> bool:
    return "Wait" in next and next["Wait"]["at_ms"] <= time.time() * 1000


def _call(importer: Importer, store: Store, next: Next, plan: str, on_event: Watch) -> Transition:
    if next == "Recover":
        return importer.recover(plan, store.checkpoint)
    if next != "Submit":
        return importer.step(plan, store.checkpoint)
    store.intend()
    try:
        return importer.submit(plan, store.checkpoint)
    except BaseException as raised:
        transition = last_words(raised)
        if transition is not None:
            _keep(store, transition, on_event)
        raise


def _keep(store: Store, transition: Transition, on_event: Watch) -> None:
    if on_event is not None:
        for failure in transition["failures"]:
            on_event({"at_ms": int(time.time() * 1000), "kind": "network", "text": failure})
        for event in transition["events"]:
            on_event(event)
    store.append(transition)
