import pytest
from accounts import Account

from windlass.envtest.kit import Effects


class FakeBank(Effects):
    """Stands for the bank: it keeps its accounts when the operator is killed, and counts how many it has opened."""

    def begin(self):
        super().begin()
        self.numbers = {}

    async def open(self, owner, reference):
        if reference not in self.numbers:
            self.numbers[reference] = str(1001 + len(self.numbers))
            self.record("open", owner)
        return self.numbers[reference]


@pytest.fixture
def bank():
    bank = FakeBank()
    bank.begin()
    return bank


@pytest.fixture(scope="session", autouse=True)
def kinds(control_plane):
    control_plane.install(Account)
