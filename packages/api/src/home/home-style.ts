/** Style of the home page; a file of its own to the browser, as the content security policy allows no inline style. */
export const HOME_STYLE = `:root { color-scheme: light dark; --text: #1d2329; --quiet: #55606b; --ground: #ffffff; --panel: #f3f5f7; --line: #d5dbe1; --accent: #0b5fa5; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6eaee; --quiet: #a4afba; --ground: #14181c; --panel: #1e242a; --line: #38424c; --accent: #7ab8ee; --warn: #f0b768; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem; max-width: 46rem; background: var(--ground); color: var(--text); font: 1rem/1.55 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.75rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; }
header p, footer { color: var(--quiet); }
header p { margin-top: .25rem; }
footer { margin-top: 2.5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
a { color: var(--accent); }
code { font: .9em ui-monospace, monospace; }
pre { margin: 0; padding: .9rem 1rem; overflow-x: auto; background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; }
a:focus-visible, pre:focus-visible, button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .35rem .5rem .35rem 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { width: 11rem; font-weight: 600; }
dt { margin-top: .6rem; }
dd { margin: 0; color: var(--quiet); }
.warning { padding: .6rem .9rem; border-left: 4px solid var(--warn); background: var(--panel); }
button { font: inherit; padding: .15rem .7rem; color: var(--text); background: var(--panel); border: 1px solid var(--line); border-radius: .3rem; cursor: pointer; }
`;

export const HOME_ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0b5fa5"/><path d="M4 4l4 4-4 4M9 12h4" fill="none" stroke="#fff" stroke-width="2"/></svg>`;
