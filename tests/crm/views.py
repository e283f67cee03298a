"""Views that change a customer, one for each way in which a request may do it."""

import asyncio

from celery import current_app
from django.contrib.auth import authenticate, get_user_model, login, logout
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.crm.models import Customer


def rename(request, pk):
    customer = Customer.objects.get(pk=pk)
    customer.name = request.POST["name"]
    customer.save()
    return HttpResponse()


async def rename_async(request, pk):
    customer = await Customer.objects.aget(pk=pk)
    customer.name = request.POST["name"]
    await customer.asave()
    return HttpResponse()


def read(request, pk):
    return HttpResponse(Customer.objects.get(pk=pk).name)


def page(request, pk):
    return render(request, "crm/customer.html", {"customer": Customer.objects.get(pk=pk)})


def log_in(request):
    user = authenticate(request, username=request.POST["username"], password=request.POST["p"])
    Customer.objects.create(name="before")
    login(request, user)
    Customer.objects.create(name="after")
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
    """Send the task that the form names; the request itself writes nothing."""
    current_app.send_task(f"tests.crm.tasks.{request.POST['task']}", request.POST.getlist("names"))
    return HttpResponse()


async def send_task_async(request, pk):
    return send_task(request, pk)


def stream(request, pk):
    def rows():
        for name in request.GET["names"]:
            Customer.objects.filter(pk=pk).update(name=name)
            yield f"{name}\n"
        if "fail" in request.GET:
            raise RuntimeError

    return StreamingHttpResponse(rows())


async def stream_async(request, pk):
    async def rows():
        for name in request.GET["names"]:
            await Customer.objects.filter(pk=pk).aupdate(name=name)
            yield f"{name}\n"

    return StreamingHttpResponse(rows())


async def wait_forever(request, pk):
    await Customer.objects.filter(pk=pk).aupdate(name="waiting")
    await asyncio.Event().wait()


class CustomerAPIView(APIView):
    def patch(self, request, pk):
        Customer.objects.filter(pk=pk).update(**request.data)
        return Response({})
