"""Authors, funding, embargo, citations and the plan."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.urls import reverse
from django.utils import timezone

from datasets.citation import bibtex, datacite
from datasets.credits import Author, Credits, authors_parse, orcid_check
from datasets.models import Dataset, DatasetVersion, Frame, Upload
from datasets.services import dataset_publish, dataset_update
from labs.exceptions import Refused
from tests.datasets.factories import extxyz, make_dataset, make_frames, make_upload, make_version

CARBERRY = "0000-0002-1825-0097"  # ORCID's own example person
CREDITS = Credits(
    (Author("Carberry, Josiah", CARBERRY, "Brown University"), Author("Doe, Jane")),
    "Glass Foundation, grant 12 & 3",
)


def credit(dataset: Dataset, owner, credited: Credits, visibility: str = "lab") -> Dataset:
    return dataset_update(
        dataset=dataset,
        actor=owner,
        name=dataset.name,
        description="Rattled cells.",
        licence="CC-BY-4.0",
        tags=["silicon"],
        visibility=visibility,
        credited=credited,
    )


def test_authors_are_read_from_lines_and_written_back():
    text = f"Carberry, Josiah; https://orcid.org/{CARBERRY}; Brown University\n\nDoe, Jane"
    assert authors_parse(text) == CREDITS.authors
    assert authors_parse("\n".join(author.line for author in CREDITS.authors)) == CREDITS.authors
    assert authors_parse("Doe, Jane; Brown University") == (
        Author("Doe, Jane", "", "Brown University"),
    )
    assert authors_parse("Doe, Jane; ; Brown")[0].affiliation == "Brown"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Doe; 0000-0002-1825-0098", "typing error"),
        ("Doe; 1234; x", "isn't an ORCID"),
        ("; 0000-0002-1825-0097", "Author 1 has no name"),
        ("Doe\n" * 101, "101 authors are too many"),
    ],
)
def test_authors_that_cannot_be_are_refused_in_words(text, words):
    with pytest.raises(Refused, match=words):
        authors_parse(text)


def test_the_check_digit_of_an_orcid_may_be_an_x():
    assert orcid_check("0000-0002-9079-593x") == "0000-0002-9079-593X"


def test_a_published_version_keeps_its_authors(owner, lab):
    dataset = credit(make_dataset(owner, lab), owner, CREDITS)
    version = dataset_publish(dataset=dataset, actor=owner)
    credit(version.dataset, owner, Credits())
    version = DatasetVersion.objects.get()
    assert version.citation.startswith("Carberry, Josiah; Doe, Jane (")
    entry = bibtex(version, "https://portal.example/data/1/")
    assert "author = {Carberry, Josiah and Doe, Jane}" in entry
    assert version.checksum in entry
    assert entry.startswith("@misc{Carberry")
    found = datacite(version, "https://portal.example/data/1/")["data"]["attributes"]
    assert found["creators"][0] == {
        "name": "Carberry, Josiah",
        "nameType": "Personal",
        "familyName": "Carberry",
        "givenName": "Josiah",
        "nameIdentifiers": [
            {
                "nameIdentifier": f"https://orcid.org/{CARBERRY}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ],
        "affiliation": [{"name": "Brown University"}],
    }
    assert found["rightsList"][0]["rightsIdentifier"] == "cc-by-4.0"
    assert found["fundingReferences"] == [{"funderName": "Glass Foundation, grant 12 & 3"}]
    assert found["types"]["resourceTypeGeneral"] == "Dataset"


def test_citation_and_plan_are_files(page, owner, lab):
    dataset = credit(make_dataset(owner, lab), owner, CREDITS)
    url = reverse("datasets:citation", args=[dataset.public_id, "bibtex"])
    assert page.get(url).status_code == 404
    version = dataset_publish(dataset=dataset, actor=owner)
    answer = page.get(url)
    assert answer["Content-Disposition"].endswith('-v1.bib"')
    assert r"\&" not in answer.content.decode().split("url")[1]
    posted = page.get(reverse("datasets:citation", args=[dataset.public_id, "datacite"])).content
    assert json.loads(posted)["data"]["attributes"]["version"] == "1"
    assert page.get(reverse("api:version-citation", args=[version.public_id, "bibtex"])).content
    plan = page.get(reverse("datasets:plan", args=[dataset.public_id])).content.decode()
    assert "SPDX identifier CC-BY-4.0" in plan
    assert f"https://orcid.org/{CARBERRY}" in plan
    assert version.checksum in plan
    assert "3 labelled atomic configurations with 6 atoms" in plan


def test_an_embargo_hides_a_public_dataset_with_all_it_holds(client, owner, lab, stranger):
    tomorrow = timezone.localdate() + timedelta(days=1)
    version = make_version(owner, lab, "public")
    make_upload(owner, lab, extxyz(make_frames(1)), dataset=version.dataset, visibility="public")
    dataset = credit(version.dataset, owner, Credits(embargo_until=tomorrow), "public")
    assert dataset.is_embargoed
    for user in (stranger, AnonymousUser()):
        for model in (Dataset, DatasetVersion, Frame, Upload):
            assert not model.objects.visible_to(user).exists(), model
    assert Frame.objects.visible_to(owner).count() == 3
    assert Upload.objects.visible_to(owner).count() == 1
    client.force_login(stranger)
    assert client.get(dataset.get_absolute_url()).status_code == 404
    credit(dataset, owner, Credits(embargo_until=timezone.localdate()), "public")
    assert client.get(dataset.get_absolute_url()).status_code == 200
    assert Upload.objects.visible_to(stranger).count() == 1


def test_the_form_and_the_api_take_credits(page, owner, lab):
    dataset = make_dataset(owner, lab)
    url = reverse("datasets:edit", args=[dataset.public_id])
    sent = {"name": "Glass", "visibility": "lab", "authors": "Doe; 1234", "funding": "Fund 7"}
    refused = page.post(url, sent)
    assert refused.status_code == 422
    assert "isn’t an ORCID" in refused.content.decode().replace("&#x27;", "’")
    page.post(url, sent | {"authors": f"Doe, Jane; {CARBERRY}", "embargo_until": "2999-01-31"})
    dataset.refresh_from_db()
    assert dataset.authors[0]["orcid"] == CARBERRY
    assert f"Doe, Jane; {CARBERRY}" in page.get(url).content.decode()
    text = page.get(dataset.get_absolute_url()).content.decode()
    assert "Under embargo" in text
    assert "Fund 7" in text
    api = reverse("api:dataset-detail", args=[dataset.public_id])
    page.patch(api, {"name": "Glass 2"}, content_type="application/json")
    dataset.refresh_from_db()
    assert (dataset.name, dataset.funding, len(dataset.authors)) == ("Glass 2", "Fund 7", 1)
    wrong = page.patch(api, {"authors": [{"name": "X", "orcid": "1"}]}, "application/json")
    assert wrong.status_code == 400
