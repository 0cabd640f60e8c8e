"""Others' code while it runs here: held back where it prints, and stopped where it panics or never ends."""

import signal
import threading
from contextlib import contextmanager

from transformers.utils import logging


@contextmanager
def quiet():
    """Hold back the library's report on new heads: a new head is what fine-tuning asks for."""
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


@contextmanager
def foreign(seconds: float | None = None):
    """Others' code, which may panic (what a library in Rust raises is no `Exception`) or never end; either is an `Exception` here.

    Args:
        seconds: after which it is stopped, in the main thread of a process; None: never.
    """
    timed = seconds and hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()

    def stop(*_) -> None:
        raise TimeoutError(f"not done after {seconds:g} seconds")

    if timed:
        before, left = signal.signal(signal.SIGALRM, stop), signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error
    finally:
        if timed:
            signal.setitimer(signal.ITIMER_REAL, *left)
            signal.signal(signal.SIGALRM, before)
