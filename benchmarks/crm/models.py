"""A customer with notes, invoices and tags. The package of this process keeps their history."""

import sys

from django.db import models

from benchmarks.customer import CustomerColumns
from benchmarks.peers import chosen_peer


class Tag(models.Model):
    name = models.CharField(max_length=40)

    def __str__(self):
        return self.name


class Customer(CustomerColumns):
    tags = models.ManyToManyField(Tag)

    def __str__(self):
        return self.name


class Note(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="notes")
    text = models.TextField()

    def __str__(self):
        return self.text


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="invoices")
    number = models.CharField(max_length=20)
    total = models.DecimalField(max_digits=10, decimal_places=2)

    def __str__(self):
        return self.number


chosen_peer().register(sys.modules[__name__])
