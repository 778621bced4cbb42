"""A run as a zip that anybody can run again by hand: inputs, script, versions and hashes."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shlex
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.http import StreamingHttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import override

import mlmd
from jobs.clusters import recipes_of, resources_of
from jobs.downloads import Pipe
from jobs.files import SCRIPT_FILE, file_list, inputs_of, job_folder
from jobs.kinds import title_of
from jobs.models import Job
from labs.exceptions import Refused

AS_RUN, SUMS, ABOUT, README = "job.as-run.sh", "SHA256SUMS", "run.json", "README.md"
OUTPUTS = "outputs"
PACKAGES = ("numpy", "numba", "ase", "Django")
_BLOCK = 256 * 1024
_DIRECTIVE = re.compile(r"^#(SBATCH|PBS|PJM) .*\n", re.MULTILINE)
_GO_THERE = re.compile(r"^cd .* \|\| exit 97$", re.MULTILINE)


def bundle_response(job: Job, *, outputs: bool) -> StreamingHttpResponse:
    """Return the bundle of a run, written while it is sent.

    Args:
        job: a run that was prepared.
        outputs: whether what the run wrote is in it, too.

    Raises:
        Refused: nothing was prepared yet.
    """
    if not (job_folder(job) / SCRIPT_FILE).is_file():
        raise Refused(_("“%(job)s” has no script yet: it is being prepared.") % {"job": job})
    stem = f"{slugify(job.title)[:60] or 'run'}-{str(job.public_id)[:8]}"
    blocks = bundle_blocks(job, stem, outputs=outputs)
    response = StreamingHttpResponse(blocks, content_type="application/zip")
    name = content_disposition_header(True, f"{stem}.zip")
    response["Content-Disposition"] = name or ""
    return response


def bundle_blocks(job: Job, stem: str, *, outputs: bool) -> Iterator[bytes]:
    """Give the zip piece by piece; its files lie in one folder named `stem`."""
    folder = job_folder(job)
    inputs = inputs_of(job) or {file.path: "" for file in file_list(job)}
    inputs.pop(SCRIPT_FILE, None)
    writer = _Writer(stem)
    changed = []
    for name, noted in sorted(inputs.items()):
        if noted and not _is(folder / name, noted):
            changed.append(name)
            continue
        yield from writer.file(folder / name, name)
    if outputs:
        for file in file_list(job):
            if file.path not in inputs and file.path != SCRIPT_FILE:
                yield from writer.file(folder / file.path, f"{OUTPUTS}/{file.path}")
    script = (folder / SCRIPT_FILE).read_text(encoding="utf-8")
    yield from writer.text(AS_RUN, script)
    yield from writer.text(SCRIPT_FILE, by_hand(script))
    about = about_run(job)
    yield from writer.text(ABOUT, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    yield from writer.text(README, _readme(job, about, changed, outputs=outputs))
    yield from writer.sums()
    yield writer.close()


def by_hand(script: str) -> str:
    """Return a run's script so that it runs where it lies, without a scheduler."""
    here = _GO_THERE.sub('cd "$(dirname "$0")" || exit 97', script, count=1)
    return _DIRECTIVE.sub("", here)


def about_run(job: Job) -> dict[str, Any]:
    """Return what decides a run's result, and what is known about where it ran; no secrets."""
    cluster = job.cluster
    recipes = recipes_of(cluster)
    path = job_folder(job) / SCRIPT_FILE
    script = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {
        "id": str(job.public_id),
        "title": job.title,
        "kind": job.kind,
        "attempt": job.attempt,
        "state": job.state,
        "created": job.created_at.isoformat(),
        "started": job.started_at.isoformat() if job.started_at else None,
        "ended": job.ended_at.isoformat() if job.ended_at else None,
        "spec": job.spec,
        "resources": asdict(resources_of(job)),
        "cluster": {
            "name": cluster.name,
            "scheduler": cluster.scheduler,
            "setup": cluster.setup.splitlines(),
            "codes": {
                code: {
                    "command": list(recipes[code].argv),
                    "setup": list(recipes[code].setup),
                    "image": cluster.recipes.get(code, {}).get("image", ""),
                    "digest": cluster.recipes.get(code, {}).get("digest", ""),
                }
                for code in sorted(recipes)
                if shlex.join(recipes[code].argv) in script
            },
        },
        "versions": versions(),
        "inputs": inputs_of(job),
        "bundled": timezone.now().isoformat(timespec="seconds"),
    }


def versions() -> dict[str, str]:
    """Return the versions of the portal and of the packages that its own engine computes with."""
    found = {"python": platform.python_version(), "mlmd": mlmd.__version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _readme(job: Job, about: dict[str, Any], changed: list[str], *, outputs: bool) -> str:
    # In English whoever asks: the bundle is for those it is handed on to.
    with override("en"):
        return render_to_string(
            "jobs/bundle_readme.md",
            {
                "job": job,
                "kind": title_of(job.kind),
                "about": about,
                "changed": changed,
                "outputs": outputs,
            },
        )


def _is(path: Path, digest: str) -> bool:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == digest
    except FileNotFoundError:
        return False


class _Writer:
    """A zip that is given away as it grows, and knows the SHA-256 of all that went into it."""

    def __init__(self, stem: str) -> None:
        self.stem, self.pipe = stem, Pipe()
        self.archive = zipfile.ZipFile(self.pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1)  # type: ignore[call-overload]
        self.digests: dict[str, str] = {}

    def file(self, path: Path, name: str) -> Iterator[bytes]:
        try:
            source = path.open("rb")
        except FileNotFoundError:
            return  # replaced between the listing and now: a live file of a running job
        with source:
            yield from self._copy(source, name)

    def text(self, name: str, text: str) -> Iterator[bytes]:
        yield from self._copy(io.BytesIO(text.encode()), name)

    def sums(self) -> Iterator[bytes]:
        lines = [f"{digest}  {name}\n" for name, digest in sorted(self.digests.items())]
        yield from self.text(SUMS, "".join(lines))

    def close(self) -> bytes:
        self.archive.close()
        return self.pipe.take()

    def _copy(self, source: Any, name: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        with self.archive.open(f"{self.stem}/{name}", "w", force_zip64=True) as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
                yield self.pipe.take()
        self.digests[name] = digest.hexdigest()
