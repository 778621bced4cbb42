"""The API by which files or an archive of a potential are sent as they are."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, views
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.models import Licence
from labs.exceptions import Refused
from labs.models import Visibility
from labs.selectors import may_create, working_lab
from mlmd.errors import InvalidInput
from potentials.models import RefusedUpload
from potentials.serializers import PotentialSerializer
from potentials.services.imports import potential_import
from potentials.services.refusals import refusal_delete
from potentials.unpacking import Fate
from potentials.upload_forms import Findings, UploadForm, refused_form_keep


class PotentialUploadSerializer(serializers.Serializer):
    """A potential's files, or an archive of them, and what is known of it."""

    files = serializers.ListField(
        child=serializers.FileField(),
        required=False,
        help_text="repeated, or one .zip or .tar.gz; not with again",
    )
    again = serializers.UUIDField(
        required=False, help_text="of refused files that are kept: read them once more"
    )
    name = serializers.CharField(max_length=120)
    length_unit = serializers.ChoiceField(
        ["angstrom", "bohr"], required=False, help_text="where units.json is missing"
    )
    energy_unit = serializers.ChoiceField(["ev", "hartree", "rydberg"], required=False)
    versions = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        help_text="dataset versions to guess the units from and to judge it by",
    )
    lammps_lines = serializers.CharField(
        required=False, help_text="pair_style and pair_coeff of a potential that only LAMMPS runs"
    )
    lammps_elements = serializers.CharField(
        required=False, help_text="of LAMMPS' atom types, where the lines don't say them"
    )
    source = serializers.CharField(required=False, help_text="a DOI or an address")
    not_for = serializers.CharField(required=False)
    licence = serializers.ChoiceField(Licence.choices, required=False)
    citation = serializers.CharField(required=False)
    description = serializers.CharField(required=False)
    visibility = serializers.ChoiceField(Visibility.values, required=False)


class SentFileSerializer(serializers.Serializer):
    """What became of one file."""

    name = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes")
    fate = serializers.ChoiceField([fate.value for fate in Fate])
    words = serializers.CharField()


class PotentialRefusalSerializer(serializers.Serializer):
    """Why it was refused, with every file."""

    detail = serializers.CharField()
    errors = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    files = SentFileSerializer(many=True)
    refused = serializers.UUIDField(
        allow_null=True, help_text="under which the files are kept; send it as again"
    )


class PotentialUploadView(views.APIView):
    """Takes a potential's files as they lie in its folder."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="potentials_upload",
        summary="Upload the files or an archive of a potential",
        request={"multipart/form-data": PotentialUploadSerializer},
        responses={
            200: PotentialSerializer,
            201: PotentialSerializer,
            400: PotentialRefusalSerializer,
        },
    )
    def post(self, request: Request) -> Response:
        lab = working_lab(request)
        if not may_create(request.user, lab):
            raise PermissionDenied(_("Guests of a lab can look, but not add potentials."))
        values = request.data.copy()
        values.setdefault("visibility", Visibility.LAB.value)
        form = UploadForm(values, request.FILES, user=request.user)
        if form.is_valid():
            try:
                row, is_new = potential_import(
                    owner=request.user, lab=lab, potential=form.request()
                )
            except (Refused, InvalidInput) as error:
                form.add_error(None, str(error))
        if form.errors:
            refusal = PotentialRefusalSerializer(_refusal(form, refused_form_keep(form, lab)))
            return Response(refusal.data, status=status.HTTP_400_BAD_REQUEST)
        if form.earlier is not None:
            refusal_delete(row=form.earlier, actor=request.user)
        answer = PotentialSerializer(row, context={"request": request})
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(answer.data, status=code)


def _refusal(form: UploadForm, kept: RefusedUpload | None) -> dict[str, object]:
    errors = {name: [str(text) for text in texts] for name, texts in form.errors.items()}
    words = [f"{name}: {texts[0]}" for name, texts in errors.items()]
    found: Findings | None = form.findings
    if found is not None and found.guess is not None:
        words.append(found.guess.why)
    is_read = found is not None and found.unpacked is not None
    return {
        "detail": " ".join(words),
        "errors": errors,
        "files": found.unpacked.verdicts if is_read else [],
        "refused": kept and kept.public_id,
    }
