"""`run_job NAME`: the jobs that run every night."""

from django.core.management.base import BaseCommand

from crm.jobs import JOBS
from crm.models import Company


class Command(BaseCommand):
    """Run one job, for each company."""

    help = "Runs a job for each company: workflows, the sync with monitoring, or signals."

    def add_arguments(self, parser):
        """Take the name of the job."""
        parser.add_argument("job", choices=sorted(JOBS))

    def handle(self, *args, job, **options):
        """Run the job."""
        count = sum(JOBS[job].run(company) for company in Company.objects.all())
        self.stdout.write(f"{count} {JOBS[job].counted}.")
