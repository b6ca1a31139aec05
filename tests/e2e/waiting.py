"""What tests of every kind wait for and ask; it needs no graced and no environment."""
import socket, time

PATIENCE = 120  # seconds; how long a word may take on a slow, crowded machine


def wait_until(what, said="it never happened", patience=PATIENCE, failure=AssertionError):
    """For what has no word of its own: another process's files, the end of somebody else's child. Returns what what()
    returned; said: the text of the failure, or what returns it then."""
    end = time.monotonic() + patience
    while not (value := what()):
        if time.monotonic() > end:
            raise failure(said() if callable(said) else said)
        time.sleep(0.01)
    return value


def ask(address):
    """One request over HTTP; the body of the answer. address: a path, @name or (host, port)."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.connect("\0" + address[1:] if isinstance(address, str) and address.startswith("@") else address)
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := s.recv(65536):
            answer += part
    return answer.partition(b"\r\n\r\n")[2].decode()
