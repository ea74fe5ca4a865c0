"""What can be wrong. Nothing that the network or a FHIR server did is here: that is a transition, a pause or a report.

Each message says what happened and what to try. No class here means "try again": what can be tried again is tried
again by the import itself.
"""


class FhirImportError(Exception):
    """All of the others."""


class InvalidRequest(FhirImportError):
    """The request cannot be used; the message names the field. Nothing was sent."""


class InvalidPlan(FhirImportError):
    """The plan was not made by this package, or by a newer one, or its file was changed."""


class InvalidCheckpoint(FhirImportError):
    """The checkpoint was not made by this package, does not belong to the plan, or comes from a newer one."""


class InvalidCall(FhirImportError):
    """The call makes no sense in this state, for example ``submit`` while a job is being polled."""


class Died(FhirImportError):
    """The component broke a limit. The call may be made again; after a ``submit``, call ``recover``."""


class NotAllowed(FhirImportError):
    """The server is not among the servers of the rights."""


class InvalidRights(FhirImportError):
    """The rights cannot be used, or a credential that they name cannot be read."""


class PlanMissing(FhirImportError):
    """The plan is not in the folder of plans, or the folder cannot be used."""


class StoreError(FhirImportError):
    """The store does not hold what it should: no import, another one, or a form of another version."""


class Busy(FhirImportError):
    """Somebody else drives this import just now."""
