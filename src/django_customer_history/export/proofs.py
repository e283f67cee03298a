"""The proof of one entry as a file, for the History tab and for REST. Its export is logged."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header

from django_customer_history.capture.events import record_access
from django_customer_history.exceptions import NotFoundError, NotSealedError, SealError
from django_customer_history.export.evidence.lines import proof_for_reader
from django_customer_history.export.streaming import ACTION, subject_of
from django_customer_history.feed.seals.keys import has_key, key_of_settings
from django_customer_history.feed.seals.proofs import SealedLog
from django_customer_history.models import Entry
from django_customer_history.reading.timeline import Timeline

FORMAT = "tlog-proof"
MEDIA_TYPE = "text/plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryProof:
    """The proof of an entry that its reader may have, before it is recorded."""

    timeline: Timeline
    key: UUID
    content: str

    @classmethod
    def of(cls, timeline: Timeline, key: UUID) -> "EntryProof":
        """Return the proof of an entry of a timeline; it discloses what the reader may see.

        Raises `PermissionDenied` if the reader may not export the timeline, `NotFoundError` if it
        does not have the entry, `NotSealedError` if the entry is not sealed yet or there is no key,
        and `SealError` if the entry or its seal is not right.
        """
        exported = timeline.exported()
        entry = exported.entry(key)
        if entry is None:
            raise NotFoundError("There is no such entry.")
        if not has_key():
            raise NotSealedError("There is no key for the seals.")
        using = exported.queryset.db
        stored = Entry.objects.using(using).filter(id=key).first()
        if stored is None:
            raise SealError(f"Entry {key} was removed. Run history_verify.")
        log = SealedLog(key=key_of_settings(), using=using)
        content = proof_for_reader(entry, stored, log=log)
        return cls(timeline=exported, key=key, content=content)

    def response(self, request: HttpRequest) -> HttpResponse:
        """Record the export and return the file.

        The response to a HEAD request has no file, and nothing is recorded.
        """
        name = f"entry-{self.key}.{FORMAT}"
        disposition = content_disposition_header(as_attachment=True, filename=name)
        headers = {
            "Content-Type": f"{MEDIA_TYPE}; charset=utf-8",
            "Content-Disposition": str(disposition),
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        }
        if request.method == "HEAD":
            return HttpResponse(headers=headers)
        record_access(
            ACTION,
            subject=subject_of(self.timeline),
            entry=self.key,
            changes={"format": (None, FORMAT)},
            using=self.timeline.queryset.db_of_writing,
        )
        return HttpResponse(self.content, headers=headers)
