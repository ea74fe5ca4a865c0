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
from typing import Any, Dict, Iterator, Tuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

PLACE = json.loads(os.environ["FHIR_IMPORT_ENGINE"])
API = f"http://{PLACE['api']}/v1"
RUN = "fhir-import:orchestration/imports@0.1.0.run"
LOOK = 0.1
PATIENCE = 60
TOO_EARLY = 425
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
    written = deployment.read_text("utf-8")
    assert LOCK_EXPIRY[0] in written, f"{LOCK_EXPIRY[0]} is not in {deployment}"
    deployment.write_text(written.replace(*LOCK_EXPIRY), "utf-8")
    rights = json.loads(Path(os.environ["FHIR_IMPORT_RIGHTS"]).read_text("utf-8"))
    base = urlsplit(rights["servers"][0]["url"])
    os.environ.update(HOME=PLACE["folder"], FHIR_ORIGIN=f"{base.scheme}://{base.netloc}", OBELISK__api__listening_addr=PLACE["api"])
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
    request.update(purpose=theirs(request["purpose"]), dialect=theirs(request["dialect"]))
    ask("PUT", f"/executions/{execution(request['id'])}", {"ffqn": RUN, "params": [request]})


def theirs(case: Any) -> Any:
    """A case of a variant or an enum: `Upper` here, `lower` there."""
    return snake(case) if isinstance(case, str) else {snake(name): value for name, value in case.items()}


def snake(name: str) -> str:
    return "".join("_" * (at > 0 and letter.isupper()) + letter.lower() for at, letter in enumerate(name))


def finished(id: str) -> Any:
    """What the workflow answered, once it has."""
    try:
        return ask("GET", f"/executions/{execution(id)}")
    except HTTPError as error:
        if error.code == TOO_EARLY:
            return None
        raise


def calls(id: str) -> Iterator[Tuple[int, str, Dict[str, Any]]]:
    """The calls of the contract that were answered, the newest first: a number that grows, the function, the answer."""
    page = ask("GET", f"/executions/{execution(id)}/responses?direction=older&length=200")["responses"]
    for response in sorted(page, key=lambda response: response["cursor"], reverse=True):
        join_set, event = response["event"]["event"]["join_set_id"], response["event"]["event"]["event"]
        if event["type"] == "child_execution_finished" and join_set.startswith("o:"):
            yield response["cursor"], join_set.split("-", 1)[1], value(event["result"])


def value(result: Dict[str, Any]) -> Dict[str, Any]:
    """An answer without its type."""
    return {kind: typed.get("value") if isinstance(typed, dict) else typed for kind, typed in result.items()}


def transition(id: str) -> Dict[str, Any]:
    """The last one; none yet is an empty one."""
    for _, _, answer in calls(id):
        if "ok" in answer:
            return answer["ok"].get("transition", answer["ok"])
    return {"next": "step"}


def result(id: str) -> None:
    while (over := finished(id)) is None:
        next = transition(id)["next"]
        if "paused" in next:
            print(json.dumps(next))
            return
        time.sleep(LOOK)
    if "ok" not in over:
        sys.exit(f"{id}: {json.dumps(over)}")
    print(json.dumps({"done": over["ok"]}))


def resolve(id: str) -> None:
    """Answers the question that is open, and waits until the decision was taken or refused."""
    decision, before = theirs(json.load(sys.stdin)), max((number for number, *_ in calls(id)), default=0)
    asked = f"/executions?show_derived=true&hide_finished=true&execution_id_prefix={execution(id)}.n:person_"
    questions = ask("GET", asked)
    if not questions:
        sys.exit(f"{id}: no decision is asked for; it is over, or was never begun")
    ask("PUT", f"/executions/{questions[0]['execution_id']}/stub", {"ok": decision})
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for number, call, answer in calls(id):
            if number > before and call == "resolve":
                if "ok" not in answer:
                    sys.exit(f"{id}: {json.dumps(answer)}")
                return
        time.sleep(LOOK)
    sys.exit(f"{id}: nobody took the decision")


def status(id: str) -> None:
    print(json.dumps({"next": transition(id)["next"]}))


COMMANDS = {"worker": worker, "start": start, "result": result, "resolve": resolve, "status": status}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except HTTPError as error:
        sys.exit(f"{' '.join(sys.argv[1:])}: {error}: {error.read().decode()}")
    except URLError as error:
        sys.exit(f"{PLACE['api']}: {error}")
