"""Credentials that stay fresh without a background task."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from windlass.informers import credentials as module
from windlass.informers.credentials import Anonymous, ExecPlugin, StaticHeader, TokenFile
from windlass.informers.errors import ConfigError


async def test_some_never_change():
    assert await Anonymous().header(refused="x") is None
    assert await StaticHeader("Bearer t").header(refused="Bearer t") == "Bearer t"
    assert Anonymous().certificate is None
    assert "Bearer" not in repr(StaticHeader("Bearer t"))


@pytest.mark.realtime
class TestTokenFile:
    async def test_it_is_read_without_its_newline(self, tmp_path):
        path = tmp_path / "token"
        path.write_text("abc\n")

        assert await TokenFile(path).header() == "Bearer abc"

    async def test_a_file_that_holds_no_token_is_named_with_what_is_wrong(self, tmp_path):
        path = tmp_path / "token"
        path.write_text("a\nb")

        with pytest.raises(ConfigError, match=r"token: expected a token without control characters, found '\\n' at"):
            await TokenFile(path).header()

    async def test_it_is_read_again_when_its_time_is_up(self, tmp_path, monkeypatch):
        path = tmp_path / "token"
        path.write_text("old")
        file = TokenFile(path)
        assert await file.header() == "Bearer old"
        path.write_text("new")

        assert await file.header() == "Bearer old"
        monkeypatch.setattr(module, "TOKEN_FILE_SECONDS", 0.0)
        assert await file.header() == "Bearer new"

    async def test_it_is_read_at_once_when_the_server_refuses_it(self, tmp_path):
        path = tmp_path / "token"
        path.write_text("old")
        file = TokenFile(path)
        await file.header()
        path.write_text("new")

        assert await file.header(refused="Bearer old") == "Bearer new"
        assert await file.header(refused="Bearer older") == "Bearer new", "somebody else was faster"

    async def test_a_file_that_goes_away_for_a_moment_costs_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "TOKEN_FILE_SECONDS", 0.0)
        path = tmp_path / "token"
        path.write_text("old")
        file = TokenFile(path)
        await file.header()
        path.unlink()
        assert await file.header() == "Bearer old"
        path.write_text("")
        assert await file.header() == "Bearer old"

    async def test_one_that_never_was_is_an_error_that_names_it(self, tmp_path):
        with pytest.raises(ConfigError, match=r"token file .*absent: No such file"):
            await TokenFile(tmp_path / "absent").header()
        (tmp_path / "empty").write_text("\n")
        with pytest.raises(ConfigError, match="empty: it is empty"):
            await TokenFile(tmp_path / "empty").header()


class Plugin:
    def __init__(self, *answers):
        self.answers = list(answers)
        self.runs = 0
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.stored = []

    async def run(self):
        self.runs += 1
        await asyncio.sleep(1)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def store(self, text):
        self.stored.append(text)
        return f"/files/{len(self.stored)}"

    def make(self):
        return ExecPlugin(self.run, self.store, clock=lambda: self.now)


class TestExecPlugin:
    async def test_it_runs_once_while_its_answer_is_good(self):
        plugin = Plugin({"token": "t", "expirationTimestamp": "2026-01-01T01:00:00Z"})
        credentials = plugin.make()

        assert await asyncio.gather(*[credentials.header() for _ in range(10)]) == ["Bearer t"] * 10
        assert plugin.runs == 1

    async def test_it_runs_again_five_minutes_before_the_answer_expires(self):
        plugin = Plugin(
            {"token": "one", "expirationTimestamp": "2026-01-01T01:00:00Z"},
            {"token": "two", "expirationTimestamp": "2026-01-01T02:00:00Z"},
        )
        credentials = plugin.make()
        await credentials.header()
        plugin.now += timedelta(minutes=54)
        assert await credentials.header() == "Bearer one"
        plugin.now += timedelta(minutes=1)
        assert await credentials.header() == "Bearer two"

    async def test_a_clock_that_jumps_costs_one_run_at_most(self):
        plugin = Plugin({"token": "one", "expirationTimestamp": "2026-01-01T01:00:00Z"}, {"token": "two"})
        credentials = plugin.make()
        await credentials.header()
        plugin.now -= timedelta(days=400)
        assert await credentials.header() == "Bearer one"
        plugin.now += timedelta(days=800)
        assert await credentials.header() == "Bearer two"
        assert await credentials.header() == "Bearer two"
        assert plugin.runs == 2

    async def test_it_runs_again_when_refused_once_for_all_who_were(self):
        plugin = Plugin({"token": "one"}, {"token": "two"})
        credentials = plugin.make()
        await credentials.header()

        headers = await asyncio.gather(*[credentials.header(refused="Bearer one") for _ in range(10)])

        assert headers == ["Bearer two"] * 10
        assert plugin.runs == 2

    async def test_it_may_give_a_certificate_instead(self):
        plugin = Plugin({"clientCertificateData": "CERT", "clientKeyData": "KEY"})
        credentials = plugin.make()

        assert await credentials.header() is None
        assert credentials.certificate == ("/files/1", "/files/2")
        assert plugin.stored == ["CERT", "KEY"]

    @pytest.mark.parametrize("answer", [{}, {"clientCertificateData": "CERT"}])
    async def test_an_answer_without_either_is_told(self, answer):
        with pytest.raises(ConfigError, match="expected a token, or clientCertificateData with clientKeyData"):
            await Plugin(answer).make().header()

    async def test_one_that_hangs_is_given_up(self):
        async def forever():
            await asyncio.sleep(10**6)

        with pytest.raises(ConfigError, match="no answer within 60 s"):
            await ExecPlugin(forever, str).header()

    async def test_one_that_cannot_be_started_is_told(self):
        async def broken():
            raise FileNotFoundError(2, "No such file or directory", "aws")

        with pytest.raises(ConfigError, match=r"cannot be started: .*aws"):
            await ExecPlugin(broken, str).header()
