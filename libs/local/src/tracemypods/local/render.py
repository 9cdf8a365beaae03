"""What is rendered from fleet.toml: the gateway's configuration, the chart's files, what images are
built with, README.md's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tracemypods.local import chart, chart_values, checkout, images, third_party
from tracemypods.local.errors import FleetError
from tracemypods.local.gateway import upstream_variable
from tracemypods.local.table import CATCH_ALL, NEVER_PUBLIC, Sandbox, Service, Table, load

TABLE_BEGIN = "<!-- fleet:begin -->"
TABLE_END = "<!-- fleet:end -->"

VALUES_BEGIN = "<!-- values:begin -->"
VALUES_END = "<!-- values:end -->"

BODY_LIMIT = "2MB"

_TEMPLATE = Path(__file__).with_name("Caddyfile.template")


@dataclass(frozen=True)
class Rendered:
    """A file and what it is to hold."""

    path: Path
    text: str

    @property
    def is_current(self) -> bool:
        """Whether the file holds that already."""
        return self.path.is_file() and self.path.read_text() == self.text


def everything(table: Table | None = None) -> list[Rendered]:
    """All rendered files. Raises FleetError for half a pair of markers in README.md."""
    table = table or load()
    plain = caddyfile(table)
    gateways = {"Caddyfile": plain, "Caddyfile.demo": caddyfile(table, chart.demo_sandboxes(table))}
    found = [
        Rendered(checkout.CADDYFILE, plain),
        Rendered(checkout.BAKE, images.bake_file(table, third_party.load())),
    ]
    found += [Rendered(path, text) for path, text in chart.files(table, gateways).items()]
    if checkout.README.is_file():
        readme = checkout.README.read_text()
        if TABLE_BEGIN in readme or TABLE_END in readme:
            tables = [services_table(table), *([sandboxes_table(table)] if table.sandboxes else [])]
            found.append(Rendered(checkout.README, with_table(readme, "\n\n".join(tables))))
    values, readme = checkout.CHART / "values.yaml", checkout.CHART / "README.md"
    if values.is_file() and readme.is_file():
        shown = chart_values.table(values.read_text())
        text = with_table(readme.read_text(), shown, VALUES_BEGIN, VALUES_END)
        found.append(Rendered(readme, text))
    return found


def render(check: bool, say: Callable[[str], None]) -> bool:
    """Write what is not current, or with `check` only say so; returns whether all was current."""
    current = True
    for rendered in everything():
        if rendered.is_current:
            continue
        current = False
        shown = rendered.path.relative_to(checkout.ROOT)
        if check:
            say(f"{shown} is not what fleet.toml says: run `make render`")
        else:
            rendered.path.parent.mkdir(parents=True, exist_ok=True)
            rendered.path.write_text(rendered.text)
            say(f"rendered {shown}")
    return current


def services_table(table: Table) -> str:
    """The services as a Markdown table."""
    lines = ["| service | public routes | needs | job |", "|---|---|---|---|"]
    for service in table.services.values():
        routes = ", ".join(f"`{_shown(route)}`" for route in service.routes) or "none"
        needs = ", ".join(service.needs) or "–"  # noqa: RUF001 - an en dash, as in other tables
        lines.append(f"| {service.name} | {routes} | {needs} | {service.summary} |")
    return "\n".join(lines)


def sandboxes_table(table: Table) -> str:
    """The sandboxes as a Markdown table."""
    lines = ["| sandbox | routes, in local mode only | stands for | job |", "|---|---|---|---|"]
    for sandbox in table.sandboxes.values():
        routes = ", ".join(f"`{route}`" for route in sandbox.routes)
        lines.append(
            f"| {sandbox.name} | {routes} | {', '.join(sandbox.provides)} | {sandbox.summary} |"
        )
    return "\n".join(lines)


def with_table(readme: str, text: str, begin: str = TABLE_BEGIN, end: str = TABLE_END) -> str:
    """README.md with the table between its markers. Raises FleetError without both of them."""
    before, found_begin, rest = readme.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        raise FleetError(f"README.md needs both {begin} and {end}, in this order")
    return f"{before}{begin}\n{text}\n{end}{after}"


def caddyfile(table: Table, sandboxes: Iterable[Sandbox] = ()) -> str:
    """The gateway's configuration for Caddy, with routes to these sandboxes and no others.

    Raises FleetError.
    """
    catch_all = [s for s in table.services.values() if CATCH_ALL in s.routes]
    if len(catch_all) != 1:
        raise FleetError(f"fleet.toml: exactly one service must list the route {CATCH_ALL}")
    routes = "\n".join(
        _route(service)
        for service in (*sandboxes, *table.services.values())
        if service.routes not in ((), (CATCH_ALL,))
    )
    text = _TEMPLATE.read_text()
    for name, value in {
        "<<body limit>>": BODY_LIMIT,
        "<<never public>>": "".join(f" {path}" for path in NEVER_PUBLIC),
        "<<inside>>": "".join(f" {path} {path}/*" for path in table.inside),
        "<<routes>>\n": routes,
        "<<catch-all>>": _upstream(catch_all[0]),
    }.items():
        text = text.replace(name, value)
    return text


def _shown(route: str) -> str:
    return "/" if route == CATCH_ALL else route


def _upstream(service: Service) -> str:
    return f"{{${upstream_variable(service.name)}:{service.name}:8000}}"


def _route(service: Service) -> str:
    paths = " ".join(route for route in service.routes if route != CATCH_ALL)
    return _ROUTE.format(name=service.name, paths=paths, upstream=_upstream(service))


_ROUTE = """\
		@{name} path {paths}
		handle @{name} {{
			import to {upstream}
		}}
"""
