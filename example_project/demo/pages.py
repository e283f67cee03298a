"""HTML pages: their forms and links."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

_NOT_SENT = {"submit", "button", "image", "reset", "file"}


@dataclass(slots=True)
class Form:
    """A form of a page: its URL, the values of its fields, and the texts of its buttons."""

    action: str
    buttons: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)

    def filled(self, changes):
        """Return the names and values to send, with those in `changes` replaced.

        A field with several values has a list of them.
        """
        kept = [(name, value) for name, value in self.values if name not in changes]
        return kept + [
            (name, one)
            for name, value in changes.items()
            for one in (value if isinstance(value, list) else [value])
        ]


class Page(HTMLParser):
    """A page that a server sent."""

    def __init__(self, url, text, headers):
        super().__init__()
        self.url = url
        self.headers = headers
        self.text = text
        self.forms = []
        self.links = {}
        self.urls = []
        self._choices = {}
        self._form = self._select = self._option = None
        self._textarea = self._link = self._button = self._chosen = None
        self._words = ""
        self.feed(text)

    def form(self, button):
        """Return the form that has a button. Raises `LookupError` if there is none."""
        for form in self.forms:
            if button in form.buttons:
                return form
        raise LookupError(f"{self.url} has no button {button!r}.")

    def link(self, text):
        """Return the URL of the link with a text. Raises `LookupError` if there is none."""
        return self.links[text]

    def choices(self, name):
        """Return the choices of a field: their labels with their values."""
        return self._choices[name]

    def handle_starttag(self, tag, attrs):
        """Read the start of forms, fields and links."""
        begin = getattr(self, f"_begin_{tag}", None)
        if begin is not None:
            begin(dict(attrs))

    def handle_data(self, data):
        """Read the text of links, buttons and text areas."""
        self._words += data

    def handle_endtag(self, tag):
        """Read the end of forms, fields and links."""
        end = getattr(self, f"_end_{tag}", None)
        if end is not None:
            end()

    def _begin_form(self, attributes):
        self._form = Form(action=urljoin(self.url, attributes.get("action") or self.url))
        self.forms.append(self._form)

    def _end_form(self):
        self._form = None

    def _begin_input(self, attributes):
        kind = attributes.get("type", "text")
        if kind in {"checkbox", "radio"} and "checked" not in attributes:
            return
        if kind == "submit" and self._form is not None:
            self._form.buttons.append(attributes.get("value", ""))
        if kind not in _NOT_SENT:
            self._keep(attributes.get("name"), attributes.get("value", ""))

    def _begin_button(self, attributes):
        self._button, self._words = attributes, ""

    def _end_button(self):
        if self._form is not None:
            self._form.buttons.append(self._button.get("aria-label") or self._words.strip())

    def _begin_select(self, attributes):
        self._select, self._option = attributes, None

    def _begin_option(self, attributes):
        if self._select is None:
            return
        value = attributes.get("value", "")
        self._chosen, self._words = value, ""
        if "multiple" in self._select:
            if "selected" in attributes:
                self._keep(self._select.get("name"), value)
        elif self._option is None or "selected" in attributes:
            self._option = value

    def _end_option(self):
        if self._select is not None:
            choices = self._choices.setdefault(self._select.get("name"), {})
            choices[self._words.strip()] = self._chosen

    def _end_select(self):
        if self._option is not None:
            self._keep(self._select.get("name"), self._option)
        self._select = None

    def _begin_textarea(self, attributes):
        self._textarea, self._words = attributes, ""

    def _end_textarea(self):
        self._keep(self._textarea.get("name"), self._words.removeprefix("\n"))

    def _begin_a(self, attributes):
        self._link, self._words = attributes.get("href"), ""

    def _end_a(self):
        if self._link:
            url = urljoin(self.url, self._link)
            self.links[" ".join(self._words.split())] = url
            self.urls.append(url)

    def _keep(self, name, value):
        if name and self._form is not None:
            self._form.values.append((name, value or ""))
