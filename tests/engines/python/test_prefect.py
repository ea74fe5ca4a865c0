"""The Prefect example on Prefect's own ephemeral server, and what that server and its logs keep of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import fhir_import
from practice import CANARIES, TOKEN, Practice, found, until

EXAMPLE = Path(__file__).parents[3] / "orchestrators/python/examples/prefect_flow.py"


class PrefectTest(unittest.TestCase):
    def test_a_flow_that_is_killed_while_waiting_goes_on_when_it_is_run_again_and_nothing_secret_is_stored(self) -> None:
        script = {"polls_until_done": 3, "require_bearer": TOKEN, "reject_ids": ["p1"]}
        server = self.enterContext(Practice("smart-manifest", **script))
        home = self.enterContext(tempfile.TemporaryDirectory())
        request = fhir_import.request(server.url, [("Patient", server.file)], dialect={"Named": server.dialect})
        rights = {"servers": [{"url": server.url, "credential": {"bearer-env": "FHIR_TOKEN"}}]}
        for name, value in (("request", request), ("rights", rights)):
            (server.folder / name).write_text(json.dumps(value))
        store = fhir_import.Store(server.folder / "import")
        command = [sys.executable, str(EXAMPLE), str(server.folder / "request"), str(server.folder / "rights"), str(store.folder)]
        env = {**os.environ, "FHIR_TOKEN": TOKEN, "PREFECT_HOME": home, "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        env["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = "120"

        # Its own group: the ephemeral server is a process of its own.
        first = subprocess.Popen(command, env=env, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: server.kick_offs and store.exists() and isinstance(store.next, dict), 150)
        finally:
            os.killpg(first.pid, 9)
            first.wait()
        second = subprocess.run(command, env=env, capture_output=True, text=True, timeout=150)
        self.assertEqual(second.returncode, 0, second.stderr)
        report = json.loads(second.stdout.splitlines()[-1])
        self.assertEqual((report["outcome"], server.kick_offs), ("FinishedWithErrors", 1), second.stderr)

        said = second.stdout + second.stderr
        self.assertEqual([canary for canary in CANARIES if canary in said], [])
        self.assertTrue(found(server.url, Path(home), "*.db*"), "the database is not what is searched")
        kept = [Path(home), store.folder, server.folder / "plans"]
        self.assertEqual([hit for canary in CANARIES for folder in kept for hit in found(canary, folder)], [])


if __name__ == "__main__":
    unittest.main()
