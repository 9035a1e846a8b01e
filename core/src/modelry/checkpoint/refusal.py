"""What cannot be done with a model that lies in several places."""

from typing import TYPE_CHECKING, NoReturn

from modelry.errors import PlacementError

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


def refuse_to_move(model: "PreTrainedModel") -> NoReturn:
    """Refuse `.to()` and its like.

    Raises:
        PlacementError: always; it names what lies where.
    """
    places: dict[int | str, list[str]] = {}
    for path, place in model.hf_device_map.items():
        places.setdefault(place, []).append(path or "everything")
    said = "; ".join(
        f"{', '.join(paths[:3])}{f' and {len(paths) - 3} more' if len(paths) > 3 else ''} on {place!r}"
        for place, paths in places.items()
    )
    raise PlacementError(
        f"this {type(model).__name__} was placed by device_map ({said}) and cannot be moved or cast as a whole, as "
        ".to(), .cuda() and .half() do: load it again with another device_map or dtype"
    )
