"""The caller's side of the warm worker: let a process that has LiteLLM at hand do this command, in a child of its own.

Off unless ``LITELLM_SKILL_WARM`` is 1. Where there is no worker, or it is wrong, old, dead or slow to answer, the
command runs cold, and nothing is said; one is started for the next command.

``_socket`` and ``_signal`` are what ``socket`` and ``signal`` are made of: those two cost 5 ms to import, half of what
an empty Python takes to start and end.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # see launch.py
if TYPE_CHECKING:
    from types import FrameType

    from litellm_skill.quarters import Quarters

SWITCH = "LITELLM_SKILL_WARM"
ANSWERS = 1.0  # seconds after which an answer of the worker is due, unless it waits for a processor
LONGEST = 60  # times so long at most, where hundreds ask at once: all of them cold would take much longer
MOST = 1_000_000  # bytes of a .env file
ENDS = 1.0  # seconds until a child that has said its exit code is gone
KILL, STOP, CONTINUE, PAUSE = 9, 19, 18, 20  # SIGKILL, SIGSTOP, SIGCONT, SIGTSTP on Linux
_OTHERS = ("--warm", "--env-file")  # flags of commands that no worker may do, or that change what LiteLLM reads


def wanted() -> bool:
    """By the environment, else by the user's own .env; never by the working directory's."""
    said = os.environ.get(SWITCH, "").strip()
    return (said or own_settings().get(SWITCH, "")) == "1"


def possible() -> str:
    """Why not, or "". On macOS a fork of a process that has used the system's frameworks may hang; and what tells a
    child of its caller's end, and one confinement from another, is Linux's."""
    return "" if sys.platform == "linux" and sys.implementation.name == "cpython" else "it is made for Linux"


def ask(python: str) -> None:
    """Let a worker that runs ``python`` do this command; does not return then."""
    if possible() or _is_other() or any(stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return
    from litellm_skill import quarters, situation

    place = None
    try:
        place = quarters.enter()
        if place is not None:
            _ask(place, python)
    except (OSError, situation.Secret):  # a sandbox without /proc, a full disk: all of it means a cold start
        return
    finally:
        if place is not None:
            place.close()


def _is_other() -> bool:
    """``/dev/fd/3``, of a shell's ``3<file`` or ``<(command)``: a child has only the first three."""
    if any(argument.startswith(_OTHERS) or "/fd/" in argument for argument in sys.argv[1:]):
        return True
    return any(os.isatty(number) and _in_background(number) for number in (0, 1, 2))


def _in_background(terminal: int) -> bool:
    """The system stops such a job when it reads from its terminal; it would not stop a worker's child."""
    try:
        return os.tcgetpgrp(terminal) != os.getpgrp()
    except OSError:  # it is not the terminal that controls this process
        return False


def _ask(place: Quarters, python: str) -> None:
    from litellm_skill import situation

    read, name = names(place, python)
    if situation.variables(read, own_settings()):
        return  # a cold run would import LiteLLM under these
    _Caller(place.address(name)).go()
    from litellm_skill import warmer

    warmer.start(place, python, name, situation.variables(read, os.environ))


def names(place: Quarters, python: str) -> tuple[list[str], str]:
    """The variables LiteLLM reads, as far as they are known, and the name of the worker for this process.
    Raises OSError or Secret."""
    from litellm_skill import situation

    purpose = situation.purpose(python, os.environ)
    read = place.read(purpose)
    return (read, situation.name(purpose, read, os.environ)) if read else ([], purpose)


def own_settings() -> dict[str, str]:
    """Roughly what the user's .env says: enough to see the switch, and that a variable may be set there."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    try:
        number = os.open(os.path.join(config, "litellm-skill", ".env"), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return {}
    try:
        is_file = os.fstat(number).st_mode & 0o170000 == 0o100000  # nobody may ever write to a pipe
        lines = os.read(number, MOST).decode(errors="replace").lstrip("\ufeff").splitlines() if is_file else []
    except OSError:
        return {}
    finally:
        os.close(number)
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {_bare(name.replace("export ", "", 1)): _bare(value.partition("#")[0]) for name, _, value in pairs}


def _bare(text: str) -> str:
    return text.strip().strip("'\"").strip()


class _Caller:
    """This process while another one does its command: it passes signals on, and ends as the other one ends.

    A signal that it does not pass on ends it; the kernel then ends the child (``stand_in``).
    """

    def __init__(self, address: str) -> None:
        import _signal  # type: ignore[import-not-found]  # signal would import enum
        import _socket

        self.signal = _signal
        self.line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self.address = address
        self.child = 0
        self.early: list[int] = []
        self.last = KILL

    def go(self) -> None:
        """Returns when the command must be done here after all: nothing of it has been done."""
        from litellm_skill import errand

        ignored = [n for n in range(1, self.signal.NSIG) if self.signal.getsignal(n) == self.signal.SIG_IGN]
        before = self._listen_to_signals(errand.FORWARDED)
        try:
            self._hand_over(ignored)
            self._send_files(errand.GO)
        except OSError:
            return self._stay(before)
        self.line.settimeout(None)
        try:
            said = self.line.recv(2)
        except ConnectionResetError:  # it has left without having read GO
            return self._stay(before)
        self._leave(said)

    def _stay(self, before: dict[int, object]) -> None:
        self.line.close()
        self.child = 0
        for number, handler in before.items():
            if handler is not None:
                self.signal.signal(number, handler)
        for number in self.early:
            os.kill(os.getpid(), number)

    def _hand_over(self, ignored: list[int]) -> None:
        """Raises OSError when the child is not there in time."""
        from litellm_skill import errand

        self.line.settimeout(ANSWERS)
        self.line.connect(self.address)
        umask = os.umask(0)
        os.umask(umask)
        blocked = list(map(int, self.signal.pthread_sigmask(self.signal.SIG_BLOCK, ())))
        script = os.path.abspath(sys.argv[0])
        self.line.sendall(errand.pack(errand.Errand(script, sys.argv, os.environb, umask, ignored, blocked)))
        self._expect(errand.ACCEPTED, 0, b"RD")
        self.child = int(self._expect(errand.READY, errand.PID, b"RDS"))
        for number in self.early:
            self._pass_on(number, None)
        self.early.clear()

    def _send_files(self, word: bytes) -> None:
        import _socket

        here = os.open(".", os.O_PATH | os.O_CLOEXEC)
        try:
            files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2, here))
            self.line.sendmsg([word], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
        finally:
            os.close(here)

    def _expect(self, word: bytes, more: int, states: bytes) -> bytes:
        """What follows it, of ``more`` bytes. Raises OSError when it does not come, or is late and the worker is in
        none of these states (proc(5))."""
        received = b""
        while len(received) < 1 + more:
            piece = self._receive(1 + more - len(received), states)
            if not piece:
                raise OSError("it has left")
            received += piece
        if received[:1] != word:
            raise OSError("it says something else")
        return received[1:]

    def _receive(self, count: int, states: bytes) -> bytes:
        import _socket

        worker = int.from_bytes(self.line.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 4), sys.byteorder)
        for _ in range(LONGEST):
            try:
                return self.line.recv(count)
            except _socket.timeout:
                with open(f"/proc/{worker}/stat", "rb") as file:
                    state = file.read().rpartition(b")")[2].split()[0]
                if state not in states:
                    break
        raise OSError("it does not answer")

    def _listen_to_signals(self, forwarded: tuple[int, ...]) -> dict[int, object]:
        before: dict[int, object] = {number: self.signal.getsignal(number) for number in (*forwarded, PAUSE)}
        for number in forwarded:
            self.signal.signal(number, self._pass_on)
        if before[PAUSE] == self.signal.SIG_DFL:
            self.signal.signal(PAUSE, self._pause)
        return before

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if not self.child:
            self.early.append(number)
            return
        self.last = number
        self._tell(number)

    def _pause(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z, and what comes after it: both processes stop, and go on."""
        self._tell(STOP)
        self.signal.signal(PAUSE, self.signal.SIG_DFL)
        os.kill(os.getpid(), PAUSE)
        self.signal.signal(PAUSE, self._pause)
        self._tell(CONTINUE)

    def _tell(self, number: int) -> None:
        try:
            if self.child:
                os.killpg(self.child, number)
        except OSError:  # it has just ended
            pass

    def _leave(self, said: bytes) -> None:
        """Does not return. Without a code it was killed: then by what this process was told to pass on, or by force."""
        from litellm_skill import errand

        if said[:1] == errand.DONE and len(said) == 2:
            try:
                self.line.settimeout(ENDS)
                self.line.recv(1)
            except OSError:
                pass
            os._exit(said[1])
        if self.last != KILL:
            self.signal.signal(self.last, self.signal.SIG_DFL)
        os.kill(os.getpid(), self.last)
        os._exit(128 + self.last)
