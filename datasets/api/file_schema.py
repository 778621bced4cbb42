"""How the schema speaks of files: their formats, the energy they hold, what is sent."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from datasets.downloads import ROW_FILES

FORMAT = OpenApiParameter("file_format", str, OpenApiParameter.PATH, enum=list(ROW_FILES))
ENERGY = OpenApiParameter(
    "energy", str, enum=["free", "sigma0"], description="Which energy the file holds."
)
FILE = {(200, "text/plain"): OpenApiTypes.BINARY}
