"""Drives one import in a process of its own, to be ended in the middle: child.py REQUEST RIGHTS FOLDER."""

import json
import signal
import sys
from pathlib import Path

import fhir_import

# Whoever started the tests may have had it ignored, as shells do in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)

request, rights, folder = sys.argv[1:]
store = fhir_import.Store(folder)
end = fhir_import.run(json.loads(Path(request).read_text()), json.loads(Path(rights).read_text()), store)
print(json.dumps(end))
