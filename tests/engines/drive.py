"""The shared suite's command over the Python package: worker | start | result ID | resolve ID | status ID.

The store is a folder for each import below FHIR_IMPORT_STORE; any number of workers may look into it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict

import fhir_import
from fhir_import import Importer, Store

LOOK = 0.1
LAST_WORDS = 4
STORE = Path(os.environ["FHIR_IMPORT_STORE"])
stopping = threading.Event()


class Stopping(Exception):
    """The worker was asked to stop."""


def store(id: str) -> Store:
    return Store(STORE / id, os.environ["FHIR_IMPORT_PLANS"])


def importer(base_url: str) -> Importer:
    return Importer(json.loads(Path(os.environ["FHIR_IMPORT_RIGHTS"]).read_text("utf-8")), base_url)


def over(next: Any) -> bool:
    return isinstance(next, dict) and "Wait" not in next


def worker() -> None:
    """A thread for each import; whose lock is taken is somebody else's."""
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    driven: Dict[str, threading.Thread] = {}
    refused: Dict[str, float] = {}
    STORE.mkdir(parents=True, exist_ok=True)
    print("ready", file=sys.stderr, flush=True)
    while not stopping.wait(LOOK):
        for folder in STORE.iterdir():
            if folder.name.startswith(".") or not store(folder.name).exists() or over(store(folder.name).next):
                continue
            # What was refused is tried again when somebody has changed something, for example the plan's folder.
            if time.monotonic() < refused.get(folder.name, 0):
                continue
            if folder.name not in driven or not driven[folder.name].is_alive():
                driven[folder.name] = threading.Thread(target=go_on, args=(folder.name, refused), daemon=True)
                driven[folder.name].start()
    end = time.monotonic() + LAST_WORDS
    for thread in driven.values():
        thread.join(max(end - time.monotonic(), 0))
    # A step that is still under way is dropped with its thread.
    os._exit(0)


def go_on(id: str, refused: Dict[str, float]) -> None:
    def sleep(seconds: float) -> None:
        if stopping.wait(seconds):
            raise Stopping

    store(id).folder.joinpath("refused").unlink(missing_ok=True)
    try:
        fhir_import.drive(importer(store(id).base_url), store(id), sleep)
    except (Stopping, fhir_import.Busy):
        pass
    except fhir_import.FhirImportError as error:
        refused[id] = time.monotonic() + 1
        store(id).folder.joinpath("refused").write_text(f"{error}", "utf-8")
        print(f"{id}: {error}", file=sys.stderr, flush=True)


def start() -> None:
    request = json.load(sys.stdin)
    fhir_import.begin(importer(request["base_url"]), store(request["id"]), request)


def result(id: str) -> None:
    while not over(next := store(id).next):
        refusal = store(id).folder / "refused"
        if refusal.exists():
            raise fhir_import.StoreError(refusal.read_text("utf-8"))
        time.sleep(LOOK)
    print(json.dumps({kind.lower(): record for kind, record in next.items()}))


def resolve(id: str) -> None:
    decision = json.load(sys.stdin)
    end = time.monotonic() + 10
    while True:
        try:
            fhir_import.resolve(importer(store(id).base_url), store(id), decision)
            return
        except fhir_import.Busy:
            if time.monotonic() > end:
                raise
            time.sleep(LOOK)


def status(id: str) -> None:
    one = store(id)
    print(json.dumps(importer(one.base_url).inspect(one.plan, one.checkpoint)))


COMMANDS = {"worker": worker, "start": start, "result": result, "resolve": resolve, "status": status}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except fhir_import.FhirImportError as error:
        sys.exit(f"{type(error).__name__}: {error}")
