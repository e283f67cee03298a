"""Views that change a customer, one for each way in which a request may do it."""

from django.contrib.auth import authenticate, login
from django.http import HttpResponse
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


class CustomerAPIView(APIView):
    def patch(self, request, pk):
        Customer.objects.filter(pk=pk).update(**request.data)
        return Response({})
