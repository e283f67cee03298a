"""One view that reads a customer and one that changes two of its fields."""

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from benchmarks.crm.models import Customer


@login_required
def read(request, key):
    customer = get_object_or_404(Customer, pk=key)
    return JsonResponse({"name": customer.name, "rate": str(customer.rate)})


@csrf_exempt
@login_required
def change(request, key):
    customer = get_object_or_404(Customer, pk=key)
    customer.rate, customer.status = request.POST["rate"], request.POST["status"]
    customer.save()
    return JsonResponse({"name": customer.name})


urlpatterns = [
    path("customers/<int:key>/", read),
    path("customers/<int:key>/change/", change),
]
