"""The feed over REST and the command that follows the log."""

import json
from http import HTTPStatus
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_customer_history.exceptions import StateFileError
from django_customer_history.feed.following import follow
from django_customer_history.feed.state import StateFile
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Customer
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/history/feed/"


def rename(customer, *names):
    for name in names:
        Customer.objects.filter(pk=customer.pk).update(name=name)


def names(results):
    return [
        change["new"]
        for entry in results
        for change in entry["changes"]
        if (change["field"], entry["kind"]) == ("name", "update")
    ]


def read(client, url):
    """Read pages until there is no more; return the entries and the next link."""
    results = []
    while True:
        page = client.get(url).json()
        results += page["results"]
        url = page["next"]
        if not page["has_more"]:
            return results, url


class TestOverRest:
    def test_oldest_first_and_on(self, reader, customer):
        rename(customer, "a", "b")
        _, url = _caught_up(reader, URL + "?limit=1&kind=update", ["a", "b"])
        rename(customer, "c")
        _caught_up(reader, url, ["c"])

    def test_next_is_never_null(self, reader, customer):
        page = reader.get(URL).json()
        assert set(page) == {"next", "has_more", "settled_until", "results"}
        assert page["next"].startswith("http://testserver/api/history/feed/?cursor=")

    def test_cursor_of_other_filters(self, reader, customer):
        _, url = read(reader, URL)
        response = reader.get(url + "&kind=create")
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert response.json()["errors"][0]["parameter"] == "cursor"

    def test_masks_hold(self, reader, confidential_customer):
        results, _ = read(reader, URL)
        assert "987-65-4321" not in json.dumps(results)

    def test_without_permission(self, stranger, customer):
        assert stranger.get(URL).status_code == HTTPStatus.FORBIDDEN

    def test_read_only(self, reader, customer):
        assert reader.post(URL).status_code == HTTPStatus.METHOD_NOT_ALLOWED


def _caught_up(client, url, expected):
    """Read the feed until it has what is expected: the newest entries may not be settled yet."""
    found, entries = [], []
    for _ in range(50):
        more, url = read(client, url)
        entries += more
        found += names(more)
        if found == expected:
            return entries, url
    raise AssertionError(f"{found} is not {expected}")


class TestFollow:
    def test_in_python(self, user, customer):
        grant(user, "view_customer_history")
        timeline = Timeline.of_everything(user).filtered(kind="update")
        rename(customer, "a", "b", "c")
        found = []
        for page in follow(timeline, batch=2, interval=2.0, until_settled=True):
            found += [change.new for entry in page.entries for change in entry.changes]
        assert found == ["a", "b", "c"]


class TestCommand:
    def lines(self, *arguments):
        out = StringIO()
        options = ("--until-settled", "--interval=2", "--kind=update")
        call_command("history_follow", *options, *arguments, stdout=out, stderr=StringIO())
        return names(map(json.loads, out.getvalue().splitlines()))

    def test_goes_on_where_it_stopped(self, customer, tmp_path):
        state = f"--state={tmp_path / 'state.json'}"
        rename(customer, "a", "b")
        assert self.lines(state) == ["a", "b"]
        assert self.lines(state) == []
        rename(customer, "c")
        assert self.lines(state) == ["c"]

    def test_damaged_state_file(self, customer, tmp_path):
        path = tmp_path / "state.json"
        path.write_text('{"version": 1, "posi')
        with pytest.raises(CommandError, match="is not a state file, or it is damaged"):
            self.lines(f"--state={path}")
        assert path.read_text() == '{"version": 1, "posi'

    def test_state_file_of_other_filters(self, customer, tmp_path):
        state = f"--state={tmp_path / 'state.json'}"
        self.lines(state)
        with pytest.raises(CommandError, match="belongs to another reader, database or filter"):
            self.lines(state, "--source=web")

    def test_unknown_user(self, customer):
        with pytest.raises(CommandError, match="There is no user 'nobody'"):
            self.lines("--as=nobody")

    def test_masks_of_the_reader(self, user, confidential_customer):
        grant(user, "view_customer_history")
        out = StringIO()
        call_command("history_follow", "--until-settled", "--as=ann", stdout=out, stderr=StringIO())
        assert "987-65-4321" not in out.getvalue()


class TestStateFile:
    def test_first_run(self, tmp_path):
        assert StateFile(path=tmp_path / "no.json", question="q").read() is None

    def test_folder_instead_of_file(self, tmp_path):
        with pytest.raises(StateFileError, match="cannot be read"):
            StateFile(path=tmp_path, question="q").read()
