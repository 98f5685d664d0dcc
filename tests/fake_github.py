"""A small GitHub over real HTTP on the loopback interface, for tests through real clients.

    with FakeGitHub() as github:
        repository = github.repository("octo/digits")
        repository.commit("a" * 40, {"privacy_gate.yaml": b"version: 1\n"})
        repository.pull(7, head_sha="b" * 40, base_sha="a" * 40)
        ... GITHUB_API_URL=github.url (or github.enterprise_url) ...
        assert repository.comments(7)[0]["body"]
        assert github.writes == [("POST", "/repos/octo/digits/issues/7/comments")]

Only what the gate asks for is there, with GitHub's own limits and refusals. A token that starts
with ``read-only`` may write nothing. ``github.fail(…)`` makes chosen requests fail.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ENTERPRISE = "/api/v3"
BOT = "github-actions[bot]"
LONGEST_BODY = 65_536
LONGEST_OUTPUT = 65_535
LARGEST_INLINE = 1_000_000
NO_PERMISSION = "Resource not accessible by integration"


@dataclass
class Request:
    """One request as it arrived; ``path`` without the Enterprise prefix and the query."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    enterprise: bool
    token: str
    status: int = 0


def changes_something(request: Request) -> bool:
    return request.method != "GET" and "graphql" not in request.path


@dataclass
class Failure:
    """Requests whose method and path match get this answer, ``times`` of them."""

    method: str
    pattern: str
    status: int
    message: str
    times: float
    headers: Mapping[str, str]
    delay: float


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.content = status, {"message": message, **more}


@dataclass
class Repository:
    """The content of one repository; every method that sets something up returns what it made."""

    name: str
    default_branch: str = "main"
    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    issue_comments: list[dict[str, Any]] = field(default_factory=list)
    check_runs: list[dict[str, Any]] = field(default_factory=list)

    def commit(
        self, sha: str, files: Mapping[str, bytes | str], *, branch: str | None = None
    ) -> str:
        """The complete tree of a commit, by path; ``branch`` then points to it."""
        self.commits[sha] = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }
        if branch is not None:
            self.branches[branch] = sha
        return sha

    def pull(
        self,
        number: int,
        *,
        head_sha: str,
        base_sha: str,
        head_ref: str = "topic",
        base_ref: str = "main",
        head_repository: str | None = "",
        state: str = "open",
    ) -> dict[str, Any]:
        """A pull request; ``head_repository`` is this one by default, ``None`` if it is deleted."""
        head_name = self.name if head_repository == "" else head_repository
        self.pulls[number] = {
            "number": number,
            "state": state,
            "title": f"Pull request {number}",
            "head": {
                "sha": head_sha,
                "ref": head_ref,
                "label": f"{(head_name or 'unknown').split('/')[0]}:{head_ref}",
                "repo": None if head_name is None else repository_facts(head_name),
            },
            "base": {"sha": base_sha, "ref": base_ref, "repo": repository_facts(self.name)},
        }
        return self.pulls[number]

    def add_comment(self, number: int, body: str, author: str = BOT) -> dict[str, Any]:
        """A comment that is there already."""
        comment = {
            "id": 1000 + len(self.issue_comments),
            "issue": number,
            "body": body,
            "user": {"login": author, "type": "Bot" if author.endswith("[bot]") else "User"},
            "edits": 0,
        }
        self.issue_comments.append(comment)
        return comment

    def comments(self, number: int, author: str | None = None) -> list[dict[str, Any]]:
        """The comments of a pull request, oldest first, of one author if asked."""
        return [
            comment
            for comment in self.issue_comments
            if comment["issue"] == number and author in (None, comment["user"]["login"])
        ]


def repository_facts(name: str) -> dict[str, Any]:
    owner, _, short = name.partition("/")
    return {"full_name": name, "name": short, "owner": {"login": owner}}


class FakeGitHub:
    """The server; a context manager. ``url`` is a base URL as in ``GITHUB_API_URL``."""

    def __init__(self, login: str | None = BOT) -> None:
        self.login = login
        """Who the token belongs to: the author of new comments and the viewer of GraphQL. GET /user
        answers only for a login that is not a bot, as for GitHub's own token."""
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.failures: list[Failure] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)

    def __enter__(self) -> FakeGitHub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def enterprise_url(self) -> str:
        return self.url + ENTERPRISE

    def repository(self, name: str, **facts: Any) -> Repository:
        """The repository of this name, made on first use."""
        return self.repositories.setdefault(name, Repository(name, **facts))

    def fail(
        self,
        method: str,
        pattern: str,
        status: int,
        message: str = "",
        *,
        times: float = float("inf"),
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
    ) -> None:
        """Answer requests whose path contains ``pattern`` (a regular expression) with ``status``;
        ``status`` 0 answers as usual, after ``delay`` seconds."""
        self.failures.append(Failure(method, pattern, status, message, times, headers or {}, delay))

    def rate_limit(self, pattern: str = "", *, seconds: int = 3600, times: float = 1e9) -> None:
        """The primary rate limit: 403, and when it ends."""
        headers = {
            "X-RateLimit-Limit": "1000",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(time.time()) + seconds),
        }
        self.fail("", pattern, 403, "API rate limit exceeded for installation.", times=times,
                  headers=headers)  # fmt: skip

    def made(self, method: str, pattern: str = "") -> list[Request]:
        """The requests of a method whose path matches."""
        return [r for r in self.requests if r.method == method and re.search(pattern, r.path)]

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Method and path of every request that could change something (GraphQL queries not)."""
        return [(r.method, r.path) for r in self.requests if changes_something(r)]

    # ----------------------------------------------------------------------------- answers

    def answer(self, request: Request, host: str) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON content and headers."""
        for failure in self.failures:
            if (
                failure.times > 0
                and failure.method in ("", request.method)
                and re.search(failure.pattern, request.path)
            ):
                failure.times -= 1
                time.sleep(failure.delay)
                if failure.status:
                    return failure.status, {"message": failure.message}, dict(failure.headers)
        if not request.token:
            raise Refused(401, "Requires authentication")
        if request.token == "bad":
            raise Refused(401, "Bad credentials")
        if changes_something(request) and request.token.startswith("read-only"):
            raise Refused(403, NO_PERMISSION)
        base = f"http://{host}" + (ENTERPRISE if request.enterprise else "")
        for method, pattern, respond in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return respond(self, request, base, **match.groupdict())
        raise Refused(404, "Not Found")

    def found(self, name: str) -> Repository:
        if name not in self.repositories:
            raise Refused(404, "Not Found")
        return self.repositories[name]


Answer = tuple[int, Any, dict[str, str]]


def _viewer(github: FakeGitHub, request: Request, base: str) -> Answer:
    if "viewer" not in request.body["query"] or github.login is None:
        return 200, {"errors": [{"message": NO_PERMISSION, "type": "FORBIDDEN"}]}, {}
    return 200, {"data": {"viewer": {"login": github.login}}}, {}


def _user(github: FakeGitHub, request: Request, base: str) -> Answer:
    if github.login is None or github.login.endswith("[bot]"):
        raise Refused(403, NO_PERMISSION)
    return 200, {"login": github.login, "url": f"{base}/user"}, {}


def _repository(github: FakeGitHub, request: Request, base: str, repo: str) -> Answer:
    found = github.found(repo)
    facts = {"default_branch": found.default_branch, "private": found.private}
    return 200, {**repository_facts(repo), **facts, "url": f"{base}/repos/{repo}"}, {}


def _resolved(repository: Repository, ref: str | None) -> str:
    ref = ref or repository.default_branch
    sha = repository.branches.get(ref.removeprefix("refs/heads/"), ref)
    if sha not in repository.commits:
        raise Refused(404, f"No commit found for the ref {ref}")
    return sha


def _contents(github: FakeGitHub, request: Request, base: str, repo: str, path: str) -> Answer:
    sha = _resolved(github.found(repo), request.query.get("ref"))
    tree, path = github.found(repo).commits[sha], unquote(path)
    url = f"{base}/repos/{repo}/contents/{path}?ref={sha}"
    if not path or any(name.startswith(f"{path}/") for name in tree):
        return 200, [{"type": "dir", "path": path, "name": path, "url": url}], {}
    if path not in tree:
        raise Refused(404, "Not Found")
    content = tree[path]
    inline = len(content) <= LARGEST_INLINE
    return 200, {
        "type": "file",
        "path": path,
        "name": path.rsplit("/", 1)[-1],
        "sha": sha1(content).hexdigest(),
        "size": len(content),
        "encoding": "base64" if inline else "none",
        "content": base64.b64encode(content).decode() if inline else "",
        "url": url,
    }, {}  # fmt: skip


def _blob(github: FakeGitHub, request: Request, base: str, repo: str, sha: str) -> Answer:
    for tree in github.found(repo).commits.values():
        for content in tree.values():
            if sha1(content).hexdigest() == sha:
                return 200, {
                    "sha": sha,
                    "size": len(content),
                    "encoding": "base64",
                    "content": base64.b64encode(content).decode(),
                    "url": f"{base}/repos/{repo}/git/blobs/{sha}",
                }, {}  # fmt: skip
    raise Refused(404, "Not Found")


def _commit(github: FakeGitHub, request: Request, base: str, repo: str, ref: str) -> Answer:
    sha = _resolved(github.found(repo), unquote(ref))
    return 200, {"sha": sha, "url": f"{base}/repos/{repo}/commits/{sha}"}, {}


def _shown_pull(pull: Mapping[str, Any], base: str, repo: str) -> dict[str, Any]:
    number = pull["number"]
    return {
        **pull,
        "url": f"{base}/repos/{repo}/pulls/{number}",
        "html_url": f"https://github.example/{repo}/pull/{number}",
    }


def _pulls(github: FakeGitHub, request: Request, base: str, repo: str) -> Answer:
    wanted = request.query
    found = [
        _shown_pull(pull, base, repo)
        for pull in github.found(repo).pulls.values()
        if wanted.get("state", "open") in ("all", pull["state"])
        and wanted.get("head", pull["head"]["label"]) == pull["head"]["label"]
        and wanted.get("base", pull["base"]["ref"]) == pull["base"]["ref"]
    ]
    return _page(found, request, f"{base}/repos/{repo}/pulls")


def _pull(github: FakeGitHub, request: Request, base: str, repo: str, number: str) -> Answer:
    pull = github.found(repo).pulls.get(int(number))
    if pull is None:
        raise Refused(404, "Not Found")
    return 200, _shown_pull(pull, base, repo), {}


def _shown_comment(comment: Mapping[str, Any], base: str, repo: str) -> dict[str, Any]:
    return {
        "id": comment["id"],
        "body": comment["body"],
        "user": {**comment["user"], "url": f"{base}/users/{comment['user']['login']}"},
        "url": f"{base}/repos/{repo}/issues/comments/{comment['id']}",
        "html_url": f"https://github.example/{repo}/pull/{comment['issue']}"
        f"#issuecomment-{comment['id']}",
        "issue_url": f"{base}/repos/{repo}/issues/{comment['issue']}",
    }


def _comments(github: FakeGitHub, request: Request, base: str, repo: str, number: str) -> Answer:
    found = github.found(repo)
    shown = [_shown_comment(comment, base, repo) for comment in found.comments(int(number))]
    return _page(shown, request, f"{base}/repos/{repo}/issues/{number}/comments")


def _checked_body(request: Request) -> str:
    body = request.body["body"]
    if len(body) > LONGEST_BODY:
        error = {"resource": "IssueComment", "code": "unprocessable", "field": "data"}
        message = f"Body is too long (maximum is {LONGEST_BODY} characters)"
        raise Refused(422, "Validation Failed", errors=[{**error, "message": message}])
    return str(body)


def _new_comment(github: FakeGitHub, request: Request, base: str, repo: str, number: str) -> Answer:
    found = github.found(repo)
    if int(number) not in found.pulls:
        raise Refused(404, "Not Found")
    comment = found.add_comment(int(number), _checked_body(request), github.login or BOT)
    return 201, _shown_comment(comment, base, repo), {}


def _edit_comment(github: FakeGitHub, request: Request, base: str, repo: str, key: str) -> Answer:
    for comment in github.found(repo).issue_comments:
        if comment["id"] == int(key):
            if comment["user"]["login"] != (github.login or BOT):
                raise Refused(403, NO_PERMISSION)
            comment["body"] = _checked_body(request)
            comment["edits"] += 1
            return 200, _shown_comment(comment, base, repo), {}
    raise Refused(404, "Not Found")


def _checked_output(request: Request) -> dict[str, Any]:
    output = request.body.get("output", {})
    annotations = output.get("annotations", [])
    if len(annotations) > 50:
        raise Refused(422, "Invalid request. No more than 50 items are allowed; 'annotations'.")
    for name in ("summary", "text"):
        if len(output.get(name, "")) > LONGEST_OUTPUT:
            raise Refused(422, f"Invalid request. Only {LONGEST_OUTPUT} characters are allowed.")
    for annotation in annotations:
        known = annotation["annotation_level"] in ("notice", "warning", "failure")
        plain = all(ord(c) < 0x10000 for c in annotation["message"] + annotation["title"])
        sane = not annotation["path"].startswith("/") and annotation["start_line"] >= 1
        if not (known and plain and sane) or len(annotation["title"]) > 255:
            raise Refused(422, "Invalid request. An annotation is not valid.")
    return dict(output)


def _new_check(github: FakeGitHub, request: Request, base: str, repo: str) -> Answer:
    body = request.body
    if body.get("status") == "completed" and not body.get("conclusion"):
        raise Refused(422, "Invalid request. A completed run needs a conclusion.")
    output = _checked_output(request)
    run = {**body, "id": next(github.numbers), "output": {**output}}
    run["annotations"] = [*output.get("annotations", [])]
    github.found(repo).check_runs.append(run)
    return 201, _shown_check(run, base, repo), {}


def _edit_check(github: FakeGitHub, request: Request, base: str, repo: str, key: str) -> Answer:
    for run in github.found(repo).check_runs:
        if run["id"] == int(key):
            run["annotations"] += _checked_output(request).get("annotations", [])
            run.update({k: v for k, v in request.body.items() if k != "output"})
            return 200, _shown_check(run, base, repo), {}
    raise Refused(404, "Not Found")


def _shown_check(run: Mapping[str, Any], base: str, repo: str) -> dict[str, Any]:
    output = {key: run["output"].get(key) for key in ("title", "summary", "text")}
    return {
        "id": run["id"],
        "name": run["name"],
        "head_sha": run["head_sha"],
        "status": run.get("status", "queued"),
        "conclusion": run.get("conclusion"),
        "url": f"{base}/repos/{repo}/check-runs/{run['id']}",
        "html_url": f"https://github.example/{repo}/runs/{run['id']}",
        "output": {**output, "annotations_count": len(run["annotations"])},
    }


def _page(items: list[Any], request: Request, url: str) -> Answer:
    """One page and the ``Link`` header to the next."""
    size, number = int(request.query.get("per_page", 30)), int(request.query.get("page", 1))
    rest = {key: value for key, value in request.query.items() if key != "page"}
    headers = {}
    if number * size < len(items):
        query = "&".join(f"{key}={value}" for key, value in {**rest, "page": number + 1}.items())
        headers["Link"] = f'<{url}?{query}>; rel="next"'
    return 200, items[(number - 1) * size : number * size], headers


_REPO = r"/repos/(?P<repo>[^/]+/[^/]+)"
_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("POST", r"/graphql", _viewer),
    ("GET", r"/user", _user),
    ("GET", _REPO, _repository),
    ("GET", _REPO + r"/contents/(?P<path>.*)", _contents),
    ("GET", _REPO + r"/git/blobs/(?P<sha>\w+)", _blob),
    ("GET", _REPO + r"/commits/(?P<ref>.+)", _commit),
    ("GET", _REPO + r"/pulls", _pulls),
    ("GET", _REPO + r"/pulls/(?P<number>\d+)", _pull),
    ("GET", _REPO + r"/issues/(?P<number>\d+)/comments", _comments),
    ("POST", _REPO + r"/issues/(?P<number>\d+)/comments", _new_comment),
    ("PATCH", _REPO + r"/issues/comments/(?P<key>\d+)", _edit_comment),
    ("POST", _REPO + r"/check-runs", _new_check),
    ("PATCH", _REPO + r"/check-runs/(?P<key>\d+)", _edit_check),
]


def _handler(github: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Tests look at ``requests`` instead."""

        def _respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            address = urlsplit(self.path)
            enterprise = address.path.startswith(("/api/v3/", "/api/graphql"))
            path = address.path.removeprefix(ENTERPRISE).removeprefix("/api")
            request = Request(
                self.command,
                path,
                dict(parse_qsl(address.query)),
                json.loads(content) if content else None,
                enterprise,
                (self.headers.get("Authorization") or " ").split(" ", 1)[1],
            )
            headers: dict[str, str] = {}
            with github.lock:
                github.requests.append(request)
            try:
                status, answer, headers = github.answer(request, self.headers["Host"])
            except Refused as error:
                status, answer = error.status, error.content
            request.status = status
            text = json.dumps(answer).encode()
            try:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client did not wait

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _respond

    return Handler


# ------------------------------------------------------------------------- a job of GitHub Actions


def pull_request_event(repository: Repository, number: int) -> dict[str, Any]:
    """The event file of ``pull_request``."""
    facts = {**repository_facts(repository.name), "default_branch": repository.default_branch}
    return {
        "action": "synchronize",
        "number": number,
        "pull_request": repository.pulls[number],
        "repository": facts,
    }


def workflow_run_event(
    repository: Repository,
    number: int,
    *,
    conclusion: str = "success",
    event: str = "pull_request",
    head_sha: str | None = None,
) -> dict[str, Any]:
    """The event file of ``workflow_run`` after a run for a pull request of a fork."""
    head = repository.pulls[number]["head"]
    facts = {**repository_facts(repository.name), "default_branch": repository.default_branch}
    return {
        "action": "completed",
        "repository": facts,
        "workflow_run": {
            "id": 77,
            "event": event,
            "conclusion": conclusion,
            "head_sha": head_sha or head["sha"],
            "head_branch": head["ref"],
            "head_repository": head["repo"],
            "pull_requests": [],
        },
    }


def job(
    folder: Path,
    url: str,
    repository: str,
    event_name: str,
    event: Mapping[str, Any] | str,
    *,
    token: str = "token-of-the-job",
    **more: str,
) -> dict[str, str]:
    """The environment of one step, its files in ``folder``: ``output.txt``, ``summary.md``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "event.json").write_text(event if isinstance(event, str) else json.dumps(event))
    for name in ("output.txt", "summary.md"):
        (folder / name).touch()
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": repository,
        "GITHUB_EVENT_NAME": event_name,
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_SHA": "5" * 40,
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_RUN_ID": "42",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_WORKSPACE": str(folder),
        "GITHUB_OUTPUT": str(folder / "output.txt"),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "RUNNER_TEMP": str(folder),
        "GITHUB_TOKEN": token,
        **more,
    }


def outputs(path: Path) -> dict[str, str]:
    """What a step wrote to ``GITHUB_OUTPUT``, read as the runner reads it."""
    found: dict[str, str] = {}
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    for line in lines:
        name, separator, delimiter = line.partition("<<")
        if separator and "=" not in name:
            found[name] = "\n".join(
                itertools.takewhile(lambda text, end=delimiter: text != end, lines)
            )
        elif line:
            name, _, value = line.partition("=")
            found[name] = value
    return found
