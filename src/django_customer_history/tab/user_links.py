"""The link from a tab that is filtered by one user to the page of that user."""

from collections.abc import Sequence

from django_customer_history.access.permissions import readable_models
from django_customer_history.reading.filters import BY_NAME, SYSTEM
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.urls import user_history_url


def link_to_user(timeline: Timeline, users: Sequence[str]) -> str | None:
    """Return the page of a user, given as the values of the filter `user`.

    None if these are not one user with a key, if the reader may not read the history of any model,
    or if the project has no such page.
    """
    if len(users) != 1 or users[0] == SYSTEM or users[0].startswith(BY_NAME):
        return None
    if readable_models(timeline.reader) == []:
        return None
    return user_history_url(users[0])
