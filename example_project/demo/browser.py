"""People and programs that use the site over HTTP, each from an IP address of their own.

The IP address is sent in `X-Forwarded-For`, as a reverse proxy in front of the site does.
"""

import json
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener
from uuid import uuid4

from demo.pages import Page


class FormRefusedError(Exception):
    """The site did not accept a form and showed it again."""


class Browser:
    """A browser that keeps cookies, follows redirects and fills in forms."""

    def __init__(self, site, *, ip_address, language="en"):
        self.site = site
        self._headers = {"X-Forwarded-For": ip_address, "Accept-Language": language}
        # No proxy of the environment is used: requests stay on this machine.
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def log_in(self, name, password):
        """Log in with the form of the site."""
        self.submit("/log-in", "Log in", {"username": name, "password": password})

    def open(self, path):
        """Return a page. Raises `HTTPError` if the site answers with an error."""
        return self._page(Request(urljoin(self.site, path)))

    def submit(self, path, button, changes=None, *, files=None):
        """Open a page, fill in the form of a button and press it; return the next page.

        `changes` are the fields to fill in; the other fields keep their values. `files` maps
        fields to file names and contents. Raises `FormRefusedError` if the form is not accepted.
        """
        form = self.open(path).form(button)
        fields = form.filled(changes or {})
        content_type, body = _multipart(fields, files) if files else _urlencoded(fields)
        request = Request(form.action, data=body, headers={"Content-Type": content_type})
        answer = self._page(request)
        if answer.url == form.action and 'class="errorlist' in answer.text:
            raise FormRefusedError(f"{form.action} did not accept {changes}.")
        return answer

    def _page(self, request):
        for name, value in self._headers.items():
            request.add_header(name, value)
        with self._opener.open(request, timeout=30) as response:
            return Page(response.geturl(), response.read().decode(), response.headers)


class Program:
    """A program that uses the API with a token."""

    def __init__(self, site, *, ip_address, token):
        self.site = site
        self._headers = {
            "X-Forwarded-For": ip_address,
            "Authorization": f"Token {token}",
            "Content-Type": "application/json",
        }
        self._opener = build_opener(ProxyHandler({}))

    def send(self, method, path, data=None):
        """Return the answer of the API. Raises `HTTPError` if it is an error."""
        body = None if data is None else json.dumps(data).encode()
        request = Request(urljoin(self.site, path), data=body, headers=self._headers, method=method)
        with self._opener.open(request, timeout=30) as response:
            return json.load(response)


def _urlencoded(fields):
    return "application/x-www-form-urlencoded", urlencode(fields).encode()


def _multipart(fields, files):
    boundary = uuid4().hex
    parts = [
        f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in fields
    ]
    parts += [
        f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        for name, (filename, content) in files.items()
    ]
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    return f"multipart/form-data; boundary={boundary}", body + b"--%b--\r\n" % boundary.encode()
