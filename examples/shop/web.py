"""The shop's web application, as small as it gets."""

from __future__ import annotations


class App:
    """Takes forms; one without the token of its page is somebody else's."""

    def __init__(self) -> None:
        self.config: dict[str, object] = {"CSRF_PROTECT": True, "TITLE": "Shop"}

    def post(self, form: dict[str, str]) -> int:
        if self.config["CSRF_PROTECT"] and "token" not in form:
            return 403
        return 200


app = App()
