"""Writers on all nodes of a cluster at once: the log is whole, and the same on each node.

`python -m tests.servers start galera group` starts the clusters.
"""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise

import dj_database_url
import pymysql
import pytest
from django.db import connection

from tests.extras import skip_missing
from tests.servers.clusters import CLUSTERS

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

KEY, KIND, ENTITY, SUBJECT, USER, LABEL, SOURCE, CHANGES = range(8)


def problem_of(cluster, url):
    """Return why a node cannot be used; None: it can."""
    server = dj_database_url.parse(url)
    try:
        with (
            pymysql.connect(
                host=server["HOST"],
                port=server["PORT"] or 3306,
                user=server["USER"],
                password=server["PASSWORD"],
                connect_timeout=3,
            ) as node,
            node.cursor() as cursor,
        ):
            cursor.execute(cluster.size_query)
            size = cluster.size(cursor.fetchall())
    except pymysql.Error as error:
        return f"{server['HOST']}:{server['PORT']}: {error.args[-1]}"
    if size != len(cluster.nodes):
        return f"{server['HOST']}:{server['PORT']} is in a cluster of {size} nodes, not 3"
    return None


@pytest.fixture(scope="module", params=CLUSTERS.values(), ids=CLUSTERS)
def cluster(request):
    if connection.vendor != "sqlite":
        pytest.skip("a cluster has servers of its own: it is tested once, in a run on SQLite")
    one = request.param
    urls = os.environ.get(one.variable, ",".join(one.urls)).split(",")
    problems = [problem for url in urls if (problem := problem_of(one, url))]
    if problems:
        skip_missing(
            f"{one.title}: {'; '.join(problems)}."
            f" `python -m tests.servers start {one.name}` starts it."
        )
    return one


@pytest.fixture(scope="module", params=["nothing", "killed", "emptied"])
def seen(request, cluster):
    """What the scenario saw, with the third node up all the time, or killed meanwhile."""
    is_own = os.geteuid() == 0 and all(node.pid() for node in cluster.nodes)
    if request.param != "nothing" and not is_own:
        skip_missing("a node that `python -m tests.servers` started, to kill it")
    done = subprocess.run(
        [sys.executable, "-m", "tests.clusters.scenario", request.param],
        env={**os.environ, "TEST_CLUSTER": cluster.name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def updates(seen):
    return [one for one in seen["nodes"]["default"]["entries"] if one[KIND] == "update"]


def test_each_node_has_the_same_log(seen):
    first, second, third = seen["nodes"].values()
    assert first == second == third


def test_each_write_has_one_entry(seen):
    """A write that lost against another one left none; one that the node was killed in may."""
    logged = Counter(one[CHANGES]["name"][1] for one in updates(seen) if "name" in one[CHANGES])
    written = {token for tokens in seen["written"].values() for token in tokens}
    assert set(logged.values()) == {1}
    assert written <= set(logged) <= written | set(seen["unknown"])
    assert all(len(tokens) >= 20 for tokens in seen["written"].values())


def test_each_increment_has_one_entry(seen):
    raised = [one for one in updates(seen) if "rate" in one[CHANGES]]
    named = [one for one in updates(seen) if "name" in one[CHANGES]]
    assert len(raised) == len(named)
    total = sum(float(rate) for _, _, rate in seen["nodes"]["default"]["customers"])
    assert total == len(raised)


def test_old_and_new_values_make_a_chain(seen):
    """In the order of the log each value is the next one's old value; the last is the row's."""
    chains = defaultdict(lambda: defaultdict(list))
    for entry in seen["nodes"]["default"]["entries"]:
        if entry[KIND] in ("create", "update"):
            for field, pair in entry[CHANGES].items():
                chains[entry[ENTITY]][field].append(pair)
    customers = {key: (name, rate) for key, name, rate in seen["nodes"]["default"]["customers"]}
    for key, (name, rate) in customers.items():
        for field, value in (("name", name), ("rate", rate)):
            pairs = chains[key][field]
            assert pairs[0][0] is None
            assert all(one[1] == other[0] for one, other in pairwise(pairs))
            assert pairs[-1][1] == value


def test_each_entry_has_the_user_of_its_write(seen):
    for entry in updates(seen):
        alias, _, number = entry[USER].rpartition("-")
        assert entry[LABEL] == f"user {number} of {alias}"
        assert entry[SOURCE] == "task"
        if "name" in entry[CHANGES]:
            assert entry[CHANGES]["name"][1].startswith(f"{entry[USER]} ")


def test_paging_is_complete_on_each_node(seen):
    for node in seen["nodes"].values():
        assert node["pages"] == [one[KEY] for one in reversed(node["entries"])]


def test_transactions_did_conflict(seen):
    assert seen["conflicts"] > 0
