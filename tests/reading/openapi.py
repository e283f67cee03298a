"""The OpenAPI document, for a program that tries the endpoints by it."""

KNOWN = {
    "action": ["Create", "Update"],
    "entity": ["crm.customer", "crm.note"],
    "field": ["name", "email"],
    "from": ["2020-01-01"],
    "subject": ["crm.customer"],
    "to": ["2030-01-01"],
    "user": ["system"],
}


def know_values(document):
    """Let the document name values of the filters that fit: others are refused."""
    found = set()
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                name = parameter["name"].removeprefix("-")
                if parameter["in"] == "query" and name in KNOWN:
                    schema = parameter["schema"]
                    schema.get("items", schema)["enum"] = KNOWN[name]
                    found.add(name)
    assert {"action", "entity", "field", "user"} <= found, found
