"""Drives one import in a process of its own, to be ended in the middle: child.py REQUEST RIGHTS FOLDER."""

import json
import sys
from pathlib import Path

import fhir_import

request, rights, folder = sys.argv[1:]
store = fhir_import.Store(folder)
end = fhir_import.run(json.loads(Path(request).read_text()), json.loads(Path(rights).read_text()), store)
print(json.dumps(end))
