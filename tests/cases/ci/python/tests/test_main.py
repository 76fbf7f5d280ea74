from main import greeting


def test_greets_by_name() -> None:
    assert greeting("shop") == "hello shop\n"
