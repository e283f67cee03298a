"""The routes of the endpoints: `path("api/history/", include(...))` mounts them."""

from django.urls import register_converter
from django.urls.converters import StringConverter
from rest_framework.routers import DynamicRoute, Route, SimpleRouter

from django_customer_history.rest_framework.feed import FeedViewSet
from django_customer_history.rest_framework.undoing import RequestViewSet
from django_customer_history.rest_framework.viewsets import (
    EntryViewSet,
    HistoryViewSet,
    SubjectHistoryViewSet,
)

app_name = "customer_history_api"


class KeyConverter(StringConverter):
    """The key of a subject: any characters, slashes included."""

    regex = r"[\s\S]+"


register_converter(KeyConverter, "customer_history_key")


class HistoryRouter(SimpleRouter):
    """Routes the actions of a list before the list, as the key of a subject matches any path."""

    routes = [
        DynamicRoute(
            url="{prefix}/{url_path}{trailing_slash}",
            name="{basename}-{url_name}",
            detail=False,
            initkwargs={},
        ),
        Route(
            url="{prefix}{trailing_slash}",
            mapping={"get": "list"},
            name="{basename}",
            detail=False,
            initkwargs={},
        ),
        DynamicRoute(
            url="{prefix}/{lookup}/{url_path}{trailing_slash}",
            name="{basename}-{url_name}",
            detail=True,
            initkwargs={},
        ),
        Route(
            url="{prefix}/{lookup}{trailing_slash}",
            mapping={"get": "retrieve"},
            name="{basename}",
            detail=True,
            initkwargs={},
        ),
    ]


router = HistoryRouter(use_regex_path=False)
router.register("", HistoryViewSet, basename="entries")
router.register(
    "subjects/<str:model>/<customer_history_key:key>", SubjectHistoryViewSet, basename="subject"
)
router.register("feed", FeedViewSet, basename="feed")
router.register("entries", EntryViewSet, basename="entry")
router.register("requests", RequestViewSet, basename="request")

urlpatterns = router.urls
