"""Which clusters a form offers for a code, and which it proposes."""

from __future__ import annotations

import pytest

from jobs.models import Cluster
from jobs.offering import clusters_offering, usual_cluster
from jobs.services import cluster_ensure_local
from labs.models import Role
from tests.jobs import factories


@pytest.fixture
def manager(lab):
    return factories.make_user(lab, Role.MANAGER)


@pytest.fixture
def here(db):
    return cluster_ensure_local()


@pytest.fixture
def far(manager, lab):
    cluster = factories.make_far_cluster(manager, lab)
    Cluster.objects.filter(pk=cluster.pk).update(recipes={"pw.x": {"argv": ["pw.x"]}})
    return cluster


def test_only_clusters_that_can_start_the_code_are_offered(owner, here, far):
    assert set(clusters_offering(owner, "mlmd")) == {here}
    Cluster.objects.filter(pk=far.pk).update(recipes={"mlmd": {"argv": ["mlmd"]}})
    assert set(clusters_offering(owner, "mlmd")) == {here, far}
    Cluster.objects.filter(pk=far.pk).update(is_active=False)
    assert set(clusters_offering(owner, "mlmd")) == {here}


def test_a_lab_s_cluster_is_not_offered_to_others(here, far):
    stranger = factories.make_user(factories.make_lab())
    assert far not in clusters_offering(stranger, "pw.x")


def test_a_form_proposes_the_machine_here_and_then_the_last_one_used(owner, lab, here, far):
    Cluster.objects.filter(pk=far.pk).update(recipes={"mlmd": {"argv": ["mlmd"]}})
    offered = clusters_offering(owner, "mlmd")
    assert usual_cluster(owner, factories.KIND, offered) == here
    factories.make_job(owner, lab, cluster=far)
    assert usual_cluster(owner, factories.KIND, offered) == far
    assert usual_cluster(owner, "another", offered) == here
    Cluster.objects.filter(pk=far.pk).update(recipes={})
    assert usual_cluster(owner, factories.KIND, clusters_offering(owner, "mlmd")) == here
