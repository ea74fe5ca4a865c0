"""The Airflow example on Airflow itself, in processes of their own over SQLite, with one worker slot: api-server, scheduler
with LocalExecutor, DAG processor and triggerer. They are started once for all that is tested: that takes 20 s on two cores.

Proved here: a waiting import occupies no slot and lets another one through; it outlives kill -9 of the triggerer, with one
kick-off; and neither Airflow's database nor any of its logs holds the token or a resource.
"""

from __future__ import annotations

import json
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import fhir_import
from deployment import Deployment
from practice import CANARIES, TOKEN, Practice, found, until

LIMIT = 180


class AirflowTest(unittest.TestCase):
    def setUp(self) -> None:
        home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.airflow = self.enterContext(Deployment(home, FHIR_TOKEN=TOKEN))
        print(f"\nAirflow was up after {self.airflow.start_took:.0f} s")

    def begin(self, name: str, **script: Any) -> Practice:
        server = self.enterContext(Practice("smart-manifest", require_bearer=TOKEN, **script))
        rights = server.folder / "rights"
        rights.write_text(json.dumps({"servers": [{"url": server.url, "credential": {"bearer-env": "FHIR_TOKEN"}}]}))
        request = fhir_import.request(server.url, [("Patient", server.file)], dialect={"Named": server.dialect})
        self.airflow.begin(name, {"request": request, "rights": str(rights), "folder": str(server.folder / "import")})
        return server

    def reaches(self, name: str, state: str) -> None:
        def reached() -> bool:
            seen = self.airflow.state(name)
            self.assertNotIn(seen, {"success", "failed", "up_for_retry"} - {state}, self.airflow.said("scheduler"))
            return seen == state

        until(reached, LIMIT, 0.2)

    def polled_and_deferred(self, server: Practice, name: str) -> bool:
        store = fhir_import.Store(server.folder / "import")
        waits = store.exists() and isinstance(store.next, dict) and store.next["Wait"]["reason"] == "Poll"
        return waits and store.next["Wait"]["at_ms"] / 1000 > time.time() + 5 and self.airflow.state(name) == "deferred"

    def ended(self, server: Practice, outcome: str) -> None:
        end = fhir_import.Store(server.folder / "import").next
        self.assertEqual((end["Done"]["outcome"], server.kick_offs), (outcome, 1), end)

    def test_an_import_that_waits_holds_no_slot_and_outlives_the_triggerer_and_nothing_secret_is_stored(self) -> None:
        # As long as this machine needs for the other import and a new triggerer.
        wait = max(25, round(self.airflow.start_took * 1.5))
        waiting = self.begin("waiting", retry_after=str(wait), polls_until_done=1)
        until(lambda: self.polled_and_deferred(waiting, "waiting"), LIMIT, 0.2)
        pool = self.airflow.pool()
        self.assertEqual((pool["slots"], pool["occupied_slots"], pool["deferred_slots"]), (1, 0, 1), pool)

        beside = self.begin("beside", retry_after="1", polls_until_done=1, reject_ids=["p1"])
        self.reaches("beside", "success")
        self.assertEqual(self.airflow.state("waiting"), "deferred", f"the other import took longer than {wait} s")
        self.ended(beside, "FinishedWithErrors")

        self.airflow.kill("triggerer")
        self.assertEqual(self.airflow.state("waiting"), "deferred")
        self.airflow.start("triggerer")
        self.reaches("waiting", "success")
        self.ended(waiting, "Succeeded")

        kept = [self.airflow.home, waiting.folder / "import", waiting.folder / "plans", beside.folder / "import"]
        self.assertTrue(found(waiting.url, kept[0], "*.db*"), "the database is not what is searched")
        self.assertTrue(found(waiting.url, kept[0] / "logs"), "the logs are not what is searched")
        self.assertEqual([hit for canary in CANARIES for folder in kept for hit in found(canary, folder)], [])


if __name__ == "__main__":
    unittest.main()
