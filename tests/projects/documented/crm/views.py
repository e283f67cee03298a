from django.http import HttpRequest, HttpResponse


def renew(request: HttpRequest, pk: int) -> HttpResponse:
    raise NotImplementedError
