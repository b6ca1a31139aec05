"""What graced writes as JSON, held against the schema that is installed, and more strictly: a member that the schema does
not have is wrong here, though readers must pass over it."""
import functools, json, os

import jsonschema

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "json", "graced-1.schema.json")


@functools.cache
def definitions():
    with open(SCHEMA) as f:
        return json.load(f)["$defs"]


@functools.cache
def validator(kind):
    strict = {name: {**each, "additionalProperties": False} if "properties" in each else each for name, each in definitions().items()}
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/" + kind, "$defs": strict}
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def assert_valid(kind, value):
    """kind: status, list, history or event."""
    wrong = ["%s: %s" % (e.json_path, e.message) for e in validator(kind).iter_errors(value)]
    assert not wrong, "\n".join([*wrong, json.dumps(value, indent=1)])
    return value
