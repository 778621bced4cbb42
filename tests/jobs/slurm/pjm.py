"""PJM as Wisteria/BDEC-01 shows it, or plain: three programs in front of a Slurm.

They take PJM's script and print its messages and tables, words and cut names. What the
portal needs of PJM is thus tried with runs that really wait, work and end.
"""

from __future__ import annotations

import sys
from pathlib import Path

_PJSUB = r"""
import re, subprocess, sys
arguments = sys.argv[1:]
name, script = arguments[arguments.index("-N") + 1], arguments[-1]
text = open(script).read()
options = dict(re.findall(r"^#PJM -L (\w+)=(\S+)$", text, re.M))
if options.get("rscgrp") == "closed":
    sys.exit("[ERR.] PJM 0070 pjsub No execute permission: closed")
if int(options["node"]) > 24:
    print(f"[ERR.] PJM 0057 pjsub node={options['node']} is greater than the upper limit (24).")
    sys.exit(0)
threads = re.search(r"^#PJM --omp thread=(\d+)$", text, re.M)[1]
bulk = re.search(r"^#PJM --bulk\n#PJM --sparam (\d+-\d+)$", text, re.M)
array = [f"--array={bulk[1]}"] if bulk else []
done = subprocess.run(
    ["sbatch", "--parsable", "--no-requeue", f"--job-name={name}", f"--time={options['elapse']}",
     f"--cpus-per-task={threads}", "--output=scheduler.log", *array,
     "--wrap", "PJM_JOBID=${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID} "
               f"PJM_BULKNUM=$SLURM_ARRAY_TASK_ID exec sh ./{script}"],
    capture_output=True, text=True)
if done.returncode:
    sys.exit(f"[ERR.] PJM 9999 pjsub {done.stderr.strip()}")
print(f"[INFO] PJM 0000 pjsub Job {done.stdout.strip()} submitted.")
"""

_PJSTAT = r"""
import getpass, subprocess, sys
done = subprocess.run(
    ["squeue", "-h", "-t", "all", "-u", getpass.getuser(), "-o", "%i|%j|%T|%M"],
    capture_output=True, text=True)
if done.returncode:
    sys.exit(f"[ERR.] PJM 0123 pjstat {done.stderr.strip()}")
WORDS = {"PENDING": "QUEUED", "CONFIGURING": "QUEUED", "RUNNING": "RUNNING",
         "COMPLETING": "RUNNING", "CANCELLED": "CANCEL"}
ended = "-H" in sys.argv
print("Wisteria/BDEC-01 scheduled stop time: 2026/12/25(Fri) 09:00:00 (Remain: 32days 12:57:27)\n")
rows = []
for line in done.stdout.splitlines():
    number, name, state, elapse = line.split("|")
    # Elements of a bulk run are 239[1]; what waits is one line.
    base, _mark, element = number.partition("_")
    number = f"{base}[{element}]" if element.isdecimal() else base
    word = WORDS.get(state, "END")
    if (word in ("END", "CANCEL")) != ended:
        continue
    start = "(11/23 18:00)<" if word == "QUEUED" else "11/22 15:39:41<"
    rows.append(f"{number:<12} {name[:10]:<10} {word:<7} gg53       short-o           {start:<17} "
                f"00:{elapse:0>5}           9.2              1    0")
if not rows:
    print("No ended job found." if ended else "No unfinished job found.")
else:
    print("JOB_ID       JOB_NAME   STATUS  PROJECT    RSCGROUP          START_DATE        "
          "ELAPSE           TOKEN           NODE  GPU")
    print("\n".join(rows))
"""

_PLAIN = r"""
import getpass, subprocess, sys
done = subprocess.run(
    ["squeue", "-h", "-t", "all", "-u", getpass.getuser(), "-o", "%i|%j|%T|%M"],
    capture_output=True, text=True)
if done.returncode:
    sys.exit(f"[ERR.] PJM 0123 pjstat {done.stderr.strip()}")
WORDS = {"PENDING": "QUE", "CONFIGURING": "RNA", "RUNNING": "RUN", "COMPLETING": "RNE",
         "CANCELLED": "CCL"}
ended = "-H" in sys.argv
print("JOB_ID     JOB_NAME   MD ST  USER     START_DATE      ELAPSE_LIM NODE_REQUIRE    VNODE  "
      "CORE V_MEM")
for line in done.stdout.splitlines():
    number, name, state, elapse = line.split("|")
    # Elements of a bulk run are 239[1]; what waits is one line.
    base, _mark, element = number.partition("_")
    number = f"{base}[{element}]" if element.isdecimal() else base
    word = WORDS.get(state, "EXT")
    if (word in ("EXT", "CCL")) == ended:
        start = "(11/23 18:00)" if word == "QUE" else "11/22 15:39:41"
        print(f"{number:<10} {name[:10]:<10} NM {word} {'portal':<8} {start:<15} 0000:10:00 "
              f"1               -      -    -")
"""

_PJDEL = r"""
import subprocess, sys
for number in sys.argv[1:]:
    subprocess.run(["scancel", "--state=PENDING", number], check=False)
    subprocess.run(["scancel", "--full", "--signal=TERM", number], check=False)
    print(f"[INFO] PJM 0100 pjdel Job {number} canceled.")
"""


def write_programs(folder: Path, table: str = "wisteria") -> None:
    """Write pjsub, pjstat and pjdel into a folder for the PATH of an account.

    Args:
        folder: where they go.
        table: what pjstat prints: ``wisteria`` or ``plain``.
    """
    pjstat = {"wisteria": _PJSTAT, "plain": _PLAIN}[table]
    for name, text in (("pjsub", _PJSUB), ("pjstat", pjstat), ("pjdel", _PJDEL)):
        path = folder / name
        path.write_text(f"#!{sys.executable}\n{text.lstrip()}")
        path.chmod(0o755)
