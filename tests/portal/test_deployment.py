"""The files that put the site on a server: complete, consistent with the site, and accepted."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.management.commands.up import services
from tests.faults.servers import missing

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OURS = ("prepare", "web", "worker", "beat", "backup")
UNITS = sorted((DEPLOY / "systemd").iterdir())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        missing(f"no {name} here: apt-get install {package}")
    return str(found)


def test_every_service_is_pinned_watched_and_restarted(compose):
    assert set(compose["services"]) == {*OURS, "postgres", "mongo", "redis", "proxy"}
    for name, service in compose["services"].items():
        image = service["image"]
        assert image.startswith("mlmd-portal:") or re.search(r":\d+\.\d+(\.\d+)?[\w.-]*$", image)
        once = name in {"prepare", "backup"}
        assert service["restart"] == ("no" if once else "unless-stopped")
        assert once or service["healthcheck"]["test"][0] == "CMD"
        assert service["logging"]["options"]["max-size"]
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source.startswith(("./", "${"))
        for wanted in service.get("depends_on", ()):
            assert wanted in compose["services"]
    assert [name for name, s in compose["services"].items() if "ports" in s] == ["proxy"]


def test_our_containers_have_no_rights_that_they_don_t_need(compose):
    for name in OURS:
        service = compose["services"][name]
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
    assert compose["networks"]["inside"]["internal"] is True
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "--uid 10001" in dockerfile
    assert dockerfile.rindex("USER mlmd") > dockerfile.rindex("RUN ")
    assert "--require-hashes" in dockerfile


def test_secrets_are_files_that_never_enter_the_repository_or_the_image(compose, tmp_path):
    made = tmp_path / "deploy"
    made.mkdir()
    shutil.copy(DEPLOY / "make-secrets.sh", made)
    for _ in range(2):
        subprocess.run(["sh", made / "make-secrets.sh"], check=True, capture_output=True)
    paths = {name: made / entry["file"] for name, entry in compose["secrets"].items()}
    texts = {name: path.read_text() for name, path in paths.items()}
    assert texts["postgres_password"] in texts["database_url"]
    assert texts["mongo_password"] in texts["teacher_url"]
    assert len({*texts.values()}) == len(texts)
    assert all(len(text) >= 40 and "\n" not in text for text in texts.values())
    assert (made / "secrets").stat().st_mode & 0o777 == 0o700
    ignored = subprocess.run(
        ["git", "check-ignore", "deploy/secrets/x", "deploy/portal.env"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.split()) == 2
    kept_out = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert kept_out[1] == "*"
    assert not [line for line in kept_out if line.startswith("!") and "secrets" in line]


def test_every_variable_is_one_that_the_site_reads(compose):
    documented = set(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs" / "settings.md").read_text()))
    used = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "portal.env.example").read_text(), re.M))
    for name in OURS:
        used |= {key.removesuffix("_FILE") for key in compose["services"][name]["environment"]}
    for unit in UNITS:
        for line in re.findall(r"^Environment=(.+)$", unit.read_text(), re.M):
            used |= {word.partition("=")[0] for word in line.split()}
    used |= set(re.findall(r"\$\{?([A-Z_]{4,})", (DEPLOY / "entrypoint.sh").read_text()))
    used |= set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    assert used >= {"DATABASE_URL", "MLMD_TEACHER_URL", "MLMD_CREDENTIAL_KEY", "SITE_NAME"}
    assert used - documented == set()


def test_the_parts_start_as_under_manage_py_up(settings):
    settings.CELERY_BROKER_URL = "redis://localhost"
    entry = (DEPLOY / "entrypoint.sh").read_text().replace("\\\n", " ")
    units = {path.name: path.read_text() for path in UNITS}
    for service in services("", 3):
        flags = [
            word
            for word in service.argv[1:]
            if word.startswith("--") and word not in {"--bind", "--workers", "--access-logfile"}
        ]
        for text in (entry, units[f"mlmd-{service.name}.service"]):
            line = next(
                row
                for row in text.splitlines()
                if f" {service.argv[2]} " in row and _is(service.name, row)
            )
            absent = [flag for flag in flags if flag.partition("=")[0] not in line]
            assert absent == [], service.name


def _is(name: str, line: str) -> bool:
    return "gunicorn" in line if name == "web" else f" {name} " in line


def test_docker_compose_accepts_the_file(compose, tmp_path):
    known = (
        subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if shutil.which("docker")
        else None
    )
    if known is None or known.returncode:
        pytest.skip("no docker compose here; the other tests read the file themselves")
    for name in ("compose.yaml", "Caddyfile", "make-secrets.sh"):
        shutil.copy(DEPLOY / name, tmp_path)
    shutil.copy(DEPLOY / "portal.env.example", tmp_path / "portal.env")
    subprocess.run(["sh", tmp_path / "make-secrets.sh"], check=True, capture_output=True)
    done = subprocess.run(
        ["docker", "compose", "-f", tmp_path / "compose.yaml", "config", "--quiet"],
        env={**os.environ, "SITE_NAME": "portal.example", "SITE_MAIL": "a@portal.example"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_systemd_accepts_the_units(tmp_path):
    verify = program("systemd-analyze", "systemd")
    python = tmp_path / "mlmd" / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    shutil.copy(sys.executable, python)
    python.chmod(0o755)
    for unit in UNITS:
        text = unit.read_text().replace("/opt/mlmd", str(tmp_path / "mlmd"))
        # The account isn't made on a machine that only runs the tests.
        text = re.sub(r"^(User|Group)=mlmd$", r"\1=daemon", text, flags=re.M)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        [
            verify,
            "verify",
            "--man=no",
            "--recursive-errors=no",
            *(tmp_path / unit.name for unit in UNITS),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "mlmd" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_the_worker_s_unit_lets_runs_go_on(compose):
    text = (DEPLOY / "systemd" / "mlmd-worker.service").read_text()
    assert "KillMode=process" in text


def test_caddy_accepts_its_file():
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("no caddy here, which not every distribution has: apt-get install caddy")
    done = subprocess.run(
        [caddy, "validate", "--adapter", "caddyfile", "--config", DEPLOY / "Caddyfile"],
        env={**os.environ, "SITE_NAME": "portal.example", "SITE_MAIL": "a@portal.example"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal.example.ac.jp")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("portal.example.ac.jp")]), False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "fullchain.pem", folder / "privkey.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.fixture
def proxied(tmp_path) -> Iterator[tuple[int, Path]]:
    """The site behind nginx with TLS, as `deploy/nginx.conf` says, on free ports."""
    from tests.jobs.ssh_server import free_port

    nginx = program("nginx", "nginx-light")
    inside, plain, secure = free_port(), free_port(), free_port()
    chain, key = certificate(tmp_path)
    text = (DEPLOY / "nginx.conf").read_text()
    for old, new in (
        ("/etc/letsencrypt/live/portal.example.ac.jp/fullchain.pem", str(chain)),
        ("/etc/letsencrypt/live/portal.example.ac.jp/privkey.pem", str(key)),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{secure} ssl http2;"),
        ("127.0.0.1:8000", f"127.0.0.1:{inside}"),
    ):
        assert old in text
        text = text.replace(old, new)
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.M)
    folders = "".join(
        f"{word}_temp_path {tmp_path}/{word};\n"
        for word in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; daemon off;\nevents {{}}\n"
        f"http {{ access_log off;\n{folders}{text}}}\n"
    )
    environment = {
        **os.environ,
        "MLMD_VAR": str(tmp_path / "var"),
        "MLMD_ALLOWED_HOSTS": "portal.example.ac.jp",
        "MLMD_BEHIND_PROXY": "1",
        "MLMD_HTTPS": "1",
    }
    environment.pop("DATABASE_URL", None)
    site = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{inside}"],
        cwd=ROOT,
        env=environment,
    )
    front = subprocess.Popen([nginx, "-c", tmp_path / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        healthy = [sys.executable, "-c", _HEALTHY.format(deploy=str(DEPLOY), port=inside)]
        deadline = time.monotonic() + 30
        while subprocess.run(healthy, env=environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "the site doesn't answer"
        yield plain, secure, chain
    finally:
        for process in (front, site):
            process.terminate()
            process.wait(20)


_HEALTHY = """
import sys; sys.path.insert(0, {deploy!r})
import healthy
sys.exit(not healthy.web("http://127.0.0.1:{port}/health/"))
"""


def test_the_site_answers_over_tls_and_only_so(proxied):
    plain, secure, chain = proxied
    curl = program("curl", "curl")

    def ask(address: str, port: int) -> str:
        place = f"portal.example.ac.jp:{port}:127.0.0.1"
        return subprocess.run(
            [curl, "-s", "-i", "--cacert", chain, "--resolve", place, address],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    redirected = ask(f"http://portal.example.ac.jp:{plain}/x", plain)
    assert "301" in redirected.splitlines()[0]
    assert "https://portal.example.ac.jp/x" in redirected
    page = ask(f"https://portal.example.ac.jp:{secure}/health/", secure)
    assert page.startswith("HTTP/2 200")
    assert page.rstrip().endswith("ok")
    assert "strict-transport-security: max-age=31536000" in page.lower()
    assert re.search(r"^server: nginx\s*$", page, re.M)


def test_the_entrypoint_reads_secrets_from_files(tmp_path):
    """What a file says becomes the variable; a part that isn't known is refused."""
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "$DATABASE_URL|$MLMD_TEACHER_URL|$MLMD_SECRET_KEY|$*"\n')
    fake.chmod(0o755)
    secret = tmp_path / "url"
    secret.write_text("postgres://mlmd:a b'$HOME\"@postgres/mlmd")
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "DATABASE_URL_FILE": str(secret),
        "MLMD_TEACHER_URL": "given",
    }
    call = ["sh", DEPLOY / "entrypoint.sh"]
    done = subprocess.run(
        [*call, "manage", "backup", "/backups"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{secret.read_text()}|given||manage.py backup /backups\n"
    wrong = subprocess.run([*call, "nothing"], env=environment, capture_output=True, check=False)
    assert wrong.returncode == 64
