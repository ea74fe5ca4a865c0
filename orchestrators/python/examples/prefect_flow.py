"""A Prefect flow. Run again with the same parameters it goes on where an earlier run was killed.

    python prefect_flow.py REQUEST.json RIGHTS.json FOLDER
"""

import json
import sys
import time
from pathlib import Path

from prefect import flow, get_run_logger, task

import fhir_import

DAY = 24 * 60 * 60


@task(retries=3, retry_delay_seconds=10)
def advance(request: dict, rights: str, folder: str) -> dict:
    """Until there is something to wait for. It may be retried: the store knows whether a kick-off was sent."""
    importer = fhir_import.Importer(json.loads(Path(rights).read_text()), request["base_url"])
    store = fhir_import.Store(folder)
    fhir_import.begin(importer, store, request)
    return fhir_import.advance(importer, store, lambda event: get_run_logger().info(event["text"]))


@flow(timeout_seconds=2 * DAY)
def bulk_import(request: dict, rights: str, folder: str) -> dict:
    """Imports; a pause for a person fails the run, to be run again after `fhir_import.resolve`."""
    while "Wait" in (next := advance(request, rights, folder)):
        time.sleep(max(next["Wait"]["at_ms"] / 1000 - time.time(), 0))
    if "Paused" in next:
        raise RuntimeError(f"{next['Paused']['message']} Decide with fhir_import.resolve, and run again")
    return next["Done"]


if __name__ == "__main__":
    request, rights, folder = sys.argv[1:]
    print(json.dumps(bulk_import(json.loads(Path(request).read_text()), rights, folder)))
