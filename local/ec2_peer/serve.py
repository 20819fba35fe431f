"""moto's server with the corrections around it."""

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
from local.ec2_peer.listed import Listed
from local.ec2_peer.pages import LISTS, InvalidToken, Page
from local.lifeline import end_with_parent

PAGE_SIZE = 2
"""Small on purpose: every network of the tests takes several pages."""


class Ec2Peer:
    """A WSGI application around moto's."""

    def __init__(self, moto: Any, page_size: int, events: trail.Trail | None) -> None:
        self._moto, self._page_size, self._events = moto, page_size, events
        self._listed = Listed()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)  # read once above, and once more by moto
        form = request.form.to_dict()
        action = form.get("Action", "")
        read_only = bool(trail.READ_ONLY.match(action))
        with wishes.of(request.headers), self._listed.changing(not read_only):
            response = self._list(action, form, environ, request) if action in LISTS else self._answer(environ)
        told = action and not read_only and wishes.UNTOLD not in request.headers
        if self._events and told:
            self._events.tell(trail.record(action, form, response.get_data(), _region(request)))
        return response(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> Response:
        try:
            return Response.from_app(self._moto, environ)
        except FilterNotImplementedError as error:
            # Neither moto nor, for those that a test makes up, EC2 knows the filter.
            return _refusal("InvalidParameterValue", str(error))

    def _list(self, action: str, form: dict[str, str], environ: dict[str, Any], request: Request) -> Response:
        asked, state = form | {"Region": _region(request)}, self._listed.state
        if "NextToken" in form and (whole := self._listed.get(asked)):
            return self._page_of(action, form, whole)
        response = self._answer(environ)
        if response.status_code != 200:
            return response
        self._listed.keep(asked, response, state)
        return self._page_of(action, form, response)

    def _page_of(self, action: str, form: dict[str, str], whole: Response) -> Response:
        try:
            page = Page.asked_for(form, self._page_size)
        except InvalidToken:
            return _refusal("InvalidNextToken", "The token is invalid")
        whole.set_data(page.cut(action, whole.get_data()))
        return whole


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
