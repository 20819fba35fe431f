"""moto's server with the four corrections around it."""

import argparse
import io
import uuid
from collections.abc import Callable, Iterable
from typing import Any
from xml.sax.saxutils import escape

from moto.ec2.exceptions import FilterNotImplementedError
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

from local.ec2_peer import model, trail, wishes
from local.ec2_peer.pages import LISTS, InvalidToken, Page
from local.lifeline import end_with_parent

PAGE_SIZE = 2
"""Small on purpose: every network of the tests takes several pages."""


class Ec2Peer:
    """A WSGI application around moto's."""

    def __init__(self, moto: Any, page_size: int, events: trail.Trail | None) -> None:
        self._moto, self._page_size, self._events = moto, page_size, events

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)  # read once above, and once more by moto
        form = request.form.to_dict()
        action = form.get("Action", "")
        with wishes.of(request.headers):
            response = self._answer(action, form, environ)
        if self._events and action and not trail.READ_ONLY.match(action):
            self._events.tell(trail.record(action, form, response.get_data(), _region(request)))
        return response(environ, start_response)

    def _answer(self, action: str, form: dict[str, str], environ: dict[str, Any]) -> Response:
        try:
            response = Response.from_app(self._moto, environ)
        except FilterNotImplementedError as error:
            # Neither moto nor, for those that a test makes up, EC2 knows the filter.
            return _refusal("InvalidParameterValue", str(error))
        if action in LISTS and response.status_code == 200:
            try:
                page = Page.asked_for(form, self._page_size)
            except InvalidToken:
                return _refusal("InvalidNextToken", "The token is invalid")
            response.set_data(page.cut(action, response.get_data()))
        return response


def _region(request: Request) -> str:
    """The Region that the request was signed for: `Credential=<key>/<date>/<region>/ec2/aws4_request`."""
    return request.headers["Authorization"].partition("Credential=")[2].split("/")[2]


def _refusal(code: str, message: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{uuid.uuid4()}</RequestID></Response>"
    )
    return Response(body, status=400, content_type="text/xml;charset=UTF-8")


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--page-size", type=int, default=PAGE_SIZE, help="the most items in one answer")
    parser.add_argument("--events-url", help="where EventBridge is; without it nobody is told of changes")
    options = parser.parse_args()

    end_with_parent()
    model.put_right()
    wishes.can_be_granted()
    events = trail.Trail(options.events_url) if options.events_url else None
    moto = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", options.port, Ec2Peer(moto, options.page_size, events), threaded=True)
