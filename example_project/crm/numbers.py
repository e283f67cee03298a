"""Numbers of papers: INV-1001, INV-1002 and so on, over all companies."""

FIRST_NUMBER = 1001


def next_number(model, prefix):
    """Return the number for the next row of a model with a unique field `number`."""
    newest = model._base_manager.order_by("-pk").values_list("number", flat=True).first()
    number = FIRST_NUMBER if newest is None else int(newest.removeprefix(f"{prefix}-")) + 1
    return f"{prefix}-{number}"
