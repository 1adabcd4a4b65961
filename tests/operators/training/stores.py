"""Stores that tables lie in, as processes of their own: the library may hold this one's interpreter while it asks."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3

OPTIONS = {"AWS_ACCESS_KEY_ID": "AKIAWINDLASS", "AWS_SECRET_ACCESS_KEY": "never-to-be-shown", "AWS_REGION": "us-east-1"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def s3():
    """moto's server: the URL of an S3 that has a bucket `tables`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        _until_it_answers(url, process)
        client(url).create_bucket(Bucket="tables")
        yield url
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def webdav(folder):
    """WsgiDAV over a folder: its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    address = ("--host", "127.0.0.1", "--port", str(port), "--root", str(folder))
    command = (sys.executable, "-m", "wsgidav.server.server_cli", *address, "--auth", "anonymous", "-q")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_it_answers(url, process)
        yield url
    finally:
        process.kill()
        process.wait()


def client(url):
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=OPTIONS["AWS_REGION"],
        aws_access_key_id=OPTIONS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=OPTIONS["AWS_SECRET_ACCESS_KEY"],
    )


def _until_it_answers(url, process, *, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            assert process.poll() is None, "the store has ended"
            assert time.monotonic() < deadline, "the store does not answer"
            time.sleep(0.05)


def secret(folder, **options):
    """A folder as Kubernetes mounts a Secret: links through a hidden folder."""
    hidden = folder / "..2026_01_01"
    hidden.mkdir(parents=True)
    (folder / "..data").symlink_to(hidden.name)
    for name, value in options.items():
        (hidden / name).write_text(f"{value}\n")
        (folder / name).symlink_to(f"..data/{name}")
    return folder
