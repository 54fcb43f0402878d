"""Write the JSON schema of assessments, mlipgen/generalisation/data/report.schema.json."""

import json
from pathlib import Path

from mlipgen.generalisation.assess import schema

target = Path(__file__).parents[1] / "mlipgen" / "generalisation" / "data" / "report.schema.json"
target.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
