"""Amounts as people write them."""


def dollars(amount):
    """Return an amount as $1,299.00."""
    return f"${amount:,.2f}"
