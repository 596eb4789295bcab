"""Whether an account has room for what an import brings (docs/mgn.md#quotas)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simulator.model.account.account import Account
from simulator.model.groups.grouping import APPLICATION, WAVE

Counted = tuple[int, int, str, int]


def exceeded_quotas(account: Account, rows: Iterable[tuple[str, str, str]]) -> list[tuple[int, str]]:
    """Row number, 0 for the whole file, and quota exceeded once rows of server, application and wave are applied."""
    after = _After(account)
    for number, row in enumerate(rows, start=1):
        after.apply(number, *row)
    return [
        (number, f"{count} {what}: the quota is {limit}")
        for count, limit, what, number in (*after.totals(), *after.sizes())
        if count > limit
    ]


class _After:
    """Who would be where with the rows applied; a group's name is empty where there is none."""

    def __init__(self, account: Account) -> None:
        self._account = account
        apps, waves = account.kept(APPLICATION), account.kept(WAVE)
        self._app_of = {
            server.server_id: apps.get(server.application_id, {}).get("name", "") for server in account.servers.values()
        }
        self._wave_of = {app["name"]: waves.get(app.get("waveID", ""), {}).get("name", "") for app in apps.values()}
        # Of several servers with one user-provided id an import takes the first.
        live = [server for server in account.servers.values() if not server.archived]
        self._known = {server.user_provided_id: server.server_id for server in reversed(live)}
        self._unarchived = len(live)
        self._rows: dict[tuple[str, str], int] = {}

    def apply(self, number: int, user_id: str, app: str, wave: str) -> None:
        server = self._known.get(user_id, user_id)
        self._app_of[server] = app or self._app_of.get(server, "")
        self._wave_of[app] = wave or self._wave_of.get(app, "")
        self._rows[APPLICATION, app] = self._rows[WAVE, wave] = number

    def totals(self) -> Iterator[Counted]:
        quotas, apps, waves = self._account.quotas, self._account.kept(APPLICATION), self._account.kept(WAVE)
        servers = self._unarchived + len(self._app_of) - len(self._account.servers)
        yield servers, quotas.unarchived_servers, "source servers that are not archived", 0
        yield _active(apps, self._wave_of), quotas.active_applications, "active applications", 0
        yield _active(waves, self._wave_of.values()), quotas.active_waves, "active waves", 0

    def sizes(self) -> Iterator[Counted]:
        quotas = self._account.quotas
        for app, count in Counter(self._app_of.values()).items():
            if app and (number := self._rows.get((APPLICATION, app))):
                yield count, quotas.servers_per_application, f"servers in application {app!r}", number
        for wave, count in Counter(self._wave_of.values()).items():
            if wave and (number := self._rows.get((WAVE, wave))):
                yield count, quotas.applications_per_wave, f"applications in wave {wave!r}", number


def _active(groups: Mapping[str, Any], names: Iterable[str]) -> int:
    """Active groups once those named exist too."""
    new = set(names) - {group["name"] for group in groups.values()} - {""}
    return sum(not group["isArchived"] for group in groups.values()) + len(new)
