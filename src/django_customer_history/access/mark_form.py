"""The form of a mark: the model is picked from a list, and the field from one or typed."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from django_customer_history.access.confidential import is_weaker
from django_customer_history.access.permissions import confidential_permission_name
from django_customer_history.masks import as_mask
from django_customer_history.models import ConfidentialField
from django_customer_history.registration.fields import field_of, is_part_of_key
from django_customer_history.registration.registry import Registration, registry


class ConfidentialFieldForm(forms.ModelForm):  # type: ignore[type-arg]
    """A confidential field of a registered model."""

    reader: ClassVar[Any] = None
    """The user of the form, for whom the labels of JSON keys are made; None: none are."""

    model = forms.ChoiceField()

    class Meta:
        model = ConfidentialField
        fields = ("model", "field", "label", "mask")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A reader who may not change the mark gets a form without fields.
        if "model" in self.fields:
            self.fields["model"].choices = _model_choices()  # type: ignore[attr-defined]
            name = ConfidentialField._meta.get_field("model").verbose_name
            self.fields["model"].label = capfirst(name)
        if "field" in self.fields:
            self.fields["field"].widget = _FieldInput(
                self.reader, attrs={**self.fields["field"].widget.attrs, "autocomplete": "off"}
            )

    def clean(self) -> dict[str, Any] | None:
        """Check that the field exists, is not a primary key, and has keys only if it is JSON."""
        cleaned = super().clean() or {}
        registration = registry.find(cleaned.get("model", ""))
        root, dot, path = cleaned.get("field", "").partition(".")
        if registration is None or not root:
            return cleaned
        known = field_of(registration.model, root)
        if known is None:
            names = sorted(one.name for one in _fields(registration))
            raise ValidationError(
                {"field": _("This field does not exist. The fields are: %s.") % ", ".join(names)}
            )
        if is_part_of_key(known):
            raise ValidationError({"field": _("A key cannot be confidential: it is part of URLs.")})
        if registry.keeps_secret(registration, known):
            raise ValidationError(
                {"field": _("This field is secret: its values are never stored.")}
            )
        if dot and not isinstance(known, models.JSONField):
            raise ValidationError({"field": _("Only JSON fields have keys.")})
        if dot and not all(path.split(".")):
            raise ValidationError({"field": _("A part of the key is empty.")})
        self._check_mask(registration, cleaned)
        return cleaned

    def _check_mask(self, registration: Registration, cleaned: dict[str, Any]) -> None:
        """Refuse a mask that shows more than the one that the registration has."""
        registered = registration.confidential.get(cleaned.get("field", ""))
        if registered is not None and is_weaker(cleaned.get("mask", ""), as_mask(registered)):
            raise ValidationError(
                {"mask": _("The registration hides more. Choose its mask, or hide everything.")}
            )


class _FieldInput(forms.TextInput):
    """A text box with the fields of all registered models as suggestions.

    Keys of JSON fields are suggested if the registration has labels for them; others can be typed.
    A script leaves only the suggestions of the chosen model.
    """

    def __init__(self, reader: Any, **options: Any) -> None:
        super().__init__(**options)
        self._reader = reader

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("customer_history/marks.css",)}
        js = ("customer_history/marks.js",)

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        list_id = f"{(attrs or {}).get('id', name)}_list"
        text_box = super().render(name, value, {**(attrs or {}), "list": list_id}, renderer)
        options = format_html_join(
            "", '<option value="{}" data-model="{}">{}</option>', _field_options(self._reader)
        )
        return format_html('{}<datalist id="{}">{}</datalist>', text_box, list_id, options)


def model_name(label: str) -> str:
    """Return what people call a model that is given by its label; the label if it is removed."""
    registration = registry.find(label)
    return label if registration is None else _name_of(registration)


def field_name(mark: ConfidentialField) -> str:
    """Return what people call the field of a mark, with its own name where that says more."""
    registration = registry.find(mark.model)
    known = (
        None if registration is None else field_of(registration.model, mark.field.partition(".")[0])
    )
    return mark.field if known is None else _with_name(known, mark.field)


def effect_of(mark: ConfidentialField) -> str:
    """Return a sentence that says what a mark hides, and which permission shows it."""
    text = _(
        "“%(field)s” of “%(model)s” is now masked in all entries, old and new. Users see its"
        " values with the permission “%(permission)s”."
    )
    model: type[models.Model] = apps.get_model(mark.model)
    return text % {
        "field": field_name(mark),
        "model": model_name(mark.model),
        "permission": confidential_permission_name(model, mark.field, mark.label),
    }


def _name_of(registration: Registration) -> str:
    return str(capfirst(str(registration.model._meta.verbose_name)))


def _with_name(field: Any, name: str) -> str:
    """Return the verbose name of a field and, unless it is the same, the name that is typed."""
    verbose_name = str(field.verbose_name)
    shown = str(capfirst(verbose_name))
    return shown if verbose_name.lower() == name.replace("_", " ") else f"{shown} ({name})"


def _model_choices() -> list[tuple[str, Any]]:
    """Return the registered models, by the names of their apps."""
    by_app: dict[str, list[Registration]] = defaultdict(list)
    for registration in registry:
        by_app[str(registration.model._meta.app_config.verbose_name)].append(registration)
    groups: list[tuple[str, Any]] = [
        (app, sorted(_choices(by_app[app]), key=lambda one: one[1])) for app in sorted(by_app)
    ]
    # Nothing is chosen for a mark whose model is not registered any more.
    return [("", "---------"), *groups]


def _choices(registrations: list[Registration]) -> Iterator[tuple[str, str]]:
    names = Counter(map(_name_of, registrations))
    for registration in registrations:
        name, label = _name_of(registration), registration.model._meta.label_lower
        yield label, name if names[name] == 1 else f"{name} ({label})"


def _field_options(reader: Any) -> list[tuple[str, str, str]]:
    """Return the name, the model and the text of each field and key that can be marked."""
    options = [
        (name, registration.model._meta.label_lower, f"{_name_of(registration)}: {text}")
        for registration in registry
        for field in _fields(registration)
        for name, text in _named(registration, field, reader)
    ]
    return sorted(options, key=lambda option: option[2])


def _named(registration: Registration, field: Any, reader: Any) -> Iterator[tuple[str, str]]:
    """Yield a field, and the keys in it that have labels, as they are typed and as shown."""
    yield field.name, str(capfirst(str(field.verbose_name)))
    labels_for = None if reader is None else registration.key_labels.get(field.name)
    for path, label in ({} if labels_for is None else labels_for(reader)).items():
        yield f"{field.name}.{path}", str(label)


def _fields(registration: Registration) -> list[Any]:
    """Return the fields of a model that can be marked."""
    meta = registration.model._meta
    return [
        field
        for field in (*meta.fields, *meta.many_to_many)
        if not is_part_of_key(field) and not registry.keeps_secret(registration, field)
    ]
