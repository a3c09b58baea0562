"""Who does the rows of a study: this process, processes beside it, or those of a cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ceinms_torch.cohort.outcome import Outcome
from ceinms_torch.cohort.task import Task
from ceinms_torch.errors import OptionError
from ceinms_torch.io.interrupts import raise_if_stopped

# Tasks that wait at a worker: with fewer it would idle, with more memory would grow with the study.
_AHEAD = 3
# How many workers may die of one task before it is given up.
_DEATHS = 3
_LOGGERS = (
    "asyncio",
    "tornado.application",
    *(f"distributed{part}" for part in ("", ".client", ".core", ".nanny", ".scheduler")),
)
_PATIENCE = 30.0  # [s] until a scheduler must have answered


class Workers(Protocol):
    """Does tasks, several at a time."""

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Iterate over what came out, in the order in which it does."""


class ThisProcess:
    """Does one task after the other, here."""

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Iterate over what came out."""
        for task in tasks:
            raise_if_stopped()
            yield task, task.compute()


@dataclass(frozen=True, kw_only=True)
class SlurmJobs:
    """What is asked of a cluster with SLURM for every worker, which is a job of its own.

    Parameters
    ----------
    workers : int
        How many, >= 1.
    walltime : str
        Longest time of a job, as sbatch takes it.
    memory : str
        Of a job, such as "2GB".
    directives : tuple of str
        Further lines of the script after ``#SBATCH``, such as "--account=lab".
    """

    workers: int = 8
    walltime: str = "04:00:00"
    memory: str = "2GB"
    directives: tuple[str, ...] = ()

    def cluster(self) -> Any:
        """Return the cluster, without jobs so far.

        Raises
        ------
        ImportError
            If dask-jobqueue is not installed.
        OptionError
            If the memory is no amount.
        """
        jobqueue = _part("dask_jobqueue")
        try:
            _part("dask").utils.parse_bytes(self.memory)
        except ValueError as error:
            expected = "an amount such as 2GB"
            raise OptionError(where="memory", expected=expected, got=repr(self.memory)) from error
        return jobqueue.SLURMCluster(
            cores=1,
            processes=1,
            memory=self.memory,
            walltime=self.walltime,
            job_name="ceinms-torch",
            job_extra_directives=list(self.directives),
            scheduler_options={"dashboard": False, "dashboard_address": ":0"},
        )

    def script(self) -> str:
        """Return the script of one worker's job, as it is handed to sbatch."""
        with self.cluster() as cluster:
            text: str = cluster.job_script()
        return text


@dataclass(frozen=True, kw_only=True)
class DaskWorkers:
    """Does tasks on workers of dask.distributed, one thread a task.

    Parameters
    ----------
    jobs : int
        Workers to start on this computer, >= 1, if neither of the others is given.
    scheduler : str, optional
        Address of a cluster that is running.
    slurm : SlurmJobs, optional
        Workers to ask SLURM for.
    """

    jobs: int = 1
    scheduler: str | None = None
    slurm: SlurmJobs | None = None

    def outcomes(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Outcome]]:
        """Iterate over what came out, in the order in which it does.

        Raises
        ------
        ImportError
            If dask.distributed is not installed.
        OptionError
            If the cluster does not answer, or is lost.
        """
        distributed = _part("distributed")
        with self._client(distributed) as client:
            waiting = iter(tasks)
            done = distributed.as_completed(loop=client.loop, raise_errors=False)
            of: dict[Any, Task] = {}

            def submit() -> None:
                task = next(waiting, None)
                if task is not None:
                    future = client.submit(
                        Task.compute, task, key=_new_key(), pure=False, retries=0
                    )
                    of[future.key] = task
                    done.add(future)

            for _ in range(max(self._n_worker(client), 1) * _AHEAD):
                submit()
            try:
                while of:
                    future = next(done)
                    task = of.pop(future.key)
                    yield task, self._outcome(distributed, future, task)
                    future.release()
                    submit()
            except BaseException:
                with contextlib.suppress(Exception):
                    client.cancel([*done.futures], force=True)
                raise

    def _n_worker(self, client: Any) -> int:
        if self.slurm is not None:
            return self.slurm.workers
        return sum(client.nthreads().values())

    def _outcome(self, distributed: Any, future: Any, task: Task) -> Outcome:
        try:
            outcome: Outcome = future.result()
        except distributed.KilledWorker:
            return task.failed(
                f"{task.row.setup}: expected a worker that lives, got {_DEATHS + 1} that died of "
                "it. Give them more memory, or do this row alone with --row to see why."
            )
        except (distributed.client.FutureCancelledError, distributed.CancelledError) as error:
            raise self._lost() from error
        return outcome

    def _lost(self) -> OptionError:
        return OptionError(
            where="scheduler",
            expected="a cluster that goes on until the end",
            got=f"none any more at {self.scheduler or 'this computer'}",
            hint="What is published stays; the same command goes on",
        )

    @contextlib.contextmanager
    def _client(self, distributed: Any) -> Iterator[Any]:
        # That something is lost is ours to say, once.
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        settings = {
            "distributed.scheduler.allowed-failures": _DEATHS,
            "distributed.comm.timeouts.connect": f"{_PATIENCE}s",
            "distributed.admin.low-level-log-length": 100,  # memory is to stay flat
        }
        with contextlib.ExitStack() as stack:
            stack.enter_context(_part("dask").config.set(settings))
            at = self.scheduler or stack.enter_context(self._cluster(distributed))
            try:
                client = distributed.Client(at, timeout=_PATIENCE, set_as_default=False)
            except (OSError, ValueError) as error:
                raise OptionError(
                    where="scheduler",
                    expected="the address of a dask scheduler that answers",
                    got=f"'{self.scheduler}'",
                    hint=f"{error}. It is what dask scheduler prints, such as tcp://10.0.0.1:8786",
                ) from error
            yield stack.enter_context(client)

    @contextlib.contextmanager
    def _cluster(self, distributed: Any) -> Iterator[Any]:
        if self.slurm is not None:
            with self.slurm.cluster() as cluster:
                cluster.scale(jobs=self.slurm.workers)
                yield cluster
            return
        with distributed.LocalCluster(
            n_workers=self.jobs,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=0,  # the system's; dask would kill what it takes for too large
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield cluster


def _new_key() -> str:
    """Return a name of a task; what they have in common is all that schedulers keep of them."""
    return f"row-{os.urandom(16).hex()}"


def _part(package: str) -> Any:
    """Import a package of the extra `cohort`."""
    import importlib  # noqa: PLC0415

    # dask_jobqueue makes Ctrl-C end the process for good, from the moment it is imported.
    before = signal.getsignal(signal.SIGINT)
    try:
        return importlib.import_module(package)
    except ImportError as error:
        text = (
            f"{package}: expected to be installed, got no such package. Install "
            "'ceinms-torch[cohort]', or take --jobs 1, which needs none."
        )
        raise ImportError(text, name=package) from error
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
