"""A request searches the log for a limited time, and nothing of that limit stays."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from django_customer_history import conf
from django_customer_history.exceptions import TimeLimitError
from django_customer_history.reading.time_limit import searching, with_time_limit
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Customer

VENDOR = connection.vendor
SLOW = {
    "sqlite": (
        "SELECT count(*) FROM (WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i FROM n) AS slow"
    ),
    "postgresql": "SELECT pg_sleep(30)",
    "mysql": (
        "SELECT COUNT(*) FROM information_schema.collations AS a,"
        " information_schema.collations AS b, information_schema.collations AS c,"
        " information_schema.collations AS d, information_schema.collations AS e"
    ),
}[VENDOR]
only_postgresql = pytest.mark.skipif(VENDOR != "postgresql", reason="about PostgreSQL")


def limit(seconds):
    return override_settings(CUSTOMER_HISTORY={"READING_TIME_LIMIT": seconds})


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@with_time_limit
def search(sql):
    with searching("default"):
        return run(sql)


def timeout():
    return run("SHOW statement_timeout")[0][0]


@pytest.mark.django_db(transaction=True)
class TestStatement:
    def test_stops_a_slow_one(self):
        with limit(0.2), pytest.raises(TimeLimitError, match="Narrow the filters"):
            search(SLOW)

    def test_lets_a_fast_one_run(self):
        with limit(20):
            assert search("SELECT 1") == ((1,),) if VENDOR == "mysql" else [(1,)]

    def test_other_errors_stay(self):
        with limit(20), pytest.raises(DatabaseError, match="nonsense"):
            search("SELECT nonsense")

    def test_transaction_goes_on(self):
        with limit(0.2), transaction.atomic():
            Customer.objects.create(name="before")
            with pytest.raises(TimeLimitError):
                search(SLOW)
            Customer.objects.create(name="after")
        assert list(Customer.objects.values_list("name", flat=True)) == ["before", "after"]

    def test_other_statements_have_none(self):
        """Also those between two searches, and after them."""

        @with_time_limit
        def searches():
            search("SELECT 1")
            run(SLEEP)
            search("SELECT 1")

        with limit(20):
            searches()
        with limit(0.05):
            search("SELECT 1")
            run(SLEEP)

    @only_postgresql
    def test_setting_of_the_session(self):
        run_only("SET statement_timeout = '7min'")
        try:
            with limit(20):
                search("SELECT 1")
                assert timeout() == "7min"
                with transaction.atomic():
                    assert search("SHOW statement_timeout")[0][0].startswith(("20s", "199"))
                    assert timeout() == "7min"
                with transaction.atomic(), pytest.raises(TimeLimitError), limit(0.2):
                    search(SLOW)
                assert timeout() == "7min"
        finally:
            run_only("RESET statement_timeout")

    @only_postgresql
    @pytest.mark.parametrize("seconds", [0, 20])
    def test_is_not_compiled(self, seconds):
        """PostgreSQL would take 0.25 s for that in a log of 50 million entries."""
        show = "SHOW jit"
        run_only("SET jit = on")
        try:
            with limit(seconds):
                assert search(show) == [("off",)]
                assert run(show) == [("on",)]
                with transaction.atomic():
                    assert search(show) == [("off",)]
                    assert run(show) == [("on",)]
                with pytest.raises(DatabaseError, match="nonsense"):
                    search("SELECT nonsense")
                assert run(show) == [("on",)]
        finally:
            run_only("RESET jit")

    @only_postgresql
    def test_lower_limit_stays(self):
        run_only("SET statement_timeout = 200")
        try:
            with limit(20), pytest.raises(TimeLimitError):
                search(SLOW)
            with limit(20):
                assert search("SHOW statement_timeout") == [("200ms",)]
        finally:
            run_only("RESET statement_timeout")

    @only_postgresql
    @pytest.mark.parametrize(
        ("own", "is_lower"),
        [("1500ms", True), ("19s", True), ("1min", False), ("3h", False), ("2d", False)],
    )
    def test_units_of_the_session(self, own, is_lower):
        run_only(f"SET statement_timeout = '{own}'")
        try:
            with limit(20):
                found = search("SHOW statement_timeout")[0][0]
            assert (found == own) is is_lower
            assert is_lower or found.startswith(("20s", "199"))
            assert timeout() == own
        finally:
            run_only("RESET statement_timeout")


SLEEP = {
    "sqlite": "SELECT max(random()) FROM (WITH RECURSIVE n(i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600000) SELECT i FROM n) AS some",
    "postgresql": "SELECT pg_sleep(0.2)",
    "mysql": "SELECT SLEEP(0.2)",
}[VENDOR]


def run_only(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.mark.django_db
@pytest.mark.urls("tests.reading.urls")
class TestAnswers:
    """With a limit that is over at once, a page that searches answers with 503."""

    @pytest.fixture(autouse=True)
    def no_time(self, settings):
        settings.CUSTOMER_HISTORY = {**settings.CUSTOMER_HISTORY, "READING_TIME_LIMIT": 1e-9}

    @pytest.fixture
    def page(self, customer):
        return f"/customers/{customer.pk}/history/"

    @pytest.fixture
    def api(self, customer):
        return f"/api/history/subjects/crm.customer/{customer.pk}/"

    @pytest.mark.parametrize("query", ["?q=Acme", "?field=name", "?kind=create"])
    def test_page(self, query, page, reader):
        response = reader.get(page + query)
        assert response.status_code == 503
        content = response.content.decode()
        assert "This search takes too long." in content
        assert "Narrow the filters: choose a time, a user or a record." in content

    def test_page_without_search(self, page, reader):
        assert reader.get(page).status_code == 200

    @pytest.mark.parametrize("path", ["", "facets/", "fields/name/"])
    def test_rest(self, path, api, reader):
        response = reader.get(f"{api}{path}?q=Acme")
        assert response.status_code == 503
        assert response["Content-Type"] == "application/problem+json"
        assert response.json() == {
            "type": "about:blank",
            "title": "Service Unavailable",
            "status": 503,
            "detail": (
                "The search takes too long. Narrow the filters: give a time, a user or a record."
            ),
        }

    def test_rest_without_search(self, api, reader):
        assert reader.get(api).status_code == 200

    def test_code_has_no_limit(self, customer, user, reader):
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        assert len(timeline.filtered(kind="create").page().entries) == 1


class TestSetting:
    def test_default(self):
        with override_settings(CUSTOMER_HISTORY={}):
            assert conf.reading_time_limit() == 20

    @pytest.mark.parametrize("value", [-1, "20", None, True, float("inf"), float("nan")])
    def test_wrong_value(self, value):
        with limit(value):
            (problem,) = conf.problems()
        assert problem.hint == "Give a number of seconds, or 0 for no limit."
