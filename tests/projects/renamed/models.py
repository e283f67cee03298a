from django.db import models

from django_customer_history import history


@history.register(subject="self", label="title")
class Room(models.Model):
    title = models.CharField(max_length=40)
