"""Numbers of documents: INV-1001, INV-1002 and so on, for all companies."""

FIRST_NUMBER = 1001


def next_number(model, prefix):
    """Return the next number of a model with a unique field `number`."""
    newest = model._base_manager.order_by("-pk").values_list("number", flat=True).first()
    number = FIRST_NUMBER if newest is None else int(newest.removeprefix(f"{prefix}-")) + 1
    return f"{prefix}-{number}"
