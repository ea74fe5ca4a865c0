"""The Airflow example by `airflow dags test`: the real operator, task runner and trigger on SQLite, in one process.

The whole of `airflow standalone` takes minutes to start on two cores.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import fhir_import
from practice import Practice

EXAMPLE = Path(__file__).parents[3] / "orchestrators/python/examples/airflow_dag.py"
AIRFLOW = Path(sys.executable).with_name("airflow")


class AirflowTest(unittest.TestCase):
    def setUp(self) -> None:
        self.home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.home / "dags").mkdir()
        shutil.copy(EXAMPLE, self.home / "dags")
        self.airflow("db", "migrate")

    def airflow(self, *arguments: str) -> str:
        env = {**os.environ, "AIRFLOW_HOME": str(self.home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        command = [str(AIRFLOW), *arguments]
        ran = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        return ran.stdout

    def test_the_task_is_deferred_while_the_server_works_and_ends_with_one_kick_off(self) -> None:
        server = self.enterContext(Practice(polls_until_done=3))
        rights = server.folder / "rights"
        rights.write_text(json.dumps({"servers": [{"url": server.url}]}))
        request = fhir_import.request(server.url, [("Patient", server.file)])
        conf = {"request": request, "rights": str(rights), "folder": str(server.folder / "import")}
        said = self.airflow("dags", "test", "fhir_import", "--conf", json.dumps(conf))
        self.assertGreaterEqual(said.count("new_state=deferred"), 2, said)
        self.assertIn("new_state=success", said)
        self.assertIn("Done", fhir_import.Store(server.folder / "import").next)
        self.assertEqual(server.kick_offs, 1)


if __name__ == "__main__":
    unittest.main()
