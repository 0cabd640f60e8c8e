import pytest

from twophase.errors import UserError, exit_code


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (0, 0, ""),
        (None, 0, ""),
        (3, 3, ""),
        (UserError("no zoo"), 2, "twophase: no zoo\n"),
        (KeyboardInterrupt(), 130, "twophase: stopped; the rest is kept\n"),
    ],
)
def test_a_command_ends_with_a_code_and_a_line(end, code, said, capsys):
    @exit_code("stopped; the rest is kept")
    def command(arguments=None):
        if isinstance(end, BaseException):
            raise end
        return end

    assert command([]) == code and capsys.readouterr().err == said


def test_what_is_no_users_fault_is_raised():
    with pytest.raises(ZeroDivisionError):
        exit_code()(lambda: 1 / 0)()


def test_a_message_is_cut_in_its_middle_where_input_makes_it_endless():
    said = str(UserError(f"got {'x' * 4_000_000}; allowed are others"))
    assert len(said) == 2003 and said.startswith("got xxx") and said.endswith("xxx; allowed are others")
    assert str(UserError("x" * 2000)) == "x" * 2000
