"""The Airflow example: a scheduler, a triggerer and workers as `airflow standalone` starts them, on SQLite."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from contextlib import closing
from pathlib import Path

import fhir_import
from practice import Practice, until

EXAMPLE = Path(__file__).parents[3] / "orchestrators/python/examples/airflow_dag.py"
AIRFLOW = Path(sys.executable).with_name("airflow")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class AirflowTest(unittest.TestCase):
    def setUp(self) -> None:
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.home / "dags").mkdir()
        shutil.copy(EXAMPLE, self.home / "dags")
        port = free_port()
        self.env = {
            **os.environ,
            "PATH": f"{AIRFLOW.parent}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__TRIGGERER__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        }

    def states(self) -> dict:
        with closing(sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True)) as base:
            return dict(base.execute("select run_id, state from task_instance"))

    def test_a_waiting_import_holds_no_worker_slot(self) -> None:
        """There is one slot. Two imports wait at once, and both end."""
        servers = [self.enterContext(Practice(polls_until_done=3, retry_after="5")) for _ in range(2)]
        log = self.enterContext(open(self.home / "standalone.log", "w+"))
        standalone = subprocess.Popen(
            [AIRFLOW, "standalone"], env=self.env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            listing = [AIRFLOW, "dags", "list"]
            until(lambda: "fhir_import" in subprocess.run(listing, env=self.env, capture_output=True, text=True).stdout, 180)
            for number, server in enumerate(servers):
                self.trigger(f"run{number}", server)
            until(lambda: list(self.states().values()) == ["deferred", "deferred"], 120)
            until(lambda: list(self.states().values()) == ["success", "success"], 180)
        except BaseException:
            log.seek(0)
            print(log.read()[-20_000:], file=sys.stderr)
            raise
        finally:
            os.killpg(standalone.pid, 15)
            try:
                standalone.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(standalone.pid, 9)
                standalone.wait()
        self.assertEqual([server.kick_offs for server in servers], [1, 1])

    def trigger(self, run: str, server: Practice) -> None:
        rights = server.folder / "rights"
        rights.write_text(json.dumps({"servers": [{"url": server.url}]}))
        request = fhir_import.request(server.url, [("Patient", server.file)])
        conf = {"request": request, "rights": str(rights), "folder": str(server.folder / "import")}
        unpaused = [AIRFLOW, "dags", "unpause", "-y", "fhir_import"]
        subprocess.run(unpaused, env=self.env, check=True, capture_output=True)
        triggered = [AIRFLOW, "dags", "trigger", "fhir_import", "--run-id", run, "--conf", json.dumps(conf)]
        subprocess.run(triggered, env=self.env, check=True, capture_output=True)


if __name__ == "__main__":
    unittest.main()
