"""What slicer.util, slicer.packaging and slicer.i18n do in the host."""

from __future__ import annotations

import logging

import pytest
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.packaging import load_requirements, pip_check, pip_ensure


@pytest.fixture
def no_pip(monkeypatch):
    """pip must not run in a test."""

    def run(*args, **kwargs):
        raise AssertionError(f"pip was called: {args}")

    monkeypatch.setattr("subprocess.run", run)


def test_requirements_are_read_without_comments_and_options(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text(
        "# torch comes with PyTorch\nnumpy>=1.26\n\n--index-url x\nmonai>=1.4 ; python_version>'3'\n"
    )
    assert [r.name for r in load_requirements(path)] == ["numpy", "monai"]


def test_what_is_installed_is_told_from_what_is_not():
    assert pip_check("numpy>=1.20")
    assert pip_check(["numpy", "no-such-package-1 ; python_version < '3'"])
    assert not pip_check("numpy>=99")
    assert not pip_check("numpy no-such-package-1")


def test_nothing_is_installed_while_testing(no_pip):
    pip_ensure("no-such-package-1>=1", requester="FreeTumor")


def test_the_user_can_say_no_to_an_installation(no_pip, messages):
    messages.answer(False)
    with pytest.raises(RuntimeError, match="declined"):
        pip_ensure(["no-such-package-1"], requester="FreeTumor", skip_in_testing=False)
    assert messages.shown[0].title.startswith("FreeTumor")
    assert messages.shown[0].details == "no-such-package-1"


def test_a_test_reads_the_messages_that_the_user_would_have_seen(messages):
    slicer.util.errorDisplay("No CT is selected", windowTitle="FreeTumor")
    slicer.util.infoDisplay("Done")
    assert messages.texts(logging.ERROR) == ["No CT is selected"]
    assert messages.texts() == ["No CT is selected", "Done"]


def test_questions_are_answered_with_yes_unless_the_test_says_no(messages):
    messages.answer(False, True)
    assert not slicer.util.confirmYesNoDisplay("Overwrite?")
    assert slicer.util.confirmOkCancelDisplay("Go on?")
    assert slicer.util.confirmYesNoDisplay("Really?")
    assert not slicer.util.confirmRetryCloseDisplay("Failed. Again?")


def test_a_message_for_a_moment_does_not_hold_a_test_up(messages):
    slicer.util.delayDisplay("Saved", 60_000)
    assert messages.texts() == ["Saved"]


def test_texts_are_translated_before_they_are_formatted():
    assert _("{count} lesions").format(count=2) == "2 lesions"
    assert translate("FreeTumor", "Apply") == "Apply"
    with pytest.raises(TypeError, match="format after"):
        _(3)


def test_there_is_no_main_window_and_the_helpers_live_with_it():
    assert slicer.util.mainWindow() is None
    slicer.util.setDataProbeVisible(False)
    assert not slicer.util.showStatusMessage("Ready")
    with pytest.raises(RuntimeError, match="main window"):
        slicer.util.selectModule("HostProbe")


def test_settings_of_tests_are_not_the_users(host):
    import qt

    qt.QSettings().setValue("FreeTumor/Reader", "A")
    assert slicer.util.settingsValue("FreeTumor/Reader", "") == "A"
    assert str(qt.QSettings().fileName()).startswith(host.temporaryPath)
