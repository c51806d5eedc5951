import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './compose-file';

export const dashboardFolder = join(repository, 'deploy', 'grafana', 'dashboards');

export interface Target {
  readonly refId: string;
  /** Of Prometheus. */
  readonly expr?: string;
  /** Of Jaeger. */
  readonly service?: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly targets?: readonly Target[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

export interface Variable {
  readonly name: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly query: { readonly query: string };
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

export function loadDashboards(): ReadonlyMap<string, Dashboard> {
  const files = readdirSync(dashboardFolder).sort();
  return new Map(files.map((file) => [file, JSON.parse(readFileSync(join(dashboardFolder, file), 'utf8')) as Dashboard]));
}

/** What a panel or variable asks Prometheus. */
export interface Expression {
  /** `overview.json: Jobs per second` */
  readonly where: string;
  readonly expr: string;
}

/** Of all dashboards, variables with those of a given lane put in, and All for the others. */
export function listExpressions(lane: string): Expression[] {
  return [...loadDashboards()].flatMap(([file, { panels, templating }]) => {
    const shown = panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ expr }) => (expr === undefined ? [] : [{ where: `${file}: ${title}`, expr: fill(expr, lane) }])),
    );
    const asked = templating.list.map(({ name, query }) => ({ where: `${file}: $${name}`, expr: seriesOf(query.query) }));
    return [...shown, ...asked];
  });
}

const fill = (expr: string, lane: string): string =>
  expr.replaceAll('$__rate_interval', '1m').replaceAll('$lane', lane).replaceAll('$node', '.*').replaceAll('$instance', '.*');

/** What `label_values(series, label)` looks through: series that have the label. */
function seriesOf(query: string): string {
  const [, series, label] = /^label_values\((.+), (\w+)\)$/.exec(query) ?? [];
  if (series === undefined || label === undefined) throw new Error(`no label_values: ${query}`);
  return `count by (${label}) (${series}{${label}!=""})`;
}
