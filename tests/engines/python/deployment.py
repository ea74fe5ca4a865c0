"""A whole Airflow of its own in a folder: api-server, scheduler with one worker slot, DAG processor and triggerer."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Optional

from practice import until

DAG = Path(__file__).parents[3] / "orchestrators/python/examples/airflow_dag.py"
AIRFLOW = Path(sys.executable).with_name("airflow")
PARTS = {
    "api-server": ["--host", "127.0.0.1", "--workers", "1"],
    "dag-processor": [],
    "scheduler": ["--skip-serve-logs"],
    "triggerer": ["--skip-serve-logs"],
}
START_LIMIT = 240
SETTINGS = {
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__EXECUTOR": "LocalExecutor",
    # One task at a time, by the executor and by the pool.
    "CORE__PARALLELISM": "1",
    "CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "1",
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    # Nothing is encrypted, so that a search sees all that is stored.
    "CORE__FERNET_KEY": "",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    # A triggerer that was killed is missed after five seconds, not thirty.
    "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
}


class Deployment:
    """Airflow with the example's DAG. Secrets are in its environment, as workers have them."""

    def __init__(self, home: Path, **secret: str) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = str(free.getsockname()[1])
        self._env = {**os.environ, **secret, **{f"AIRFLOW__{name}": value for name, value in SETTINGS.items()}}
        self._env.update(AIRFLOW_HOME=str(home), AIRFLOW__API__BASE_URL=f"http://127.0.0.1:{self._port}")
        self._env.update(AIRFLOW__API_AUTH__JWT_SECRET=secrets.token_hex(), AIRFLOW__API__PORT=self._port)
        self._parts: Dict[str, subprocess.Popen] = {}
        (home / "dags").mkdir()
        shutil.copy(DAG, home / "dags")

    def __enter__(self) -> Deployment:
        began = time.monotonic()
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        self.start_took = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._parts):
            self.kill(name)

    def _begin(self) -> None:
        command = [str(AIRFLOW), "db", "migrate"]
        out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        ran = subprocess.run(command, env=self._env, timeout=START_LIMIT, **out)
        assert ran.returncode == 0, ran.stdout
        for name in PARTS:
            self.start(name)
        until(self._is_ready, START_LIMIT, 0.5)

    def _is_ready(self) -> bool:
        for name, part in self._parts.items():
            assert part.poll() is None, f"{name} ended: {self.said(name)}"
        health = self.asked("monitor/health")
        alive = health and all(health[name]["status"] == "healthy" for name in ("scheduler", "triggerer", "dag_processor"))
        return bool(alive and self.asked("dags/fhir_import"))

    def start(self, name: str) -> None:
        with open(self.home / f"{name}.said", "ab") as said:
            command = [str(AIRFLOW), name, *PARTS[name]]
            self._parts[name] = subprocess.Popen(
                command, env=self._env, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """At once, and with all that it started: Airflow puts some of its processes into groups of their own, none into
        another session."""
        part = self._parts.pop(name)
        until(lambda: not _killed(part.pid))
        part.wait()

    def said(self, name: str) -> str:
        return (self.home / f"{name}.said").read_text("utf-8", "replace")[-4_000:]

    def asked(self, path: str, body: Optional[dict] = None, method: Optional[str] = None) -> Any:
        """What its REST API answers; nothing while it cannot."""
        data = None if body is None else json.dumps(body).encode()
        url, headers = f"http://127.0.0.1:{self._port}/api/v2/{path}", {"Content-Type": "application/json"}
        asked = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            assert body is None, f"{path}: {error.read().decode()}"
        except OSError:
            assert body is None, f"{path} is not answered"
        return None

    def begin(self, name: str, conf: dict) -> None:
        """Triggers an import, as a person does."""
        self.asked("dags/fhir_import", {"is_paused": False}, "PATCH")
        self.asked("dags/fhir_import/dagRuns", {"dag_run_id": name, "logical_date": None, "conf": conf})

    def state(self, name: str) -> Optional[str]:
        """Of the task of a run."""
        task = self.asked(f"dags/fhir_import/dagRuns/{name}/taskInstances/import")
        return task and task["state"]

    def pool(self) -> Any:
        return self.asked("pools/default_pool")


def _killed(session: int) -> int:
    """Kills what is left of a session, and says how many that were."""
    left = 0
    for process in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()):
        with suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] != "Z":
                left += 1
                os.kill(process, signal.SIGKILL)
    return left
