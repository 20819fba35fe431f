"""moto's server with the corrections around it. It answers for EC2 and for the services in `environment.BESIDE_EC2`."""

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

from local.ec2_server import cloudtrail, moto_fixes, test_overrides
from local.ec2_server.accounts import Accounts, Caller, create_no_default_vpcs
from local.ec2_server.list_cache import ListCache
from local.ec2_server.pagination import LISTS, InvalidToken, Page
from local.ec2_server.profiles import Profiles
from local.exit_with_parent import exit_with_parent
from local.organization_file import OrganizationReader

PAGE_SIZE = 2
"""Small on purpose: every network of the tests takes several pages."""

PING = "/ping"
"""EC2 answers it without a signature. moto does not know it."""

UNSENT_EVENTS = "/unsent-events"
"""A path of our own: it answers with the number of events that EventBridge has not received yet."""

STATUS = {"AuthFailure": 401, "RequestLimitExceeded": 503, "UnauthorizedOperation": 403}
"""EC2's status for the refusals that have another one than 400."""


class Ec2Server:
    """A WSGI application around moto's."""

    def __init__(self, moto: Any, page_size: int, events: cloudtrail.EventSender | None, accounts: Accounts) -> None:
        self._moto, self._page_size, self._events, self._accounts = moto, page_size, events, accounts
        self._cache, self._profiles = ListCache(), Profiles()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        if request.path == UNSENT_EVENTS:
            return Response(str(self._events.unsent if self._events else 0))(environ, start_response)
        if request.path == PING:
            return Response("healthy")(environ, start_response)
        if "Authorization" not in request.headers:  # moto's own calls, such as a reset
            self._profiles.clear()
            with self._cache.invalidated(True):
                return self._answer(environ)(environ, start_response)
        body = request.get_data()
        environ["wsgi.input"] = io.BytesIO(body)  # read once here, and once more by moto
        form = request.form.to_dict()
        action = form.get("Action", "")
        caller = self._accounts.caller(request, action)
        if caller.error:
            return _refusal(*caller.error, status=STATUS.get(caller.error[0], 400))(environ, start_response)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account
        if of_profiles := self._profiles.answer(request, body, caller):
            return of_profiles(environ, start_response)
        read_only = bool(cloudtrail.READ_ONLY.match(action))
        with test_overrides.of(request.headers), self._cache.invalidated(not read_only):
            response = self._list(action, form, environ, caller) if action in LISTS else self._answer(environ)
        sends_event = action and not read_only and test_overrides.NO_EVENT not in request.headers
        if self._events and sends_event:
            self._events.send(cloudtrail.record(action, form, response.get_data(), caller.account, caller.region))
        return response(environ, start_response)

    def _answer(self, environ: dict[str, Any]) -> Response:
        try:
            return Response.from_app(self._moto, environ)
        except FilterNotImplementedError as error:
            # moto does not know the filter. EC2 does not know it either where a test invents one.
            return _refusal("InvalidParameterValue", str(error))

    def _list(self, action: str, form: dict[str, str], environ: dict[str, Any], caller: Caller) -> Response:
        key, version = form | {"Account": caller.account, "Region": caller.region}, self._cache.version
        if "NextToken" in form and (whole := self._cache.get(key)):
            return self._page_of(action, form, whole)
        response = self._answer(environ)
        if response.status_code != 200:
            return response
        self._cache.put(key, response, version)
        return self._page_of(action, form, response)

    def _page_of(self, action: str, form: dict[str, str], whole: Response) -> Response:
        try:
            page = Page.requested(form, self._page_size)
        except InvalidToken:
            return _refusal("InvalidNextToken", "The token is invalid")
        whole.set_data(page.cut(action, whole.get_data()))
        return whole


def _refusal(code: str, message: str, status: int = 400) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        f"<RequestID>{uuid.uuid4()}</RequestID></Response>"
    )
    return Response(body, status=status, content_type="text/xml;charset=UTF-8")


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--page-size", type=int, default=PAGE_SIZE, help="the most items in one answer")
    parser.add_argument("--events-url", help="where EventBridge is; without it no events are sent")
    options = parser.parse_args()

    exit_with_parent()
    moto_fixes.apply_all()
    test_overrides.install()
    events = cloudtrail.EventSender(options.events_url) if options.events_url else None
    moto = DomainDispatcherApplication(create_backend_app)
    if organization := OrganizationReader.from_environment():
        create_no_default_vpcs()
    accounts = Accounts(organization, options.events_url)
    run_simple("127.0.0.1", options.port, Ec2Server(moto, options.page_size, events, accounts), threaded=True)
