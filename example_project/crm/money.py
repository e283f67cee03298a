"""Amounts of money as text."""


def dollars(amount):
    """Return an amount as $1,299.00."""
    return f"${amount:,.2f}"
