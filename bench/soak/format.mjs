// The table over time, and the verdict in words.
const MEBIBYTE = 1_048_576;
const ROWS = 24;

const isBytes = (kind) => kind === 'bytes' || kind === 'storedBytes';
const show = (kind, value) => (isBytes(kind) ? (value / MEBIBYTE).toFixed(1) : String(Math.round(value)));

/** At most a page of rows, evenly over the run. */
export function formatTable(figures, loops) {
  const times = figures[0]?.samples.map(([at]) => at) ?? [];
  const step = Math.max(1, Math.ceil(times.length / ROWS));
  const columns = [
    ['s', (index) => (times[index] / 1_000).toFixed(0)],
    ...figures.map(({ name, kind, samples }) => [isBytes(kind) ? `${name} MiB` : name, (index) => show(kind, samples[index][1])]),
    ['API loop ms', (index) => String(Math.round(loops[index].api.lateMs))],
    ['worker loop ms', (index) => String(Math.round(loops[index].worker.lateMs))],
  ];
  const rows = [...times.keys()].filter((index) => index % step === 0);
  const lines = [columns.map(([title]) => title), ...rows.map((index) => columns.map(([, cell]) => cell(index)))];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines.map((line) => line.map((cell, column) => cell.padStart(widths[column])).join('  ')).join('\n');
}

export function formatFindings(findings) {
  const width = Math.max(...findings.map(({ name }) => name.length));
  return findings
    .map(({ name, kind, verdict, median, growth, max }) => {
      const figures = verdict === 'not judged' ? '' : `median ${show(kind, median)}, growth ${show(kind, growth)}, max ${show(kind, max)}`;
      return `${name.padEnd(width)}  ${verdict.padEnd(10)}  ${figures}`.trimEnd();
    })
    .join('\n');
}
