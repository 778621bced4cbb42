"""What every route promises: who may call it, with what. A route that isn't here fails the test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.jobs.factories import SHOWN_KEY


@dataclass(frozen=True)
class Route:
    """A promise about one address and method.

    Args:
        access: ``open`` (no sign-in), ``own`` (signed in; shows only one's own), ``list``
            (signed in; shows what one may see of `kind`), ``read`` and ``change`` (one object of
            `kind`), ``create`` (not for guests), ``manage`` (managers of the lab), ``work`` (who
            works in the lab of this one object).
        kind: of `tests.portal.samples.KINDS`.
        method: HTTP method.
        more: other arguments of the address.
        body: what is sent; ``<kind>`` stands for the public object of that kind, ``<lab>`` for the
            lab, ``<file>`` for an uploaded file, ``<archive>`` for one of a potential.
        lacks: a seen object may still answer 404, because the sample has no such content.
    """

    access: str
    kind: str = ""
    method: str = "get"
    more: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    lacks: bool = False


CHANGES = {"visibility": "lab", "title": "New", "name": "New", "reason": "Wrong."}
"""Enough for every change, so that nothing but the permission decides."""


def read(kind: str, /, lacks: bool = False, **more: str) -> Route:
    return Route("read", kind, more=more, lacks=lacks)


def change(kind: str, method: str = "post", /, lacks: bool = False, **more: str) -> Route:
    return Route("change", kind, method, more=more, body=dict(CHANGES), lacks=lacks)


OPEN, OWN = Route("open"), Route("own")
OWN_POST = Route("own", method="post")


def create(**body: Any) -> Route:
    return Route("create", method="post", body=body)


OWN_ACCOUNT = {"login": "sato", "work_dir": "/group/sato/portal"}
CLUSTER = {
    "name": "New",
    "host": "far.example",
    "login": "portal",
    "scheduler": "slurm",
    "work_dir": "/group/portal",
}


ROUTES: dict[str, tuple[Route, ...]] = {
    # portal
    "portal:home": (OWN,),
    "portal:search": (OWN,),
    "portal:api-docs": (OWN,),
    "portal:health": (OPEN,),
    "portal:health-documents": (OPEN,),
    "portal:words": (OPEN,),
    "api:schema": (OWN,),
    # labs
    "labs:sign-in": (OPEN,),
    "labs:sign-out": (OWN_POST,),
    "labs:password-reset": (OPEN,),
    "labs:password-reset-done": (OPEN,),
    "labs:password-reset-confirm": (Route("open", more={"uidb64": "MQ", "token": "x-y"}),),
    "labs:invitation": (Route("open", kind="secret"),),
    "labs:account": (OWN,),
    "labs:password": (OWN,),
    "labs:language": (OWN_POST,),
    "labs:tokens": (OWN,),
    "labs:token-revoke": (Route("own", "token", "post"),),
    "labs:lab": (OWN,),
    "labs:switch": (Route("own", method="post", body={"lab": "<lab>"}),),
    "labs:lab-edit": (Route("manage", method="post", body={"name": "New name"}),),
    "labs:invite": (
        Route("manage", method="post", body={"email": "a@x.example", "role": "guest"}),
    ),
    "labs:invitation-revoke": (Route("manage", "invitation", "post"),),
    "labs:member-role": (Route("manage", "membership", "post", body={"role": "member"}),),
    "labs:member-remove": (Route("manage", "membership", "post"),),
    "labs:shared-password": (
        Route("manage", "membership", "post", body={"password": "a b c d e f"}),
    ),
    "labs:shared-account": (
        Route(
            "manage",
            method="post",
            body={"name": "S", "email": "s@x.example", "password": "seven small slabs"},
        ),
    ),
    "labs:audit": (Route("manage"),),
    "api:me": (OWN,),
    "api:lab-list": (OWN,),
    "api:lab-detail": (Route("own", "lab"),),
    "api:membership-list": (OWN,),
    "api:token-list": (
        OWN,
        Route("own", method="post", body={"name": "x", "scopes": ["read"]}),
    ),
    "api:token-detail": (Route("own", "token"), Route("own", "token", "delete")),
    # jobs
    "jobs:list": (Route("list", "job"),),
    "jobs:cancel-many": (OWN_POST,),
    "jobs:detail": (read("job"),),
    "jobs:files": (read("job"),),
    "jobs:file": (read("job", name="job.log"),),
    "jobs:file-view": (read("job", name="job.log"),),
    "jobs:picture": (read("job", lacks=True, name="job.log"),),
    "jobs:bundle": (read("job"),),
    "jobs:continue": (change("job"),),
    "api:job-bundle": (read("job"),),
    "api:job-continue": (change("job"),),
    "jobs:cancel": (change("job"),),
    "jobs:retry": (change("job"),),
    "jobs:rename": (change("job"),),
    "jobs:visibility": (change("job"),),
    "jobs:delete": (change("job"),),
    "jobs:batches": (Route("list", "batch"),),
    "jobs:batch": (read("batch"),),
    "jobs:batch-retry": (change("batch"),),
    "jobs:batch-cancel": (change("batch"),),
    "api:batch-list": (Route("list", "batch"),),
    "api:batch-detail": (read("batch"),),
    "api:batch-retry-failed": (change("batch"),),
    "api:batch-cancel": (change("batch"),),
    "jobs:usage": (OWN,),
    "jobs:usage-csv": (OWN,),
    "jobs:usage-plot": (Route("own", more={"measure": "node_hours"}),),
    "jobs:limit": (Route("manage", method="post", body={"what": "running", "amount": "3"}),),
    "api:usage": (OWN,),
    "api:limits": (
        Route("manage", "lab-in-body", "put", body={"lab": "<lab>", "what": "disk", "amount": 3}),
    ),
    "jobs:notices": (OWN,),
    "jobs:notices-read": (OWN_POST,),
    "jobs:notice-settings": (OWN,),
    "api:notice-list": (OWN,),
    "api:notice-read": (OWN_POST,),
    "api:notice-settings": (OWN, Route("own", method="put", body={"ways": {}})),
    "jobs:clusters": (OWN,),
    "jobs:cluster": (Route("own", "cluster"),),
    "jobs:cluster-new": (Route("manage"), Route("manage", method="post")),
    "jobs:cluster-edit": (Route("manage", "lab-cluster"),),
    "jobs:cluster-probe": (Route("manage", "lab-cluster", "post"),),
    "jobs:cluster-confirm": (Route("manage", "lab-cluster", "post"),),
    "jobs:cluster-open": (Route("manage", "lab-cluster", "post", body={"open": "0"}),),
    "jobs:cluster-account": (Route("work", "lab-cluster", "post", body=OWN_ACCOUNT),),
    "jobs:cluster-credential": (
        Route("manage", "lab-cluster", "post", body={"method": "generate"}),
    ),
    "api:job-list": (Route("list", "job"),),
    "api:job-detail": (read("job"), change("job", "delete")),
    "api:job-files-zip": (read("job"),),
    "api:job-file": (read("job", name="job.log"),),
    "api:job-files": (read("job"),),
    "api:job-log": (read("job"),),
    "api:job-cancel": (change("job"),),
    "api:job-retry": (change("job"),),
    "api:cluster-list": (
        OWN,
        Route("manage", "lab-in-body", "post", body={**CLUSTER, "lab": "<lab>"}),
    ),
    "api:cluster-detail": (
        Route("own", "cluster"),
        Route("manage", "lab-cluster", "patch", body={"description": "New"}),
    ),
    "api:cluster-account": (
        Route("work", "lab-cluster", "post", body=OWN_ACCOUNT),
        Route("work", "lab-cluster", "delete"),
    ),
    "api:cluster-state": (Route("manage", "lab-cluster"),),
    "api:cluster-probe": (Route("manage", "lab-cluster", "post"),),
    "api:cluster-credential": (
        Route("manage", "lab-cluster", "post", body={"method": "generate"}),
    ),
    "api:cluster-host-key": (Route("manage", "lab-cluster", "post", body=SHOWN_KEY),),
    # datasets: structures
    "datasets:structures": (Route("list", "structure"),),
    "datasets:structure-new": (create(elements="Si"),),
    "datasets:structure-upload": (create(file="<file>"),),
    "datasets:structure": (read("structure"),),
    "datasets:structure-viewer": (read("structure"),),
    "datasets:structure-download": (read("structure", file_format="poscar"),),
    # A new structure comes of it; the parent stays: whoever sees it and may create, may build.
    "datasets:structure-build": (
        Route("use", "structure", "post", {"builder": "supercell"}, {"repeats": "1"}),
    ),
    "datasets:structure-edit": (change("structure"),),
    "datasets:structure-visibility": (change("structure"),),
    "datasets:structure-delete": (change("structure"),),
    "api:structure-list": (
        Route("list", "structure"),
        create(builder="bulk", values={"elements": "Si"}, name="Si", visibility="lab", lab="<lab>"),
    ),
    "api:structure-detail": (
        read("structure"),
        change("structure", "patch"),
        change("structure", "delete"),
    ),
    "api:structure-download": (read("structure", file_format="cif"),),
    "api:structure-viewer": (read("structure"),),
    "datasets:structure-set-new": (
        read("structure"),
        Route("use", "structure", "post", body={"visibility": "lab"}),
    ),
    "datasets:structure-set": (read("structure-set"),),
    "datasets:structure-set-visibility": (change("structure-set"),),
    "datasets:structure-set-delete": (change("structure-set"),),
    "datasets:frames-structures": (Route("use", "dataset", "post"),),
    "api:structure-set-list": (
        Route("list", "structure-set"),
        create(structure="<structure>", lab="<lab>"),
    ),
    "api:structure-set-detail": (
        read("structure-set"),
        change("structure-set", "patch"),
        change("structure-set", "delete"),
    ),
    # datasets: pseudopotentials
    "datasets:pseudo-families": (
        Route("list", "pseudo-family"),
        create(name="New", visibility="lab"),
    ),
    "datasets:pseudo-family": (read("pseudo-family"),),
    "datasets:pseudo-files-add": (change("pseudo-family"),),
    "datasets:pseudo-file": (read("pseudo-family", element="Si"),),
    "datasets:pseudo-family-visibility": (change("pseudo-family"),),
    "datasets:pseudo-family-delete": (change("pseudo-family"),),
    "api:pseudo-family-list": (
        Route("list", "pseudo-family"),
        create(name="New", lab="<lab>"),
    ),
    "api:pseudo-family-detail": (read("pseudo-family"), change("pseudo-family", "delete")),
    "api:pseudo-family-files": (change("pseudo-family"),),
    "api:pseudo-family-file": (read("pseudo-family", element="Si"),),
    # datasets: DFT runs. Without pw.x the form says so: tests/datasets/test_dft.py starts them.
    "datasets:dft-new": (OWN,),
    "datasets:dft-preview": (OWN_POST,),
    "datasets:dft": (read("dft"),),
    "datasets:dft-retry": (change("dft"),),
    "datasets:dft-continue": (change("dft"),),
    "api:dft-list": (Route("list", "dft"), create(structures=["<structure>"], lab="<lab>")),
    "api:dft-detail": (read("dft"),),
    "api:dft-retry": (change("dft"),),
    "api:dft-preview": (OWN_POST,),
    "api:dft-continue": (change("dft"),),
    # datasets: uploads
    "datasets:upload": (create(name="New", file="<file>"),),
    "datasets:upload-detail": (read("upload"),),
    "datasets:upload-original": (read("upload"),),
    "datasets:upload-cancel": (change("upload"),),
    "datasets:upload-retry": (change("upload"),),
    "datasets:upload-delete": (change("upload"),),
    "api:upload-list": (Route("list", "upload"), create(file="<file>")),
    "api:upload-detail": (read("upload"), change("upload", "delete")),
    "api:upload-cancel": (change("upload"),),
    "api:upload-retry": (change("upload"),),
    "api:upload-original": (read("upload"),),
    # datasets: teacher data
    "datasets:list": (Route("list", "dataset"),),
    "datasets:new": (create(name="New", visibility="lab"),),
    "datasets:silicon": (create(),),
    "datasets:detail": (read("dataset"),),
    "datasets:edit": (change("dataset"),),
    "datasets:publish": (change("dataset"),),
    "datasets:visibility": (change("dataset"),),
    "datasets:withdraw": (change("dataset"),),
    "datasets:delete": (change("dataset"),),
    "datasets:exclude": (change("dataset"),),
    "datasets:download": (read("dataset", file_format="extxyz"),),
    "datasets:plot": (read("dataset", name="energy"),),
    "datasets:plot-csv": (read("dataset", name="energy"),),
    "datasets:outliers": (read("dataset"),),
    "datasets:map": (read("dataset"),),
    "datasets:map-points": (read("dataset"),),
    "datasets:map-region": (read("dataset"),),
    "datasets:map-box": (read("dataset"),),
    "datasets:compare": (read("dataset", lacks=True),),
    "datasets:history": (read("dataset"),),
    "datasets:plan": (read("dataset"),),
    "datasets:citation": (read("dataset", file_format="bibtex"),),
    "datasets:schema": (OWN,),
    "datasets:schema-file": (OPEN,),
    "datasets:frames": (Route("list", "frame"),),
    "datasets:collect": (create(name="New", query="elements=Si"),),
    "datasets:search-save": (create(name="New", query="elements=Si"),),
    "datasets:search-delete": (change("search"),),
    "datasets:frames-download": (Route("own", more={"file_format": "jsonl"}),),
    "datasets:frame": (read("frame"),),
    "datasets:frame-viewer": (read("frame"),),
    "datasets:frame-download": (read("frame", file_format="extxyz"),),
    "datasets:frame-structure": (Route("use", "frame", "post"),),
    "datasets:optimade": (OPEN,),
    "datasets:optimade-versions": (OPEN,),
    "datasets:optimade-info": (OPEN,),
    "datasets:optimade-info-structures": (OPEN,),
    "datasets:optimade-links": (OPEN,),
    # What these show and hide: tests/datasets/test_optimade.py.
    "datasets:optimade-structures": (OPEN,),
    "datasets:optimade-structure": (Route("open", more={"identifier": "none"}),),
    "datasets:optimade-nothing": (Route("open", more={"rest": "none/"}, lacks=True),),
    "api:dataset-list": (Route("list", "dataset"), create(name="New", visibility="lab")),
    "api:dataset-detail": (
        read("dataset"),
        change("dataset", "patch"),
        change("dataset", "delete"),
    ),
    "api:dataset-download": (read("dataset", file_format="extxyz"),),
    "api:dataset-plots": (read("dataset", name="energy"),),
    "api:dataset-publish": (change("dataset"),),
    "api:dataset-exclude": (change("dataset"),),
    "api:dataset-restore": (change("dataset"),),
    "api:dataset-withdraw": (change("dataset"),),
    "api:dataset-outliers": (read("dataset"),),
    "api:dataset-map": (read("dataset"),),
    "api:dataset-duplicates": (read("dataset"),),
    "api:dataset-coverage": (read("dataset"),),
    "api:dataset-collect": (create(name="New", query="elements=Si", lab="<lab>"),),
    "api:dataset-compare": (read("dataset", lacks=True),),
    "api:dataset-history": (read("dataset"),),
    "api:dataset-plan": (read("dataset"),),
    "api:version-citation": (read("version", file_format="datacite"),),
    "api:version-list": (Route("list", "version"),),
    "api:version-detail": (read("version"),),
    "api:version-download": (read("version", file_format="n2p2"),),
    "api:version-files": (read("version"),),
    "api:version-withdraw": (change("version"),),
    "api:saved-search-list": (
        Route("list", "search"),
        create(name="New", query="elements=Si", visibility="private"),
    ),
    "api:saved-search-detail": (read("search"), change("search", "delete")),
    "api:frame-list": (Route("list", "frame"),),
    "api:frame-detail": (read("frame"),),
    "api:frame-facets": (OWN,),
    "api:frame-download": (read("frame", file_format="extxyz"),),
    "api:frame-download-all": (Route("own", more={"file_format": "extxyz"}),),
    "api:frame-viewer": (read("frame"),),
    # potentials: catalog
    "potentials:list": (Route("list", "potential"),),
    "potentials:compare": (OWN,),
    "potentials:compare-csv": (OWN,),
    "potentials:compare-plot": (
        Route("own", lacks=True, more={"check": "phonons", "number": "0"}),
    ),
    "potentials:compare-plot-csv": (
        Route("own", lacks=True, more={"check": "phonons", "number": "0"}),
    ),
    "potentials:upload": (create(name="New", files="<archive>", visibility="lab"),),
    "potentials:upload-preview": (OWN_POST,),
    "potentials:refused-uploads": (Route("list", "refused-upload"),),
    "potentials:refused-upload": (read("refused-upload"),),
    "potentials:refused-upload-original": (read("refused-upload"),),
    "potentials:refused-upload-delete": (change("refused-upload"),),
    "api:refused-upload-list": (Route("list", "refused-upload"),),
    "api:refused-upload-detail": (
        read("refused-upload"),
        change("refused-upload", "delete"),
    ),
    "potentials:detail": (read("potential"),),
    "potentials:edit": (change("potential"),),
    "potentials:visibility": (change("potential"),),
    "potentials:delete": (change("potential"),),
    "potentials:archive": (read("potential"),),
    "potentials:file": (read("potential", name="input.nn"),),
    "potentials:parity": (read("potential", lacks=True, quantity="energy"),),
    "potentials:parity-csv": (read("potential", lacks=True, quantity="energy"),),
    "api:potential-import": (create(name="New", files={}),),
    "api:potential-compare": (OWN,),
    "api:potential-upload": (create(name="New", files="<archive>", visibility="lab"),),
    "api:potential-list": (Route("list", "potential"),),
    "api:potential-detail": (
        read("potential"),
        change("potential", "patch"),
        change("potential", "delete"),
    ),
    "api:potential-versions": (read("potential"),),
    "api:potential-validation": (read("potential"), change("potential")),
    "api:potential-suggestion": (
        Route("change", "potential", "post", body={"key": "phonons-1"}, lacks=True),
    ),
    "api:potential-archive": (read("potential"),),
    "api:potential-file": (read("potential", name="input.nn"),),
    "api:potential-parity": (read("potential", lacks=True, quantity="energy"),),
    "potentials:validate": (change("potential", "get"), change("potential")),
    "potentials:accept-suggestion": (change("potential"),),
    "potentials:validation-plot": (read("potential", lacks=True, check="volume", number="0"),),
    "potentials:validation-plot-csv": (read("potential", lacks=True, check="volume", number="0"),),
    # potentials: training
    "potentials:train": (create(name="New", versions="<version>", effort="quick"),),
    "potentials:train-preview": (OWN_POST,),
    "potentials:train-functions": (OWN_POST,),
    "potentials:training": (read("training"),),
    "potentials:training-curve": (read("training", quantity="energy"),),
    "potentials:training-file": (read("training", name="log"),),
    "api:training-list": (
        Route("list", "training"),
        create(name="New", versions=["<version>"], effort="quick"),
    ),
    "potentials:training-delete": (change("training"),),
    "api:training-detail": (read("training"), change("training", "delete")),
    "api:training-batch": (create(name="New", versions=["<version>"], effort="quick", runs=2),),
    "api:training-preview": (OWN_POST,),
    "api:training-cancel": (change("training"),),
    "api:training-curve": (read("training"),),
    "api:training-log": (read("training"),),
    # potentials: molecular dynamics
    "potentials:simulate": (create(name="New", potential="<potential>", structure="<structure>"),),
    "potentials:simulate-preview": (OWN_POST,),
    "potentials:simulation": (read("simulation"),),
    "potentials:simulation-plot": (read("simulation", name="temperature"),),
    "potentials:simulation-file": (read("simulation", name="log"),),
    "potentials:trajectory-view": (read("simulation", lacks=True),),
    "potentials:trajectory": (read("simulation", lacks=True, kind="extxyz"),),
    "potentials:save-structure": (Route("use", "simulation", "post", lacks=True),),
    "potentials:candidates": (Route("use", "simulation", "post", lacks=True),),
    "potentials:candidates-view": (read("simulation", lacks=True),),
    "api:simulation-list": (
        Route("list", "simulation"),
        create(
            name="New",
            potential="<potential>",
            structure="<structure>",
            settings={"stages": [{"steps": 10, "temperature_start": 300}]},
        ),
    ),
    "potentials:simulation-delete": (change("simulation"),),
    "api:simulation-detail": (read("simulation"), change("simulation", "delete")),
    "api:simulation-batch": (
        create(
            name="New",
            potential="<potential>",
            structure="<structure>",
            settings={"stages": [{"steps": 10, "temperature_start": 300}]},
            temperatures=[300, 600],
        ),
    ),
    "api:simulation-preview": (OWN_POST,),
    "api:simulation-cancel": (change("simulation"),),
    "api:simulation-log": (read("simulation"),),
    "api:simulation-structure": (
        Route("use", "simulation", "post", body={"name": "New"}, lacks=True),
    ),
    "api:simulation-candidates": (
        read("simulation", lacks=True),
        Route("use", "simulation", "post", lacks=True),
    ),
    "api:simulation-candidate-positions": (read("simulation", lacks=True),),
    "api:simulation-disagreement": (read("simulation", lacks=True),),
    "api:simulation-table": (read("simulation", lacks=True, name="rdf"),),
    "api:simulation-thermo": (read("simulation", lacks=True),),
    "api:simulation-trajectory": (read("simulation", lacks=True, kind="extxyz"),),
}
