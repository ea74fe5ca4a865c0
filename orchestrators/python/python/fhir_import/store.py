"""One import in a folder: what is durable before what.

``transition.json`` is replaced as a whole, so there is always exactly one transition. ``intent`` holds the number of the
transition whose ``submit`` is about to be called; a newer transition makes it void without being touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Union

from ._native import Plans
from .contract import Next, Request, Started, Transition
from .errors import Busy, StoreError

FORM = 1


class Store:
    """A folder that holds one import. Only its owner may read it.

    ``plans`` is where plans are, one folder for as many imports as like; without it, beside the folder. On a network file
    system, locks (``flock``) and ``fsync`` must work across machines.
    """

    def __init__(self, folder: Union[str, "os.PathLike[str]"], plans: Union[str, "os.PathLike[str]", None] = None) -> None:
        self.folder = Path(folder)
        self._plans = Plans(self.folder.parent / "plans" if plans is None else plans)

    def create(self, request: Request, started: Started) -> None:
        """Stores an import that was just started. Of several at once exactly one is first; the others change nothing, and
        raise :class:`StoreError` if they hold another request's id."""
        digest = self._plans.keep(started["plan"])
        unfinished = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.{os.urandom(4).hex()}")
        unfinished.mkdir(mode=0o700, parents=True)
        head = {"form": FORM, "id": request["id"], "base_url": request["base_url"], "plan": digest}
        _write(unfinished / "import.json", head)
        _write(unfinished / "transition.json", _numbered(0, started["transition"]))
        try:
            unfinished.rename(self.folder)
            _sync(self.folder.parent)
        except OSError:
            shutil.rmtree(unfinished)
            if not self.exists():
                raise
            if self.id != request["id"]:
                raise StoreError(f"{self.folder} holds import {self.id}: take a folder of its own for {request['id']}")

    def exists(self) -> bool:
        """Whether it holds an import."""
        return (self.folder / "import.json").exists()

    @property
    def id(self) -> str:
        """The request's id."""
        return self._head()["id"]

    @property
    def base_url(self) -> str:
        """The server that the request named."""
        return self._head()["base_url"]

    @property
    def plan(self) -> str:
        """The plan. Raises :class:`PlanMissing` when it is not in its folder."""
        return self._plans.get(self._head()["plan"])

    @property
    def checkpoint(self) -> str:
        """The last checkpoint."""
        return self._last()["checkpoint"]

    @property
    def next(self) -> Next:
        """What the last transition said. A submit that was called and whose transition is not here is to be recovered."""
        last = self._last()
        return "Recover" if last["next"] == "Submit" and self._intent() == last["number"] else last["next"]

    def intend(self) -> None:
        """Makes durable that ``submit`` is about to be called."""
        _write(self.folder / "intent", self._last()["number"])

    def append(self, transition: Transition) -> None:
        """Makes a transition durable, to be called before its ``next`` is acted on."""
        _write(self.folder / "transition.json", _numbered(self._last()["number"] + 1, transition))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One process, and one thread, drives an import. The lock ends with its process. Raises :class:`Busy`."""
        self._head()
        with open(self.folder / "lock", "ab", opener=_private) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(f"somebody else drives the import in {self.folder}: wait for them, or end them") from None
            yield

    def _head(self) -> Dict[str, Any]:
        head = self._read("import.json")
        if head.get("form") != FORM:
            raise StoreError(f"{self.folder} was written by a newer version of fhir-import: go on with that one")
        return head

    def _last(self) -> Dict[str, Any]:
        return self._read("transition.json")

    def _intent(self) -> Optional[int]:
        try:
            return json.loads((self.folder / "intent").read_text("utf-8"))
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> Dict[str, Any]:
        try:
            return json.loads((self.folder / name).read_text("utf-8"))
        except FileNotFoundError:
            raise StoreError(f"{self.folder} holds no import: look at the folder's name, or start one") from None
        except ValueError as error:
            raise StoreError(f"{self.folder / name} cannot be read: restore it from a copy") from error


def _numbered(number: int, transition: Transition) -> Dict[str, Any]:
    return {"number": number, "checkpoint": transition["checkpoint"], "next": transition["next"]}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(path: Path, value: Any) -> None:
    """Replaces a file as a whole, durably."""
    unfinished = path.with_name(f"{path.name}.new")
    with open(unfinished, "w", encoding="utf-8", opener=_private) as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
