"""Whether another site made a browser send a request.

An export is recorded in the name of the user. A link or an image on another site must not start
one with the user's cookies. Browsers say where a request comes from; other clients say nothing.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import is_same_domain

_OWN = ("same-origin", "none")
"""Values of Sec-Fetch-Site: a page of this site, and the user: an address or a bookmark."""

_SENT_BY_BROWSERS = ("basic", "digest", "negotiate", "ntlm")
"""Schemes of the header Authorization that browsers add by themselves, as they do cookies."""


def is_from_another_site(request: HttpRequest) -> bool:
    """Return whether a page of another site started a request with the user's cookies.

    Requests with a token of their own are never that. The sites in `CSRF_TRUSTED_ORIGINS` are
    trusted here, too.
    """
    scheme, _, _credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme and scheme.lower() not in _SENT_BY_BROWSERS:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    if site is not None:
        return site not in _OWN and not _is_trusted(origin)
    return origin is not None and not (_is_own(origin, request) or _is_trusted(origin))


def _is_own(origin: str, request: HttpRequest) -> bool:
    # Behind a proxy, the scheme that Django sees can differ from that of the browser.
    return _host(origin) == request.get_host().lower()


def _is_trusted(origin: str | None) -> bool:
    if not origin:
        return False
    parts = urlsplit(origin)
    return any(
        parts.scheme == trusted.scheme and is_same_domain(parts.netloc, trusted.netloc.lstrip("*"))
        for trusted in map(urlsplit, settings.CSRF_TRUSTED_ORIGINS)
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
