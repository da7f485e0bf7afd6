"""Texts that would do something where a report is read: in a comment, a page, a terminal, a runner's log."""

from __future__ import annotations

MEGABYTE = 1 << 20

INJECTIONS = {
    "a script": "<script>alert(1)</script><ScRiPt src=//evil.example/x.js></sCrIpT>",
    "a handler": "<img src=x onerror=alert(1)><svg onload=alert(1)><body onload=alert(1)>",
    "ends of our elements": "</title></style></script></td></table></details></summary></main></pre>",
    "an attribute's end": "\"' onmouseover=alert(1) x=\"' style='background:url(//evil.example)'",
    "frames and forms": "<iframe src=//evil.example></iframe><form action=//evil.example><input>",
    "a base and a refresh": "<base href=//evil.example><meta http-equiv=refresh content='0;//evil'>",
    "SVG": "<svg><use href='//evil.example#x'/><foreignObject><a href=//e.vil>x</a></foreignObject>",
    "entities": "&lt;script&gt; &#60;script&#62; &#x3c;b&#x3e; &nbsp;&colon;&NewLine;",
    "Markdown links": "[x](https://evil.example) ![i](//evil.example/i.png) [y]: https://evil.example",
    "a script as a link": "[x](javascript:alert(1)) <javascript:alert(1)> [z](data:text/html,<script>)",
    "a reference": "[foo]\n\n[foo]: https://evil.example 'title'\n\n[^1]\n\n[^1]: note",
    "autolinks": "https://evil.example www.evil.example ftp://evil.example <https://e.vil> <a@b.cd>",
    "addresses": "mailto:a@evil.example xmpp:a@evil.example someone@evil.example",
    "mentions": "@torvalds @github/security (@admin) x@y",
    "references to issues": "#1 GH-2 owner/repo#3 https://github.com/a/b/issues/4",
    "headings": "# one\n\ntwo\n===\n\nthree\n---\n",
    "tables": "| a | b |\n| - | - |\n| c | d |",
    "lists and quotes": "\n- a\n* b\n+ c\n1. d\n1) e\n> f\n> - [ ] g\n",
    "fences": "```\n~~~\n````\n`````js\nalert(1)\n```",
    "emphasis": "**a** __b__ *c* _d_ ~~e~~ `f` ``g`` \\*h\\*",
    "maths": "$x$ $$y$$ \\(z\\) ```math\n\\unicode{x}\n```",
    "a comment": "<!-- graft:report --> <!-- --> <![CDATA[x]]> <?php x ?> <!doctype html>",
    "our marker, forged": "<!-- graft:report sha=0000 -->\n<!-- graft:report -->",
    "workflow commands": "::error::x\n::set-output name=a::b\n  ::add-mask::x\n##[error]y",
    "lines for GITHUB_OUTPUT": "verdict=PASS\nname<<EOF\nvalue\nEOF\n",
    "colours of a terminal": "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x9b2J",
    "a title of a terminal": "\x1b]0;owned\x07 \x08\x08\x08 \x7f \r overwritten",
    "bidi": "\u202egnp.exe\u202c \u2066a\u2069 \u200f\u061c \u202dleft",
    "what is not seen": "a\u200bb\u2060c\ufeffd\u00ade \U000e0041\U000e0042",
    "other ends of a line": "a\u2028b\u2029c\u0085d\x0be\x0cf\r\ng\rh",
    "half a character": "\ud800 \udfff \x00 \ufffe",
    "templates": "{{ 7*7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %> {{ constructor }}",
    "a megabyte of words": "<b>x</b> @a " * (MEGABYTE // 12),
    "a megabyte in one line": "`" * MEGABYTE,
    "a megabyte of lines": "::error::\n" * (MEGABYTE // 10),
}
