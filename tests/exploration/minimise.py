"""Makes a failing story smaller as long as it fails in the same way."""

from collections.abc import Callable, Iterator

from runtime.models.request import Mode
from tests.exploration.story import Migration, Story

Fails = Callable[[Story], bool]

PIECES = ("faults", "decisions", "troubles", "stops", "meddlings", "outages")
PLAIN = Story(seed=0, servers=(), migrations=())
PLAIN_MIGRATION = Migration(id="", server="")


def minimised(story: Story, fails: Fails) -> Story:
    """The smallest story found that still fails, by leaving out one thing after the other."""
    smaller: Story | None = story
    while smaller is not None:
        story = smaller
        smaller = next((each for each in _simpler(story) if each != story and fails(each)), None)
    return story


def _simpler(story: Story) -> Iterator[Story]:
    for migration in story.migrations if len(story.migrations) > 1 else ():
        yield _without(story, migration)
    for piece in PIECES:
        parts = getattr(story, piece)
        for part in parts:
            yield story.model_copy(update={piece: tuple(other for other in parts if other is not part)})
    yield from _with_simpler_surroundings(story)
    for migration in story.migrations:
        yield from _with_simpler(story, migration)


def _with_simpler_surroundings(story: Story) -> Iterator[Story]:
    for name in ("delivery", "lag"):
        of_it = getattr(story, name)
        yield story.model_copy(update={name: type(of_it)()})
        for field in type(of_it).model_fields:
            yield story.model_copy(update={name: of_it.model_copy(update={field: 0})})
    for knob in story.knobs:
        yield story.model_copy(update={"knobs": {name: value for name, value in story.knobs.items() if name != knob}})
    for name in ("quick_jobs", "streams", "disorder", "sweep", "look"):
        yield story.model_copy(update={name: getattr(PLAIN, name)})
    at_once = tuple(fault.model_copy(update={"cue": None}) for fault in story.faults)
    yield story.model_copy(update={"faults": at_once})
    rounded = tuple(fault.model_copy(update={"seconds": float(round(fault.seconds))}) for fault in story.faults)
    yield story.model_copy(update={"faults": rounded})


def _without(story: Story, migration: Migration) -> Story:
    kept = tuple(other for other in story.migrations if other is not migration)
    named = {other.server for other in kept}
    changes: dict[str, object] = {
        "migrations": kept,
        "servers": tuple(server for server in story.servers if server in named) or story.servers[:1],
        "decisions": tuple(each for each in story.decisions if each.migration != migration.id),
        "stops": tuple(each for each in story.stops if each.migration != migration.id),
        "meddlings": tuple(each for each in story.meddlings if each.migration != migration.id),
    }
    return story.model_copy(update=changes)


def _with_simpler(story: Story, migration: Migration) -> Iterator[Story]:
    for name in Migration.model_fields:
        if name not in ("id", "server", "test", "mode"):
            yield _changed(story, migration, {name: getattr(PLAIN_MIGRATION, name)})
    yield _changed(story, migration, {"mode": Mode.MIGRATE})
    if migration.mode is Mode.MIGRATE:
        yield _changed(story, migration, {"test": False})


def _changed(story: Story, migration: Migration, changes: dict[str, object]) -> Story:
    changed = migration.model_copy(update=changes)
    return story.model_copy(
        update={"migrations": tuple(changed if other is migration else other for other in story.migrations)}
    )
