"""Validates JSON of standard input, one object a line: {"name", "instance", "valid"}.

The only argument is the schema. Prints each instance that is valid and should not be, or the other
way round, and exits with 1 if there is one. Exits with 77 if the package jsonschema is missing.
"""

import json
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    sys.exit(77)

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
wrong = 0
for line in sys.stdin:
    case = json.loads(line)
    error = next(validator.iter_errors(case["instance"]), None)
    if (error is None) != case["valid"]:
        wrong += 1
        print(f"{case['name']}: {error.json_path + ': ' + error.message if error else 'is valid'}")
sys.exit(1 if wrong else 0)
