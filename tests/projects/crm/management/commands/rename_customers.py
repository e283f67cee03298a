from django.core.management.base import BaseCommand, CommandError

from tests.projects.crm.models import Customer


class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("name")
        parser.add_argument("--fail", action="store_true")

    def handle(self, *args, name, fail, **options):
        Customer.objects.update(name=name)
        if fail:
            raise CommandError("Failed after all.")
