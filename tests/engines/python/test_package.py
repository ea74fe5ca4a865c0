"""The package as it is installed, against the practice server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Any

import fhir_import
from fhir_import import Importer, Store
from practice import Practice, until

CHILD = Path(__file__).with_name("child.py")


class PackageTest(unittest.TestCase):
    def practice(self, dialect: str = "hapi", **script: Any) -> Practice:
        return self.enterContext(Practice(dialect, **script))

    def begun(self, server: Practice, **right: Any) -> tuple:
        rights = {"servers": [{"url": server.url, **right}]}
        request = fhir_import.request(server.url, [("Patient", server.file)], dialect={"Named": server.dialect})
        return request, rights, Store(server.folder / "import")

    def child(self, server: Practice, request: dict, rights: dict, store: Store) -> subprocess.Popen:
        for name, value in (("request", request), ("rights", rights)):
            (server.folder / name).write_text(json.dumps(value))
        command = [sys.executable, str(CHILD), *(str(server.folder / name) for name in ("request", "rights")), str(store.folder)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.communicate)
        self.addCleanup(child.kill)
        return child

    def assertDone(self, end: Any, outcome: str = "Succeeded") -> None:
        self.assertEqual(end.get("Done", {}).get("outcome"), outcome, end)

    def test_a_good_import_succeeds_with_one_kick_off(self) -> None:
        server, events = self.practice(), []
        request, rights, store = self.begun(server)
        self.assertDone(fhir_import.run(request, rights, store, on_event=events.append))
        self.assertEqual(server.kick_offs, 1)
        self.assertIn("kick-off-accepted", [event["kind"] for event in events])
        self.assertDone(fhir_import.run(request, rights, store), "Succeeded")
        self.assertEqual(server.kick_offs, 1, "an import that is over was started again")

    def test_rejected_resources_are_finished_with_errors(self) -> None:
        server = self.practice("smart-manifest", reject_ids=["p1"])
        self.assertDone(fhir_import.run(*self.begun(server)), "FinishedWithErrors")

    def test_killed_while_waiting_another_process_goes_on(self) -> None:
        server = self.practice(polls_until_done=3)
        request, rights, store = self.begun(server)
        child = self.child(server, request, rights, store)
        until(lambda: store.exists() and isinstance(store.next, dict))
        child.kill()
        child.wait()
        self.assertDone(fhir_import.run(request, rights, store))
        self.assertEqual(server.kick_offs, 1)

    def test_killed_while_the_kick_off_is_under_way_it_is_recovered_and_never_sent_again(self) -> None:
        for dialect, decided in (("aidbox-v2", "Done"), ("hapi", "Paused")):
            with self.subTest(dialect):
                delay = {"on": "kick-off", "action": {"accept-then-delay-ms": 60_000}}
                server = self.practice(dialect, faults=[{**delay, "nth": 1}])
                request, rights, store = self.begun(server)
                child = self.child(server, request, rights, store)
                until(lambda: server.kick_offs)
                child.kill()
                child.wait()
                self.assertEqual(store.next, "Recover")
                end = fhir_import.run(request, rights, store)
                self.assertIn(decided, end)
                if decided == "Paused":
                    self.assertEqual((end["Paused"]["reason"], server.kick_offs), ("SubmitUnknown", 1))

    def test_ctrl_c_ends_a_step_at_once(self) -> None:
        server = self.practice(faults=[{"on": "metadata", "action": {"delay-ms": 60_000}}])
        child = self.child(server, *self.begun(server))
        until(lambda: server.came)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
        self.assertIn("KeyboardInterrupt", said)
        self.assertLess(time.monotonic() - began, 2)

    def test_ctrl_c_gives_a_kick_off_a_few_seconds_and_keeps_its_answer(self) -> None:
        server = self.practice(faults=[{"on": "kick-off", "action": {"accept-then-delay-ms": 1_500}}])
        request, rights, store = self.begun(server)
        child = self.child(server, request, rights, store)
        until(lambda: server.kick_offs)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
        self.assertIn("KeyboardInterrupt", said)
        self.assertNotIn(store.next, ("Recover", "Submit"))
        self.assertDone(fhir_import.run(request, rights, store))
        self.assertEqual(server.kick_offs, 1)

    def test_ctrl_c_leaves_a_kick_off_that_is_not_answered(self) -> None:
        server = self.practice(faults=[{"on": "kick-off", "action": {"accept-then-delay-ms": 60_000}}])
        request, rights, store = self.begun(server)
        child = self.child(server, request, rights, store)
        until(lambda: server.kick_offs)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
        self.assertLess(time.monotonic() - began, 6)
        self.assertEqual(store.next, "Recover")

    def test_two_threads_step_at_once_and_python_runs_meanwhile(self) -> None:
        server = self.practice(faults=[{"on": "metadata", "action": {"delay-ms": 1_000}}])
        importer = Importer({"servers": [{"url": server.url}]}, server.url)
        started = [importer.start(fhir_import.request(server.url, [("Patient", server.file)])) for _ in range(2)]
        threads = [
            threading.Thread(target=importer.step, args=(one["plan"], one["transition"]["checkpoint"])) for one in started
        ]
        for thread in threads:
            thread.start()
        # Both are at the server before either is answered, and this thread sees it.
        until(lambda: len(server.came) == 2, 0.9)
        self.assertTrue(all(thread.is_alive() for thread in threads))
        for thread in threads:
            thread.join()

    def test_a_server_that_is_not_among_the_rights_is_refused(self) -> None:
        with self.assertRaisesRegex(fhir_import.NotAllowed, "is not among the servers of this worker"):
            Importer({"servers": [{"url": "http://127.0.0.1:1/fhir"}]}, "http://127.0.0.1:2/fhir")

    def test_rights_that_are_none_are_refused(self) -> None:
        with self.assertRaisesRegex(fhir_import.InvalidRights, "unknown field `token`"):
            Importer({"servers": [{"url": "http://127.0.0.1:1/fhir", "token": "x"}]}, "http://127.0.0.1:1/fhir")

    def test_a_wrong_token_pauses_and_a_mended_one_goes_on(self) -> None:
        server = self.practice(require_bearer="right")
        token = server.folder / "token"
        token.write_text("wrong")
        request, rights, store = self.begun(server, credential={"bearer-file": str(token)})
        end = fhir_import.run(request, rights, store)
        self.assertEqual(end["Paused"]["reason"], "Credentials")
        token.write_text("right")
        importer = Importer(rights, server.url)
        fhir_import.resolve(importer, store, "Continue")
        self.assertDone(fhir_import.drive(importer, store))
        self.assertNotIn("right", "".join(file.read_text() for file in store.folder.iterdir()))

    def test_what_the_contract_refuses_has_an_exception_each(self) -> None:
        server = self.practice()
        importer = Importer({"servers": [{"url": server.url}]}, server.url)
        request = fhir_import.request(server.url, [("Patient", server.file)])
        started = importer.start(request)
        plan, checkpoint = started["plan"], started["transition"]["checkpoint"]
        with self.assertRaises(fhir_import.InvalidRequest):
            importer.start({**request, "id": "no id"})
        with self.assertRaises(fhir_import.InvalidPlan):
            importer.step("no plan", checkpoint)
        with self.assertRaises(fhir_import.InvalidCheckpoint):
            importer.step(plan, "no checkpoint")
        with self.assertRaises(fhir_import.InvalidCall):
            importer.submit(plan, checkpoint)
        with self.assertRaises(fhir_import.InvalidCall):
            importer.resolve(plan, checkpoint, "Dance")
        self.assertEqual(importer.inspect(plan, checkpoint)["phase"], "Detecting")
        self.assertEqual(server.came, [])

    def test_a_newer_checkpoint_and_a_missing_plan_are_refused_clearly(self) -> None:
        server = self.practice()
        request, rights, store = self.begun(server)
        importer = Importer(rights, server.url)
        fhir_import.begin(importer, store, request)
        newer = json.loads(store.checkpoint)
        newer["version"] += 1
        with self.assertRaisesRegex(fhir_import.InvalidCheckpoint, "not older"):
            importer.step(store.plan, json.dumps(newer))
        for plan in (store.folder.parent / "plans").iterdir():
            plan.unlink()
        with self.assertRaisesRegex(fhir_import.PlanMissing, "keep plans until their imports end"):
            fhir_import.advance(importer, store)

    def test_two_drives_of_one_import_are_not_at_it_together(self) -> None:
        server = self.practice()
        request, rights, store = self.begun(server)
        importer = Importer(rights, server.url)
        with self.assertRaises(fhir_import.StoreError):
            fhir_import.advance(importer, store)
        fhir_import.begin(importer, store, request)
        with store.lock(), self.assertRaises(fhir_import.Busy):
            fhir_import.advance(importer, Store(store.folder))
        with self.assertRaises(fhir_import.StoreError):
            fhir_import.begin(importer, store, {**request, "id": "0" * 32})

    def test_a_forked_child_goes_on_by_itself(self) -> None:
        server = self.practice()
        request, rights, store = self.begun(server)
        fhir_import.begin(Importer(rights, server.url), store, request)
        ended: list = []
        child = os.fork()
        if child == 0:
            end = fhir_import.run(request, rights, store)
            os._exit(0 if "Done" in end else 1)
        self.addCleanup(lambda: ended or os.kill(child, signal.SIGKILL))
        ended = until(lambda: os.waitpid(child, os.WNOHANG)[0] and [True])
        self.assertDone(fhir_import.run(request, rights, store))

    def test_what_a_call_costs(self) -> None:
        server = self.practice(polls_until_done=1_000, retry_after="600")
        request, rights, store = self.begun(server)
        importer = Importer(rights, server.url)
        fhir_import.begin(importer, store, request)
        while "Wait" not in (next := fhir_import.advance(importer, store)) or next["Wait"]["reason"] != "Poll":
            time.sleep(0.05)
        plan, checkpoint, times = store.plan, store.checkpoint, []
        for _ in range(200):
            began = time.perf_counter()
            importer.step(plan, checkpoint)
            times.append(time.perf_counter() - began)
        print(f"\na step that came early: median {sorted(times)[100] * 1000:.2f} ms, plan of {len(plan)} bytes")
        self.assertEqual(server.kick_offs, 1)


if __name__ == "__main__":
    unittest.main()
