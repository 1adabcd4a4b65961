"""A peer that speaks TLS, reads a request, and then says nothing, not even farewell; and who is still connected to it.

`from silent_tls import silent_tls, sockets_to`; tests that use it are marked `realtime`.
"""

import contextlib
import gc
import socket
import ssl
import threading

__all__ = ("silent_tls", "sockets_to")


@contextlib.contextmanager
def silent_tls(authority):
    """The port of the peer, and an event that is set when it has been asked. One connection only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("/CN=server", names="IP:127.0.0.1"))
    asked, over = threading.Event(), threading.Event()

    def answer():
        peer, _ = listener.accept()
        with context.wrap_socket(peer, server_side=True) as talk:
            talk.recv(16)
            asked.set()
            over.wait()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            over.set()
            thread.join()


def sockets_to(port):
    """The open sockets of this process that are connected to the port."""
    # isinstance would ask each object for its class, and some answer with a warning.
    sockets = [one for one in gc.get_objects() if type(one) is socket.socket and one.family == socket.AF_INET]
    found = []
    for candidate in sockets:
        with contextlib.suppress(OSError):
            if candidate.getpeername()[1] == port:
                found.append(candidate)
    return found
