"""An API of django-ninja, which puts the user of a token into `request.auth`."""

from django.contrib.auth import get_user_model
from ninja import NinjaAPI
from ninja.security import HttpBearer

from tests.projects.others.models import Customer


class UserOfToken(HttpBearer):
    def authenticate(self, request, token):
        return get_user_model().objects.filter(username=token).first()


api = NinjaAPI(auth=UserOfToken())


@api.post("/customers/{pk}/{name}/")
def rename(request, pk: int, name: str):
    customer = Customer.objects.get(pk=pk)
    customer.name = name
    customer.save()
    return {}
