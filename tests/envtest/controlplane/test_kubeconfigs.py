import stat

import pytest
import yaml

from windlass.envtest.controlplane.kubeconfigs import write_kubeconfig


@pytest.mark.parametrize("older", [None, "a longer text that was there before " * 100])
def test_a_kubeconfig_can_be_read_by_its_owner_alone_whatever_was_there_before(tmp_path, older):
    path = tmp_path / "kubeconfig"
    if older is not None:
        path.write_text(older)
        path.chmod(0o644)
    write_kubeconfig(path, {"kind": "Config", "users": [{"name": "a"}]})
    assert yaml.safe_load(path.read_text()) == {"kind": "Config", "users": [{"name": "a"}]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_not_there_is_the_systems_own_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_kubeconfig(tmp_path / "absent" / "kubeconfig", {})
