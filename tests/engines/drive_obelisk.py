"""The shared suite's command over Obelisk: worker | start | result ID | resolve ID | status ID.

People use `obelisk execution …` for the same; this only gives it the words of the other adapters. FHIR_IMPORT_ENGINE says where
things are: {"obelisk": PROGRAM, "deployment": PROGRAM, "api": "127.0.0.1:PORT", "folder": FOLDER}.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Optional
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

PLACE = json.loads(os.environ["FHIR_IMPORT_ENGINE"])
API = f"http://{PLACE['api']}/v1"
RUN = "fhir-import:orchestration/imports@0.1.0.run"
LOOK = 0.1
PATIENCE = 60
# A call that died with the server is given up after this. Nobody wants to wait five minutes in a test.
LOCK_EXPIRY = ("exec.lock_expiry.seconds = 300", "exec.lock_expiry.seconds = 5")
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def worker() -> None:
    """Becomes Obelisk's server, which executes, too. Where one runs already, there is nothing to do for another."""
    if answers():
        print("ready: another one works", file=sys.stderr, flush=True)
        signal.sigwait({signal.SIGTERM})
        return
    folder = Path(PLACE["folder"])
    subprocess.run([PLACE["deployment"], folder], check=True, stdout=subprocess.DEVNULL)
    deployment = folder / "deployment.toml"
    deployment.write_text(deployment.read_text("utf-8").replace(*LOCK_EXPIRY), "utf-8")
    rights = json.loads(Path(os.environ["FHIR_IMPORT_RIGHTS"]).read_text("utf-8"))
    base = urlsplit(rights["servers"][0]["url"])
    os.environ.update(FHIR_ORIGIN=f"{base.scheme}://{base.netloc}", FHIR_IMPORT_OBELISK_API=PLACE["api"])
    os.dup2(2, 1)
    os.execv(
        PLACE["obelisk"],
        ["obelisk", "server", "run", "--no-auth", "--server-config", f"{folder}/server.toml", "--deployment", f"{deployment}"],
    )


def answers() -> bool:
    try:
        ask("GET", "/deployment-id")
        return True
    except (URLError, ConnectionError):
        return False


def ask(method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "accept": "application/json"}
    with urlopen(Request(API + path, data, headers, method=method), timeout=PATIENCE) as answer:
        return json.load(answer)


def execution(id: str) -> str:
    """An import's execution: the request's id in Obelisk's spelling (a ULID), so that it exists once."""
    number = int(id, 16)
    return "E_" + "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def start() -> None:
    request = json.load(sys.stdin)
    ask("PUT", f"/executions/{execution(request['id'])}", {"ffqn": RUN, "params": [theirs(request)]})


def theirs(value: Any) -> Any:
    """Cases of variants and enums are `Upper` here and `lower` there."""
    if isinstance(value, dict):
        return {snake(name): theirs(part) for name, part in value.items()}
    if isinstance(value, list):
        return [theirs(part) for part in value]
    return snake(value) if value in ("Import", "Detect", "Verify", "Cancel", "ForceCancel", "Resubmit", "GiveUp", "Continue") else value


def snake(name: str) -> str:
    if not name[:1].isupper():
        return name
    return "".join("_" * (at > 0 and letter.isupper()) + letter.lower() for at, letter in enumerate(name))


def answered(id: str) -> Iterator[Any]:
    """What calls answered, the newest first."""
    for response in ask("GET", f"/executions/{execution(id)}/responses?direction=older&length=200"):
        yield response


def result(id: str) -> None:
    while True:
        over = finished(id)
        if over is not None:
            print(json.dumps({"done": ok(over)}))
            return
        pause = paused(id)
        if pause is not None:
            print(json.dumps({"paused": pause}))
            return
        time.sleep(LOOK)


COMMANDS = {"worker": worker, "start": start, "result": result}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except HTTPError as error:
        sys.exit(f"{' '.join(sys.argv[1:])}: {error}: {error.read().decode()}")
    except URLError as error:
        sys.exit(f"{PLACE['api']}: {error}")
