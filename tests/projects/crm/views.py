"""Views that change a customer, one for each way in which a request can do it."""

import asyncio
from importlib.util import find_spec

from django.contrib.auth import (
    aauthenticate,
    alogin,
    alogout,
    authenticate,
    get_user_model,
    login,
    logout,
)
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from rest_framework.authentication import BaseAuthentication
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.projects.crm import background
from tests.projects.crm.background import queued
from tests.projects.crm.models import Claim, Customer

if find_spec("celery") is not None:
    from celery import current_app


def rename(request, pk):
    customer = Customer.objects.get(pk=pk)
    customer.name = request.POST["name"]
    customer.save()
    return HttpResponse()


def execute(request, pk):
    with connection.cursor() as cursor:
        cursor.execute(request.POST["sql"])
        if cursor.description:
            cursor.fetchall()
    return HttpResponse()


def assess(request, pk):
    Claim.objects.filter(pk=pk).update(amount=request.POST["amount"])
    return HttpResponse()


async def rename_async(request, pk):
    customer = await Customer.objects.aget(pk=pk)
    customer.name = request.POST["name"]
    await customer.asave()
    return HttpResponse()


def read(request, pk):
    return HttpResponse(Customer.objects.get(pk=pk).name)


async def read_async(request, pk):
    return HttpResponse((await Customer.objects.aget(pk=pk)).name)


def page(request, pk):
    return render(request, "crm/customer.html", {"customer": Customer.objects.get(pk=pk)})


def log_in(request):
    user = authenticate(request, username=request.POST["username"], password=request.POST["p"])
    Customer.objects.create(name="before")
    login(request, user)
    Customer.objects.create(name="after")
    return HttpResponse()


async def log_in_async(request):
    user = await aauthenticate(request, username=request.POST["username"], password="pw")
    await Customer.objects.acreate(name="before")
    await alogin(request, user)
    await Customer.objects.acreate(name="after")
    return HttpResponse()


async def log_out_async(request):
    await Customer.objects.acreate(name="before")
    await alogout(request)
    await Customer.objects.acreate(name="after")
    return HttpResponse()


def log_out(request):
    Customer.objects.create(name="before")
    logout(request)
    Customer.objects.create(name="after")
    return HttpResponse()


def sign_up(request):
    user = get_user_model().objects.create_user(request.POST["username"], password="pw")
    login(request, user)
    Customer.objects.create(name="own record")
    return HttpResponse()


def send_task(request, pk):
    """Send the task that the form names. The request itself writes nothing."""
    current_app.send_task(
        f"tests.projects.crm.tasks.{request.POST['task']}", request.POST.getlist("names")
    )
    return HttpResponse()


async def send_task_async(request, pk):
    return send_task(request, pk)


def enqueue(request, pk):
    """Change the customer, and enqueue the task that the form names."""
    Customer.objects.filter(pk=pk).update(name=f"for {request.POST['name']}")
    task = queued(getattr(background, request.POST["task"]), request.POST["backend"])
    task.enqueue(request.POST["name"])
    return HttpResponse()


async def enqueue_async(request, pk):
    task = queued(getattr(background, request.POST["task"]), request.POST["backend"])
    await task.aenqueue(request.POST["name"])
    return HttpResponse()


def stream(request, pk):
    def rows():
        try:
            for name in request.GET["names"]:
                Customer.objects.filter(pk=pk).update(name=name)
                yield f"{name}\n"
            if "fail" in request.GET:
                raise RuntimeError
        finally:
            if "last" in request.GET:
                Customer.objects.filter(pk=pk).update(name=request.GET["last"])

    return StreamingHttpResponse(rows())


async def stream_async(request, pk):
    async def rows():
        try:
            for name in request.GET["names"]:
                await Customer.objects.filter(pk=pk).aupdate(name=name)
                yield f"{name}\n"
            if "wait" in request.GET:
                await asyncio.Event().wait()
        finally:
            if "last" in request.GET:
                await Customer.objects.filter(pk=pk).aupdate(name=request.GET["last"])

    return StreamingHttpResponse(rows())


async def wait_forever(request, pk):
    await Customer.objects.filter(pk=pk).aupdate(name="waiting")
    await asyncio.Event().wait()


class Partner:
    """A user who exists only in an authentication class."""

    is_authenticated = True

    def __init__(self, pk, name):
        self.pk = pk
        self.name = name

    def __str__(self):
        return self.name


class PartnerAuthentication(BaseAuthentication):
    """Authenticate a partner, a user without a record, or nobody, by a header."""

    def authenticate(self, request):
        users = {
            "partner": lambda: Partner("p-7", "Partner Seven"),
            "nameless": lambda: Partner(None, "Passing Partner"),
            "service": lambda: get_user_model()(username="billing-service"),
        }
        make = users.get(request.headers.get("X-Partner"))
        return None if make is None else (make(), None)


class CustomerAPIView(APIView):
    def patch(self, request, pk):
        Customer.objects.filter(pk=pk).update(**request.data)
        return Response({})


class PartnerAPIView(CustomerAPIView):
    authentication_classes = (PartnerAuthentication,)
