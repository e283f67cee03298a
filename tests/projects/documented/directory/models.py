from django.conf import settings
from django.db import models


class Party(models.Model):
    name = models.CharField(max_length=100)


class Company(Party):
    number = models.CharField(max_length=20)


class Employee(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    company = models.ForeignKey(Company, models.CASCADE)
