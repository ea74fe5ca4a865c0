"""Run FHIR bulk imports: the sandboxed decisions with the guards of the host runtime.

:func:`run` drives an import to its end. :func:`advance` goes on until there is something to wait for, for engines with
timers of their own. :class:`Importer` is the bare contract, for those who keep state themselves.
"""

from . import contract
from ._native import Plans
from .contract import request
from .drive import advance, begin, drive, resolve, run
from .errors import (
    Busy,
    Died,
    FhirImportError,
    InvalidCall,
    InvalidCheckpoint,
    InvalidPlan,
    InvalidRequest,
    InvalidRights,
    NotAllowed,
    PlanMissing,
    StoreError,
)
from .importer import Importer, last_words
from .store import Store

__all__ = [
    "Busy",
    "Died",
    "FhirImportError",
    "Importer",
    "InvalidCall",
    "InvalidCheckpoint",
    "InvalidPlan",
    "InvalidRequest",
    "InvalidRights",
    "NotAllowed",
    "PlanMissing",
    "Plans",
    "Store",
    "StoreError",
    "advance",
    "begin",
    "contract",
    "drive",
    "last_words",
    "request",
    "resolve",
    "run",
]
