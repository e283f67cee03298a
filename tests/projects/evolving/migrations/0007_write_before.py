from django.db import migrations


def write(apps, text):
    """Write rows for the customers of the test that wants them."""
    call = apps.get_model("evolving", "Call")
    item = apps.get_model("evolving", "VisitItem")
    for customer in apps.get_model("crm", "Customer").objects.filter(name="renaming"):
        made = call.objects.create(customer_id=customer.pk, text=text)
        item.objects.create(visit_id=made.pk)


def write_before(apps, schema_editor):
    write(apps, "before")


class Migration(migrations.Migration):
    dependencies = [("evolving", "0006_constrain")]

    operations = [migrations.RunPython(write_before, migrations.RunPython.noop)]
