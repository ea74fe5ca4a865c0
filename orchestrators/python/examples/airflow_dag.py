"""An Airflow DAG. While the FHIR server works, the task waits in the triggerer and holds no worker slot.

Trigger it with {"request": …, "rights": "/path/rights.json", "folder": "/path/import"}; all workers see the folder.
"""

import json
import time
from datetime import datetime, timezone
from pathlib import Path

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import DAG, BaseOperator, Param

import fhir_import

# Seconds. Airflow fails a task whose trigger fires before its executor has said that the task's process ended
# (apache/airflow#72716), so what is near is waited for in the worker.
NEAR = 10


class FhirImportOperator(BaseOperator):
    """Goes on until there is something to wait for, and waits in the triggerer. It may be retried: the store knows whether
    a kick-off was sent."""

    def execute(self, context, event=None):
        params = context["params"]
        request = params["request"]
        importer = fhir_import.Importer(json.loads(Path(params["rights"]).read_text()), request["base_url"])
        store = fhir_import.Store(params["folder"])
        fhir_import.begin(importer, store, request)
        while "Wait" in (next := fhir_import.advance(importer, store, lambda event: self.log.info(event["text"]))):
            at = next["Wait"]["at_ms"] / 1000
            if at > time.time() + NEAR:
                moment = datetime.fromtimestamp(at, timezone.utc)
                self.defer(trigger=DateTimeTrigger(moment=moment), method_name="execute")
            time.sleep(max(at - time.time(), 0))
        if "Paused" in next:
            raise RuntimeError(f"{next['Paused']['message']} Decide with fhir_import.resolve, and clear the task")
        return next["Done"]


with DAG(
    "fhir_import",
    schedule=None,
    params={
        "request": Param({}, type="object"),
        "rights": Param("", type="string"),
        "folder": Param("", type="string"),
    },
):
    FhirImportOperator(task_id="import", retries=3)
