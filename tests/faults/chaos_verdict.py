"""Judging a chaos run by what the far side knows, not by what the portal says of itself."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jobs.files import INPUTS_FILE
from jobs.moves import replay
from tests.faults.chaos_jobs import Fate, Plan
from tests.faults.chaos_site import WORKERS
from tests.faults.far_side import FarSide

LINKS = {"first": 2 * WORKERS, "second": WORKERS}  # clusters on the node, times processes


def judge_jobs(
    planned: Sequence[Plan], report: dict[str, Any], far: FarSide, jobs_dir: Path
) -> list[str]:
    """Return what is wrong with the ends of the jobs, in words; nothing when all is well."""
    rows = {job["title"]: job for job in report["jobs"]}
    accounts, ended = far.starts(), far.slurm.ended()
    wrong = [
        f"{title}: twice"
        for title, n in Counter(j["title"] for j in report["jobs"]).items()
        if n > 1
    ]
    submitted = _submissions(ended)
    for plan in planned:
        job = rows.get(title_of(plan))
        if job is None:
            wrong.append(f"{title_of(plan)}: lost")
            continue
        account = accounts.get(f"{plan.number}-1", [])
        complaints = [
            *_state(plan, job, account, far),
            *_once(job, account, submitted),
            *_files(plan, job, far, jobs_dir),
        ]
        wrong += [f"{job['title']} ({plan.fate}, {job['cluster']}): {text}" for text in complaints]
    return wrong


def title_of(plan: Plan) -> str:
    return f"chaos {plan.number}"


def words_of(account: Iterable[Sequence[str]], word: str) -> list[Sequence[str]]:
    return [line for line in account if line[0] == word]


def _state(plan: Plan, job: dict[str, Any], account: list[list[str]], far: FarSide) -> list[str]:
    """Compare the job's state with what its program and its script wrote on the far side."""
    ends = words_of(account, "end")
    worked = bool(ends) and ends[-1][1] == "0"
    state, cause = job["state"], record_of(job, far)
    if replay([tuple(move[:2]) for move in job["moves"]]) != state:
        return ["its history leads elsewhere"]
    if job["leased"]:
        return ["its lease was not given back"]
    if state == "cancelled":
        return [] if plan.fate is Fate.CANCEL else ["cancelled, and nobody asked for it"]
    expected = "done" if cause == "ok" else "failed"
    if state != expected:
        return [f"{state}, but its record says {cause or 'nothing'}: {account}"]
    if (cause == "ok") != worked:
        return [f"its record says {cause or 'nothing'}, but its program wrote {account}"]
    return [] if state == "done" else _failure(plan, job, account, cause)


def _failure(plan: Plan, job: dict[str, Any], account: list[list[str]], cause: str) -> list[str]:
    """Ask of a run that failed whether its fate, or a fault, explains it."""
    disk_was_full = any(line[1] == "28" for line in words_of(account, "error"))
    if disk_was_full or (job["may_be_lost"] and not cause):
        return []
    if plan.fate is Fate.WELL or plan.fate is Fate.CANCEL:
        return [f"failed without cause: {job['reason']} {account}"]
    if plan.fate is Fate.STATUS and "status 3" not in job["reason"]:
        return [f"its reason does not say status 3: {job['reason']}"]
    if plan.fate is Fate.WALLTIME and job["cause"] != "time":
        return [f"its cause is {job['cause']}, not time"]
    return []


def record_of(job: dict[str, Any], far: FarSide) -> str:
    """Return the cause in the run's own exit record; empty where it left none."""
    path = far.work / job["cluster"] / f"{job['public_id']}-1" / "exit.json"
    try:
        return str(json.loads(path.read_text())["cause"])
    except FileNotFoundError:
        return ""


def _once(
    job: dict[str, Any], account: list[list[str]], submitted: dict[str, set[str]]
) -> list[str]:
    wrong = []
    if len(words_of(account, "start")) > 1:
        wrong.append(f"its program started more than once: {account}")
    if job["accepted"] != (job["state"] == "done"):
        wrong.append(f"accepted {job['accepted']} times, {job['state']}")
    if len(job["submissions"]) != len(set(job["submissions"])):
        wrong.append(f"submissions {job['submissions']}")
    ids = submitted.get(f"{job['public_id']}-1", set())
    if len(ids) > 1:
        wrong.append(f"Slurm took it more than once: {sorted(ids)}")
    if any(line[0] == "damaged" for line in account):
        wrong.append("its input was damaged")
    return wrong


def _submissions(ended: Iterable[dict[str, str]]) -> dict[str, set[str]]:
    """Return the ids that Slurm gave, by run folder."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry in ended:
        found[Path(entry.get("WorkDir", "")).name].add(entry.get("JobId", ""))
    return found


def _files(plan: Plan, job: dict[str, Any], far: FarSide, jobs_dir: Path) -> list[str]:
    if job["state"] != "done":
        return []
    wrong = []
    manifest = {file["path"]: file for file in job["files"]}
    entry = manifest.get("result.bin", {})
    if (entry.get("size"), entry.get("sha256")) != (plan.size, plan.sha256):
        wrong.append(f"its list of files says {entry}")
    ours = jobs_dir / job["public_id"]
    theirs = far.work / job["cluster"] / f"{job['public_id']}-1"
    wrong += [
        f"{folder}/result.bin holds something else"
        for folder in (ours, theirs)
        if sha256_of(folder / "result.bin") != plan.sha256
    ]
    wrong += [
        f"{ours / name} differs from the list of files"
        for name, file in manifest.items()
        if sha256_of(ours / name) != file["sha256"]
    ]
    return wrong


def sha256_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def judge_logins(far: FarSide, enders: int) -> list[str]:
    """Compare the connections that the proxies counted with the promised bounds."""
    wrong = []
    for name, proxy in far.proxies.items():
        times = sorted(connection.opened for connection in proxy.connections)
        # One a second is promised; a busy machine delays some of them on their way to the proxy.
        crowded = [b - a for a, b in zip(times, times[13:], strict=False) if b - a < 10.0]
        if crowded:
            wrong.append(f"{name}: 14 connections within {min(crowded):.1f} s")
        bound = LINKS[name] * (1 + enders)
        if len(times) > bound:
            wrong.append(f"{name}: {len(times)} connections, at most {bound} were promised")
    return wrong


def judge_leftovers(report: dict[str, Any], far: FarSide, site_dir: Path) -> list[str]:
    """Return what should be gone by now and is not."""
    jobs_dir = site_dir / "jobs"
    wrong = [
        f"left behind on the portal: {path.relative_to(site_dir)}"
        for path in jobs_dir.rglob("*")
        if (path.name.startswith(".") or path.name.endswith(".part")) and path.name != INPUTS_FILE
    ]
    known = {job["public_id"] for job in report["jobs"]}
    wrong += [f"folder of no run: {name}" for name in os.listdir(jobs_dir) if name not in known]
    for cluster in far.work.iterdir():
        wrong += [f"left on {cluster.name}: {path.name}" for path in cluster.iterdir()]
    for cluster in report["clusters"]:
        if cluster["lease_token"] or cluster["failures"]:
            wrong.append(f"cluster {cluster}")
    if report["leftovers"]:
        wrong.append(f"{report['leftovers']} rows of folders to remove")
    wrong += [f"still works: {line}" for line in far.left_over()]
    return wrong


def judge_parts(far: FarSide) -> list[str]:
    """Return files of cut transfers that still lie in the folders of ended runs."""
    return [f"left on the cluster: {path}" for path in far.work.rglob(".*.part")]
