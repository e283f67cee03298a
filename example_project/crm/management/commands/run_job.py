"""`run_job NAME`: run one of the nightly jobs."""

from django.core.management.base import BaseCommand

from crm.jobs import JOBS
from crm.models import Company


class Command(BaseCommand):
    """Run a job for each company."""

    help = "Run a job for each company: workflows, the monitoring sync, or signals."

    def add_arguments(self, parser):
        """Add the name of the job."""
        parser.add_argument("job", choices=sorted(JOBS))

    def handle(self, *args, job, **options):
        """Run the job."""
        count = sum(JOBS[job].run(company) for company in Company.objects.all())
        self.stdout.write(JOBS[job].counted % count)
