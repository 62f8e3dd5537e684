"""A Slurm of one node on this machine, all its files but one in a scratch folder; gone when the block ends.

As on a real cluster, a job that takes more memory or time than it asked for is killed. It keeps accounts (who
computed what), or it does not.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo", "squeue", "scancel", "scontrol")
OF_ACCOUNTS = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb-install-db")
"""What a cluster that keeps accounts takes besides."""
CONFIGURED = Path("/etc/slurm/slurm.conf")
"""Where Slurm looks in a job too: the plugin takes the variable SLURM_CONF out of a job's environment."""
MUNGE_SOCKET = Path("/run/munge/munge.socket.2")
MEMORY = 16000
"""MB of the node, whether this machine has them or not."""
_START_SECONDS = 30
_BETWEEN_SECONDS = 0.1
"""Between two questions."""
_STOP_SECONDS = 10

_CONFIGURATION = """\
ClusterName=atlas
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/{accounts}
AccountingStorageHost=localhost
AccountingStoragePass={munge}
ReturnToService=2
MinJobAge=3600
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdParameters=config_overrides
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1 State=UNKNOWN
PartitionName=ci Nodes=ALL Default=YES MaxTime=60 State=UP
"""
_ACCOUNTS = """\
DbdHost=localhost
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
"""
ACCOUNT = "superposition"
"""Whose jobs are, where accounts are kept."""
# A stand-in, by which `gpu=1` can be scheduled.
_GPUS = "Name=gpu File=/dev/null\n"


def missing(accounting: bool = False) -> str:
    """Why there can be no cluster here; empty if there can."""
    if os.geteuid() != 0:
        return "Slurm is set up by root only"
    wanted = (*PROGRAMS, *OF_ACCOUNTS) if accounting else PROGRAMS
    packages = "slurmctld slurmd slurm-client munge" + " slurmdbd mariadb-server" * accounting
    if absent := [program for program in wanted if shutil.which(program) is None]:
        return f"no {absent[0]} (Debian: apt install {packages})"
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "no Slurm plugin of Snakemake's (pip install -e '.[slurm]')"
    if os.path.lexists(CONFIGURED) or MUNGE_SOCKET.exists():
        return f"this machine has a Slurm or munge of its own ({CONFIGURED}, {MUNGE_SOCKET})"
    return ""


@dataclass(frozen=True)
class Cluster:
    """A Slurm that runs."""

    folder: Path

    def asked(self, command: str) -> str:
        """What a command of Slurm's answers."""
        return subprocess.run(
            command.split(), capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    def daemon(self, name: str) -> int:
        """The process number of slurmctld, slurmd or munged."""
        return int((self.folder / f"{name}.pid").read_text())

    def start_slurmd(self) -> None:
        """Starts the node's daemon, which must not run."""
        _started(["slurmd", "-f", str(self.folder / "slurm.conf")])
        _wait_for(self._takes_jobs, "slurmd", self.folder)

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that there were, the oldest first, in Slurm's own words."""
        names = ("JobID", "Comment", "State", "MinMemory", "TimeLimit", "tres-per-job")
        columns = ",".join(f"{name}:|" for name in names)
        listed = self.asked(f"squeue --states=all --noheader --sort=i --Format={columns}")
        return [dict(zip(names, line.split("|"), strict=False)) for line in listed.splitlines()]

    def _takes_jobs(self) -> bool:
        answer = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True)
        return answer.stdout.strip() in ("idle", "mixed", "allocated")


@contextmanager
def running_cluster(folder: Path, accounting: bool = False) -> Iterator[Cluster]:
    """A Slurm whose files are in a folder of this user's, which must be empty."""
    _configure(folder, accounting)
    cluster = Cluster(folder)
    # The last is undone first, and each whatever becomes of the others. A daemon's end is put down before its
    # start: one that starts and then fails is ended as well.
    with ExitStack() as undone:
        CONFIGURED.symlink_to(folder / "slurm.conf")
        undone.callback(CONFIGURED.unlink)
        undone.callback(_stop, folder / "munged.pid")
        _start_munge(folder)
        if accounting:
            _start_database(folder, undone)
            undone.callback(_stop, folder / "slurmdbd.pid")
            _start_accounts(folder)
        undone.callback(_stop, folder / "slurmctld.pid")
        _started(["slurmctld", "-c", "-f", str(folder / "slurm.conf")])
        undone.callback(_stop, folder / "slurmd.pid")
        undone.callback(_cancel_all)
        cluster.start_slurmd()
        yield cluster


def _configure(folder: Path, accounting: bool) -> None:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    munge = folder / "munge.socket"
    described = _CONFIGURATION.format(
        folder=folder,
        host=host,
        cpus=os.cpu_count(),
        memory=MEMORY,
        munge=munge,
        accounts="slurmdbd" if accounting else "none",
    )
    (folder / "slurm.conf").write_text(described)
    (folder / "gres.conf").write_text(_GPUS)


def _start_munge(folder: Path) -> None:
    """With a key of its own."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    _started(
        [
            "munged",
            "--force",  # the folders above belong to whoever runs the tests
            f"--key-file={key}",
            f"--socket={folder / 'munge.socket'}",
            f"--pid-file={folder / 'munged.pid'}",
            f"--log-file={folder / 'munged.log'}",
            f"--seed-file={folder / 'munged.seed'}",
        ]
    )


def _start_database(folder: Path, undone: ExitStack) -> None:
    """Where accounts are kept, reached through a socket alone."""
    data, socket_file = folder / "database", folder / "database.socket"
    _started(
        [
            *("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
        ]
    )
    with (folder / "mariadbd.log").open("wb") as log:
        database = subprocess.Popen(
            [
                *("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-networking"),
                f"--socket={socket_file}",
            ],
            stdout=log,
            stderr=log,
        )
    undone.callback(_end, database)
    _wait_for(socket_file.exists, "mariadbd", folder)


def _start_accounts(folder: Path) -> None:
    """Slurm's own daemon of accounts, with an account that is root's by default."""
    described = folder / "slurmdbd.conf"
    described.write_text(_ACCOUNTS.format(folder=folder, munge=folder / "munge.socket"))
    described.chmod(0o600)
    database = str(folder / "database.socket")
    _started(["slurmdbd"], SLURM_CONF=str(folder / "slurm.conf"), MYSQL_UNIX_PORT=database)

    def answers() -> bool:
        return subprocess.run(["sacctmgr", "list", "cluster"], capture_output=True).returncode == 0

    _wait_for(answers, "slurmdbd", folder)
    for what in ("cluster atlas", f"account {ACCOUNT}", f"user root account={ACCOUNT}"):
        _started(["sacctmgr", "--immediate", "add", *what.split()])
    default = f"modify user root set defaultaccount={ACCOUNT}"
    _started(["sacctmgr", "--immediate", *default.split()])


def _wait_for(condition: Callable[[], bool], name: str, folder: Path) -> None:
    if not comes_true(condition, _START_SECONDS):
        logs = "".join(path.read_text() for path in sorted(folder.glob("*.log")))
        raise RuntimeError(f"{name} has not started in {_START_SECONDS} s: {logs[-3000:]}")


def comes_true(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it does within so long. Slurm and its daemons tell nobody, and are asked again and again."""
    deadline = time.monotonic() + seconds
    while not condition():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(_BETWEEN_SECONDS, left))
    return True


def _started(command: list[str], **environment: str) -> None:
    """Runs a command, or starts a daemon, which goes to the background by itself."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_START_SECONDS, env=os.environ | environment
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


def _cancel_all() -> None:
    subprocess.run(["scancel", "--user=root", "--signal=KILL"], capture_output=True, timeout=30)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a child of this process, by force after a while."""
    process.terminate()
    try:
        process.wait(timeout=_START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stop(pid_file: Path) -> None:
    """Ends a daemon, by force after a while, and waits until it is gone."""
    try:
        process = int(pid_file.read_text())
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.kill(process, number)
            if comes_true(lambda: _gone(process), _STOP_SECONDS):
                return
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return
    raise RuntimeError(f"{pid_file.stem} (process {process}) does not end")


def _gone(process: int) -> bool:
    """Whether it has ended: in a container nobody may wait for those whose parent is gone."""
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
