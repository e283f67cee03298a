"""The page that previews an undo, asks for a reason, undoes, and shows the result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_protect
from django.views.generic import TemplateView

from django_customer_history.access.permission_names import names_of_permissions
from django_customer_history.access.permissions import Reader
from django_customer_history.exceptions import (
    NotFoundError,
    UndoDeniedError,
    UndoTooLargeError,
)
from django_customer_history.labels import KIND_LABELS
from django_customer_history.point_in_time.reader_undo import (
    ReaderUndo,
    ShownConflict,
    ShownUndo,
)
from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.reading.time_zones import in_time_zone_of
from django_customer_history.registration.registry import registry
from django_customer_history.tab.private_page import PrivatePage
from django_customer_history.tab.urls import entry_url
from django_customer_history.tab.values import TabChange, build_change, build_changes

LONGEST_REASON = 500
_VALUE = "value:"
"""The prefix of the inputs for values that the log does not store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRow:
    """One entry that the undo writes."""

    entry: TimelineEntry
    kind: str
    """The name of what happens to the record."""
    changes: tuple[TabChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRow:
    """A conflict, with the value that is there now and the former one."""

    conflict: ShownConflict
    change: TabChange | None
    input_name: str = ""
    """The name of the input for a value that is missing."""
    given: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoPage:
    """What the page shows."""

    kind: str
    """`entry`, `request` or `deletion`."""
    shown: ShownUndo | None = None
    rows: tuple[UndoRow, ...] = ()
    conflicts: tuple[ConflictRow, ...] = ()
    back_url: str | None = None
    reason: str = ""
    is_reason_missing: bool = False
    is_forcing: bool = False
    is_done: bool = False
    has_changed: bool = False
    """Whether the records changed between the preview and the attempt to undo."""
    missing_permissions: tuple[str, ...] = ()
    """What people call the permissions that the reader also needs."""
    is_too_large: bool = False

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to write, or to decide."""
        return self.shown is not None and bool(
            self.rows or self.shown.can_force or self.needs_value
        )

    @property
    def needs_value(self) -> bool:
        """Whether a value has to be given."""
        return any(row.input_name for row in self.conflicts)

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status of the page."""
        if self.missing_permissions:
            return HTTPStatus.FORBIDDEN
        if self.is_reason_missing or self.is_too_large:
            return HTTPStatus.BAD_REQUEST
        return HTTPStatus.CONFLICT if self.has_changed else HTTPStatus.OK


@method_decorator(csrf_protect, name="dispatch")
class UndoView(PrivatePage, TemplateView):
    """Preview an undo; a POST with a reason undoes.

    `django_customer_history.urls` includes it, for an entry, a request of a subject, and a
    deleted record. It works without JavaScript.
    """

    template_name = "customer_history/undo.html"
    http_method_names = ["get", "head", "options", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in the time zone of the reader."""
        with in_time_zone_of(request.user):
            return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the preview."""
        return self._answer(self._preview)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Undo, and return the result; or the preview again, if something is missing."""
        return self._answer(self._result)

    def _answer(self, build: Callable[[ReaderUndo], UndoPage]) -> HttpResponse:
        try:
            undo = self._undo()
            page = self._built(build, undo)
        except UndoTooLargeError:
            page = UndoPage(kind=self._kind, is_too_large=True)
        context = self.get_context_data(undo=page, longest_reason=LONGEST_REASON, **self.kwargs)
        response: Any = self.render_to_response(context, status=page.status)
        rendered: HttpResponse = response.render()
        return rendered

    def _built(self, build: Callable[[ReaderUndo], UndoPage], undo: ReaderUndo) -> UndoPage:
        try:
            return build(undo)
        except UndoDeniedError as error:
            return UndoPage(
                kind=self._kind,
                missing_permissions=names_of_permissions(error.permissions),
                back_url=_back_url(undo),
            )

    def _preview(self, undo: ReaderUndo) -> UndoPage:
        return self._page(undo, undo.preview())

    def _result(self, undo: ReaderUndo) -> UndoPage:
        posted = self.request.POST
        reason = posted.get("reason", "").strip()[:LONGEST_REASON]
        force = posted.get("force") == "yes"
        digest = posted.get("digest", "")
        preview = undo.preview()
        texts = {
            name.removeprefix(_VALUE): str(text)
            for name, text in posted.items()
            if name.startswith(_VALUE)
        }
        values, errors = _read_values(texts, preview)
        state: Any = {"reason": reason, "force": force, "texts": texts, "errors": errors}
        if digest != preview.digest:
            return self._page(undo, preview, has_changed=True, **state)
        if not reason or errors:
            return self._page(undo, preview, is_reason_missing=not reason, **state)
        is_as_previewed = not force and not values
        shown = undo.run(
            reason=reason, force=force, values=values, digest=digest if is_as_previewed else None
        )
        if shown is None:
            return self._page(undo, undo.preview(), has_changed=True, **state)
        return self._page(undo, shown, is_done=True, **state)

    def _page(
        self,
        undo: ReaderUndo,
        shown: ShownUndo,
        *,
        reason: str = "",
        force: bool = False,
        texts: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        **state: Any,
    ) -> UndoPage:
        return UndoPage(
            kind=self._kind,
            shown=shown,
            rows=tuple(_row(entry) for entry in shown.written),
            conflicts=tuple(_conflict(one, texts or {}, errors or {}) for one in shown.conflicts),
            back_url=_back_url(undo),
            reason=reason,
            is_forcing=force,
            **state,
        )

    def _undo(self) -> ReaderUndo:
        reader, kwargs = cast("Reader", self.request.user), self.kwargs
        if "entry" in kwargs:
            return ReaderUndo.of_entry(reader, kwargs["entry"])
        registration = registry.find(kwargs["model"].lower())
        if registration is None or not registration.is_subject:
            raise NotFoundError("There is no such record.")
        model: type[models.Model] = registration.model
        if "request_id" in kwargs:
            request_id: UUID = kwargs["request_id"]
            return ReaderUndo.of_request(reader, request_id, model=model, key=kwargs["pk"])
        return ReaderUndo.of_deletion(reader, model, kwargs["pk"])

    @property
    def _kind(self) -> str:
        if "entry" in self.kwargs:
            return "entry"
        return "request" if "request_id" in self.kwargs else "deletion"


def _row(entry: TimelineEntry) -> UndoRow:
    return UndoRow(entry=entry, kind=str(KIND_LABELS[entry.kind]), changes=build_changes(entry))


def _conflict(
    conflict: ShownConflict, texts: Mapping[str, str], errors: Mapping[str, str]
) -> ConflictRow:
    change = conflict.change
    return ConflictRow(
        conflict=conflict,
        change=None if change is None else build_change(change),
        input_name=f"{_VALUE}{conflict.needed}" if conflict.needed else "",
        given=texts.get(conflict.needed, ""),
        error=errors.get(conflict.needed, ""),
    )


def _back_url(undo: ReaderUndo) -> str | None:
    entry = undo.root or undo.entries[0]
    (shown,) = undo.timeline.present([entry], undo.timeline.field_access())
    return entry_url(shown)


def _read_values(
    texts: Mapping[str, str], preview: ShownUndo
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that were given for fields that need one, and what is wrong with others."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    needed = {one.needed: one for one in preview.conflicts if one.needed}
    for name, text in texts.items():
        if name not in needed or not text:
            continue
        label, _, field = name.rpartition(".")
        registration = registry.find(label)
        try:
            found: Any = registration.model._meta.get_field(field) if registration else None
            values[name] = found.clean(text, None)
        except ValidationError as error:
            errors[name] = " ".join(error.messages) or gettext("Enter a valid value.")
    return values, errors
