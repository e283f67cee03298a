"""Helpers for the tests of the History tab: its URL, texts, chips and actions."""

from django.utils.html import strip_tags

REVEALING = {"MASK_UNTIL_REVEALED": True}


def tab_url(customer):
    return f"/customers/{customer.pk}/history/"


def shown(answer):
    return " ".join(strip_tags(answer.content.decode()).split())


def chips(answer):
    return [(chip.title, chip.text) for chip in answer.context["history"].filter_bar.chips]


def actions(answer):
    return [entry.action for entry in answer.context["page"].entries]


def get_staff(user):
    user.is_staff = True
    user.save()


def zone_of(user):
    return {"ann": "Pacific/Auckland", "lost": "Nowhere/Land"}.get(user.username)
