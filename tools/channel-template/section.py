@dataclass(frozen=True, slots=True)
class Postbox:
    """Postbox: say here whose letters these are."""

    url: Annotated[str, Matching(r"|https?://[^/\s]+", "empty, or an origin such as https://postbox.example.cn")]
    secret: Secret
