from django.db import models


class Invoice(models.Model):
    customer = models.ForeignKey("crm.Customer", models.CASCADE)
    number = models.CharField(max_length=20)


class InvoiceLine(models.Model):
    invoice = models.ForeignKey(Invoice, models.CASCADE)
