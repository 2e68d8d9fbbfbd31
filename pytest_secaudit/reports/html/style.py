"""The style sheet: one quiet page in two lights, for narrow and wide screens and for paper.

A level has a colour, a shape and its word, so that none of them stands alone. Every colour is a variable of the first
two blocks, and nothing else in here names one.
"""

from __future__ import annotations

CSS = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --sheet: #ffffff; --sunk: #f4f2ed; --rule: #dfdbd3; --track: #e4e0d8;
  --ink: #23262b; --quiet: #5b616a; --link: #0b55a0; --meant: #fdf0c4;
  --defect: #ae2318; --defect-wash: #fbe5e2;
  --advisory: #7a4f00; --advisory-wash: #f9ecce;
  --info: #1b5f6b; --info-wash: #def0f1;
  --clear: #2a6632; --clear-wash: #e2f1e1;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --sheet: #1d2024; --sunk: #121417; --rule: #353a41; --track: #30353b;
    --ink: #e6e7e9; --quiet: #a5adb7; --link: #8abfff; --meant: #3a3418;
    --defect: #ff9a91; --defect-wash: #46211e;
    --advisory: #efc463; --advisory-wash: #3e3112;
    --info: #7bd0d6; --info-wash: #17393d;
    --clear: #93d69a; --clear-wash: #1e3b23;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); scroll-behavior: smooth; scroll-padding-top: 1rem;
  -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 84rem; padding: 0 1rem 5rem;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: clamp(1.5rem, 1.1rem + 1.8vw, 2.25rem); font-weight: 650; letter-spacing: -0.015em;
  margin: 0.15rem 0 0.8rem; }
h2 { font-size: 1.3rem; font-weight: 650; margin: 0 0 0.6rem; }
h3 { font-size: 1.05rem; font-weight: 650; margin: 2rem 0 0.6rem; }
h4 { font-size: 1rem; font-weight: 600; margin: 0; }
p { margin: 0 0 0.8rem; max-width: 46rem; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 0.18em; }
code, pre, .place, .names { font-family: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 0.86em; }
code, .message, .place, .names li { unicode-bidi: isolate; }
small { font-size: 0.82rem; color: var(--quiet); }
ul { margin: 0.3rem 0; padding-left: 1.1rem; }
ul.plain { list-style: none; padding: 0; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px; }
#findings:focus { outline: none; }
.quiet, .eyebrow, caption, .about, .self { color: var(--quiet); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: 1rem; top: -4rem; padding: 0.5rem 0.9rem; background: var(--sheet);
  border: 1px solid var(--rule); z-index: 1; }
.skip:focus { top: 0.5rem; }

/* levels: a shape that hangs on no font, a colour, a word */
.level::before, .finding > summary::before, .brief::before, h1::before, .gate::before, .victims::before,
.victims li::before { display: inline-block; margin-right: 0.4em; }
.level::before, .finding > summary::before, .brief::before, h1.defect::before, h1.advisory::before {
  content: ""; width: 0.72em; height: 0.72em; background: currentColor; forced-color-adjust: none; }
.defect.level::before, .defect.finding > summary::before, .defect.brief::before, h1.defect::before {
  clip-path: polygon(50% 0, 100% 50%, 50% 100%, 0 50%); }
.advisory.level::before, .advisory.finding > summary::before, .advisory.brief::before, h1.advisory::before {
  clip-path: polygon(50% 6%, 100% 94%, 0 94%); }
.info.level::before, .info.finding > summary::before, .info.brief::before { clip-path: circle(44%); }
.defect > summary::before, .defect.brief::before, h1.defect::before, .lanes .defect.level::before,
.index .defect.level::before { background: var(--defect); }
.advisory > summary::before, .advisory.brief::before, h1.advisory::before, .lanes .advisory.level::before,
.index .advisory.level::before { background: var(--advisory); }
.info > summary::before, .info.brief::before, .lanes .info.level::before,
.index .info.level::before { background: var(--info); }
h1.clear::before, .gate.passed::before { content: "\\2713"; content: "\\2713" / ""; color: var(--clear); }
h1.unsure::before { content: "?"; content: "?" / ""; color: var(--advisory); }
.gate.failed::before, span.victims::before, .victims li::before {
  content: "\\2715"; content: "\\2715" / ""; color: var(--defect); font-size: 0.9em; }
.defect.level { color: var(--defect); }
.advisory.level { color: var(--advisory); }
.info.level { color: var(--info); }
rect.defect, circle.defect { fill: var(--defect); }
rect.advisory, circle.advisory { fill: var(--advisory); }
rect.info, circle.info { fill: var(--info); }

/* the head */
.top { padding-top: 2.5rem; }
.eyebrow { font-size: 0.85rem; margin: 0; }
.security { font-size: 1.02rem; }
.gate { padding: 0.6rem 0.9rem; border-left: 3px solid; font-weight: 550; }
.gate.failed { background: var(--defect-wash); border-color: var(--defect); }
.gate.passed { background: var(--clear-wash); border-color: var(--clear); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.3rem 1.1rem; padding: 0.6rem 0; margin: 0.5rem 0 1.5rem;
  border-block: 1px solid var(--rule); font-size: 0.9rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
main > section { margin-bottom: 3.5rem; }

/* figures */
.tiles { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.4rem 1.5rem; margin: 0; max-width: 60rem; }
.tiles dt { font-size: 0.85rem; color: var(--quiet); }
.tiles dd { margin: 0; }
.figure { display: block; font-size: 1.75rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.figure::before { font-size: 0.65em; vertical-align: 0.1em; }
.tiles small { display: block; line-height: 1.35; }

/* tables */
table { width: 100%; border-collapse: collapse; font-size: 0.92rem; }
caption { text-align: left; font-size: 0.9rem; padding-bottom: 0.7rem; max-width: 46rem; }
th { text-align: left; font-weight: 400; }
thead th { font-size: 0.8rem; color: var(--quiet); vertical-align: bottom; padding: 0.2rem 0.5rem 0.3rem 0; }
tbody th, tbody td { padding: 0.5rem 0.5rem 0.5rem 0; vertical-align: top; border-top: 1px solid var(--rule); }
td { font-variant-numeric: tabular-nums; }
td small, th small { display: block; line-height: 1.35; }
.none { color: var(--quiet); }
.digit { display: inline-block; min-width: 1.1em; font-variant-numeric: tabular-nums; color: var(--quiet); }
svg { display: block; overflow: visible; }
.strip { margin-top: 0.35rem; }
.track { fill: var(--track); }
.axis text { font-size: 11px; fill: var(--quiet); }
.axis line { stroke: var(--rule); }
.dimensions td, .dimensions thead th:not(:first-child) { text-align: right; width: 5.6rem; }

/* the timeline and the sleep bars */
.lanes .level::before { position: absolute; left: 0; top: 0.42em; }
.lanes td, .lanes thead th:last-child { width: 7.2rem; padding: 0.5rem 0 0.5rem 1rem; }
.lanes tbody td > * { display: block; }
.lanes th > .level { display: block; position: relative; padding-left: 1.25rem; color: var(--ink); text-decoration-color: var(--rule); }
.lane { margin: 0.5rem 0 0.15rem; }
.hurt { stroke: var(--ink); stroke-width: 1.5; }
span.victims { color: var(--defect); }
ul.victims { list-style: none; padding: 0; }
.aside { font-size: 0.85rem; }
.axis { margin-top: 0.3rem; }
.sleep td { text-align: right; white-space: nowrap; width: 5.2rem; }
.sleep thead th:not(:first-child) { text-align: right; }
.slept { fill: var(--advisory); }
.before { fill: var(--advisory-wash); stroke: var(--track); stroke-width: 0.5; }

/* the heat map */
.heat { table-layout: fixed; }
.heat thead th { font-size: 0.68rem; line-height: 1.2; text-align: center; hyphens: auto; padding: 0.2rem 0.15rem 0.4rem;
  vertical-align: top; }
.heat thead th:first-child { width: 23%; text-align: left; vertical-align: bottom; }
.heat .name { overflow-wrap: normal; }
.heat .digit { display: block; font-size: 0.85rem; }
.heat tbody td { padding: 0; text-align: center; border: 2px solid var(--paper); border-top-color: var(--rule);
  background: var(--sunk); height: 2.3rem; vertical-align: middle; }
.heat td a { display: block; padding: 0.45rem 0; text-decoration: none; font-weight: 600; }
.heat td a:hover { text-decoration: underline; }
.heat td a::before { margin-right: 0.25em; }
.heat td.defect { background: var(--defect-wash); }
.heat td.advisory { background: var(--advisory-wash); }
.heat td.info { background: var(--info-wash); }

/* the fixtures */
.fixtures td, .fixtures thead th:not(:first-child) { text-align: right; white-space: nowrap; width: 4.4rem; }
.fixtures th small { overflow-wrap: anywhere; }

/* findings */
.index { list-style: none; padding: 0; columns: 17rem; column-gap: 2rem; font-size: 0.88rem; margin: 0 0 1rem; }
.index a.level { text-decoration: none; color: var(--ink); }
.index a.level:hover { text-decoration: underline; }
.check { content-visibility: auto; contain-intrinsic-size: auto 20rem; padding: 1.3rem 0 0.2rem; scroll-margin-top: 1rem; }
.check h4 .code { font-variant-numeric: tabular-nums; }
.count { color: var(--quiet); font-weight: 400; margin-left: 0.2em; }
.about { font-size: 0.9rem; margin: 0.15rem 0 0.6rem; }
details > summary { cursor: pointer; }
.fold > summary { color: var(--link); padding: 0.25rem 0; width: fit-content; }
.fold > summary:hover { text-decoration: underline; }
.more { margin-top: 0.6rem; }
.finding { border: 1px solid var(--rule); border-top-width: 0; background: var(--sheet); margin: 0; max-width: none; }
.about + .finding, .more > summary + .finding { border-top-width: 1px; border-radius: 6px 6px 0 0; }
.finding:last-child { border-radius: 0 0 6px 6px; }
.about + .finding:last-child { border-radius: 6px; }
.finding > summary, .brief { display: block; position: relative; padding: 0.6rem 2.4rem 0.6rem 2.2rem; }
.finding > summary::-webkit-details-marker { display: none; }
.finding > summary::before, .brief::before { position: absolute; left: 0.9rem; top: 1.02rem; }
.finding > summary::after { content: "\\203A"; content: "\\203A" / ""; position: absolute; right: 1rem; top: 0.35rem;
  font-size: 1.3rem; color: var(--quiet); }
.finding[open] > summary::after { transform: rotate(90deg); }
.finding > summary:hover .message { text-decoration: underline; text-decoration-color: var(--rule);
  text-underline-offset: 0.2em; }
.message { display: block; }
.place { color: var(--quiet); margin-right: 0.5rem; }
.tag { display: inline-block; font-size: 0.75rem; line-height: 1.3; color: var(--quiet); border: 1px solid var(--rule);
  border-radius: 3px; padding: 0 0.35rem; margin-right: 0.4rem; }
.brief small { display: block; }
.body { padding: 0 1rem 0.9rem 2.2rem; scroll-margin-top: 5rem; }
.body:target { box-shadow: inset 3px 0 0 var(--link); }
.brief:target, .hidden li:target { outline: 2px solid var(--link); }
pre { margin: 0 0 0.9rem; padding: 0.6rem 0; background: var(--sunk); border-radius: 4px; overflow-x: auto;
  line-height: 1.5; font-size: 0.82rem; tab-size: 4; }
pre, mark { color: var(--ink); }
mark { display: inline-block; min-width: 100%; background: var(--meant); }
.facts { display: grid; grid-template-columns: 8rem minmax(0, 1fr); gap: 0.3rem 1rem; margin: 0; font-size: 0.92rem; }
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; }
.facts .fix { font-weight: 550; }
.self { display: inline-block; font-size: 0.82rem; margin-top: 0.7rem; }
.hidden li { padding: 0.5rem 0; border-top: 1px solid var(--rule); }
.hidden small { display: block; }
.contacts td:first-child { width: 9rem; }

@media (max-width: 60rem) {
  .heat .name { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
}
@media (max-width: 44rem) {
  .dimensions tr { display: grid; grid-template-columns: 1.2fr 1fr 1.35fr 0.8fr 1fr; }
  .dimensions th[scope="row"], .dimensions thead th:first-child { grid-column: 1 / -1; padding-bottom: 0.2rem; }
  .dimensions thead th:first-child { display: none; }
  .dimensions thead th:not(:first-child), .dimensions td { width: auto; border: 0; padding-top: 0; }
  .heat tr { display: grid; grid-template-columns: repeat(10, 1fr); }
  .heat th[scope="row"] { grid-column: 1 / -1; padding-bottom: 0.25rem; }
  .heat th[scope="row"] small { display: inline; margin-left: 0.6em; }
  .heat thead th:first-child { display: none; }
  .heat thead th { width: auto; }
  .heat tbody td { border-top-color: var(--paper); height: 2rem; }
  .heat td a { padding: 0.3rem 0; }
  .heat td a::before { margin-right: 0.15em; font-size: 0.7em; vertical-align: 0.1em; }
  .facts { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .facts dd { margin-bottom: 0.5rem; }
  .finding > summary, .brief { padding-left: 1.9rem; }
  .finding > summary::before, .brief::before { left: 0.65rem; }
  .body { padding-left: 0.8rem; padding-right: 0.8rem; }
  .contacts tr { display: grid; }
  .contacts thead { display: none; }
  .contacts td, .contacts tbody th { border: 0; padding: 0; }
  .contacts tr { border-top: 1px solid var(--rule); padding: 0.5rem 0; }
}
@media (min-width: 44rem) {
  .tiles { grid-template-columns: repeat(4, minmax(0, 1fr)); }
}
@media screen and (min-width: 72rem) {
  body { display: grid; grid-template-columns: 10.5rem minmax(0, 1fr); column-gap: 3rem; align-items: start; }
  .top, main { grid-column: 2; }
  nav { grid-column: 1; grid-row: 1 / span 2; position: sticky; top: 2.5rem; margin-top: 2.5rem; }
  nav ul { display: block; border: 0; padding: 0; margin: 0; }
  nav li { padding: 0.2rem 0; }
  main { padding-top: 1rem; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print {
  @page { margin: 15mm; }
  html { background: none; font-size: 12px; }
  body { max-width: none; padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav, .skip, .self, .fold:not([open]), .finding > summary::after { display: none; }
  .top { padding-top: 0; }
  .check { content-visibility: visible; }
  #timeline { break-before: page; }
  h2, h3, h4, .about { break-after: avoid; }
  tr, pre, .finding > summary, .brief { break-inside: avoid; }
  pre { white-space: pre-wrap; }
  a { color: inherit; text-decoration: none; }
}
"""
