"""Amounts of money in templates: `{{ invoice.total|dollars }}`."""

from django import template

from crm.money import dollars

register = template.Library()
register.filter(dollars)
