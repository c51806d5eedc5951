import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ATTRIBUTES, metricTable, optionTable, prometheusNameOf, SERVICE_NAMES } from '@python3-cluster/shared';
import { parse } from 'yaml';
import { itIf } from '../support/optional';
import { hasPrometheus } from '../support/prometheus-server';
import { loadComposeFile, repository } from './compose-file';
import { listExpressions, loadDashboards } from './dashboards';

const deploy = (...path: string[]): string => join(repository, 'deploy', ...path);
const load = <T>(...path: string[]): T => parse(readFileSync(deploy(...path), 'utf8')) as T;
const { services } = loadComposeFile('observe');
const rulesFolder = deploy('prometheus', 'rules');
const ruleFiles = readdirSync(rulesFolder).filter((file) => file.endsWith('.rules.yml'));
const testFiles = readdirSync(rulesFolder).filter((file) => file.endsWith('_test.yml'));

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity: string };
  readonly annotations?: { readonly summary: string; readonly action: string };
}
interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}
const rules = ruleFiles.flatMap((file) => load<RuleFile>('prometheus', 'rules', file).groups.flatMap((group) => group.rules));
const alerts = rules.filter((rule) => rule.alert !== undefined);
const alertNames = alerts.map(({ alert }) => alert);

interface Pipelines {
  readonly service: {
    readonly extensions?: readonly string[];
    readonly pipelines: Readonly<Record<string, Record<'receivers' | 'processors' | 'exporters', readonly string[]>>>;
    readonly telemetry: { readonly metrics: { readonly readers: readonly [{ readonly pull: { readonly exporter: { readonly prometheus: { readonly port: number } } } }] } };
  };
  readonly receivers: Readonly<Record<string, { readonly protocols: Readonly<Record<string, { readonly endpoint: string }>> }>>;
  readonly processors: Readonly<Record<string, unknown>>;
  readonly exporters: Readonly<Record<string, Readonly<Record<string, unknown>> | null>>;
  readonly extensions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
} // prettier-ignore
const collector = load<Pipelines>('otel-collector', 'config.yaml');
const jaeger = load<Pipelines>('jaeger', 'config.yaml');

describe.each(Object.entries({ collector, jaeger }))('the pipelines of the %s', (_, config) => {
  it('name only components that are defined, and all of those', () => {
    const { pipelines, extensions = [] } = config.service;
    for (const kind of ['receivers', 'processors', 'exporters'] as const)
      expect(Object.keys(config[kind])).toEqual([...new Set(Object.values(pipelines).flatMap((pipeline) => pipeline[kind]))]);
    expect(Object.keys(config.extensions ?? {})).toEqual(extensions);
  });
});

describe('who points at whom', () => {
  it('API and worker nodes send to the collector, and that to Jaeger', () => {
    const endpoint = new URL(services.api.environment?.['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '');
    expect([endpoint.hostname, endpoint.port]).toEqual([
      'collector',
      collector.receivers['otlp']?.protocols['http']?.endpoint.split(':')[1],
    ]);
    const [host, port] = String(collector.exporters['otlp_grpc']?.['endpoint']).split(':');
    expect([host, port]).toEqual(['jaeger', jaeger.receivers['otlp']?.protocols['grpc']?.endpoint.split(':')[1]]);
  });

  it('the collector refuses before its container runs out of memory', () => {
    const { limit_mib: limit, spike_limit_mib: spike } = collector.processors['memory_limiter'] as {
      limit_mib: number;
      spike_limit_mib: number;
    };
    expect(limit).toBeLessThan(Number(services.collector.mem_limit?.replace('m', '')));
    expect(spike).toBeLessThan(limit);
  });

  it.each(['prometheus.yml', 'prometheus.compose.yml'])('%s scrapes API and worker nodes with the token, and loads the rules', (file) => {
    interface Scrape {
      readonly job_name: string;
      readonly authorization?: { readonly credentials_file: string };
      readonly dns_sd_configs?: readonly { readonly names: readonly string[]; readonly port: number }[];
    }
    const { scrape_configs: scrapes, rule_files: loaded } = load<{ scrape_configs: Scrape[]; rule_files: string[] }>('prometheus', file);
    expect(loaded).toEqual(['rules/*.rules.yml']);
    const ours = scrapes.filter(({ job_name: name }) => name.startsWith('python3-cluster-'));
    expect(ours.map(({ job_name: name }) => name)).toEqual(['python3-cluster-api', 'python3-cluster-worker']);
    for (const { authorization } of ours) expect(authorization?.credentials_file).toMatch(/token$/);
    if (file === 'prometheus.yml') return;
    const ports = { api: optionTable.port.default, worker: Number(services.worker.environment?.[optionTable.workerMetricsPort.name]) };
    expect(ours.flatMap((scrape) => scrape.dns_sd_configs?.map(({ names, port }) => [names, port]))).toEqual([
      [['api'], ports.api],
      [['worker'], ports.worker],
    ]);
    expect(services.prometheus.command).toContain(`--config.file=/etc/prometheus/${file}`);
    // Both programs tell of themselves where they are asked.
    for (const { service } of [collector, jaeger]) expect(service.telemetry.metrics.readers[0].pull.exporter.prometheus.port).toBe(8888);
  });

  it('Grafana has the data sources that dashboards name, at the services of the Compose file', () => {
    interface Source {
      readonly uid: string;
      readonly type: string;
      readonly url: string;
    }
    const sources = load<{ datasources: Source[] }>('grafana', 'provisioning', 'datasources', 'datasources.yml').datasources;
    const known = sources.map(({ uid, type }) => `${type} ${uid}`);
    expect(known).toEqual(['prometheus prometheus', 'jaeger jaeger']);
    const hosts = Object.keys(services);
    for (const { url } of sources) expect(hosts).toContain(new URL(url).hostname);
    const links = readFileSync(deploy('grafana', 'provisioning', 'datasources', 'datasources.yml'), 'utf8').match(/datasourceUid: (\w+)/g);
    expect(links).toEqual(['datasourceUid: prometheus']);
    for (const [file, { panels, templating }] of loadDashboards())
      for (const { title, type, datasource } of [...panels, ...templating.list.map(({ name, ...rest }) => ({ title: name, type: 'variable', ...rest }))])
        if (type !== 'row') expect([file, title, known]).toEqual([file, title, expect.arrayContaining([`${datasource?.type} ${datasource?.uid}`])]);
  }); // prettier-ignore

  it('Grafana asks Jaeger by names that traces have', () => {
    const asked = [...loadDashboards().values()].flatMap(({ panels }) => panels.filter(({ datasource }) => datasource?.type === 'jaeger'));
    expect(asked.flatMap(({ targets = [] }) => targets.map(({ service }) => service))).toEqual([SERVICE_NAMES.worker]);
    const sources = readFileSync(deploy('grafana', 'provisioning', 'datasources', 'datasources.yml'), 'utf8');
    expect([...sources.matchAll(/key: ([\w.]+), value: (\w+)/g)].map(([, key, label]) => [key, label])).toEqual([
      [ATTRIBUTES.destination, 'lane'],
    ]);
  });

  it('the first dashboard is one that is there', () => {
    const path = services.grafana.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] ?? '';
    expect(services.grafana.volumes).toContain('./deploy/grafana/dashboards:/etc/grafana/dashboards:ro');
    expect([...loadDashboards().keys()]).toContain(path.replace('/etc/grafana/dashboards/', ''));
  });
});

describe('the dashboards', () => {
  it.each([...loadDashboards()])('%s has panels with numbers of their own, that fit side by side', (_, { panels, uid, editable }) => {
    expect(uid).toMatch(/^python3-[a-z]+$/);
    expect(editable).toBe(false);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Set<string>();
    for (const { title, gridPos } of panels) {
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true]);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect([title, taken.has(`${x} ${y}`)]).toEqual([title, false]);
          taken.add(`${x} ${y}`);
        }
    }
  });

  it('have no panel that would run what a label says: no HTML, no links made of labels', () => {
    const text = JSON.stringify([...loadDashboards().values()]);
    expect(text).not.toMatch(/"type":"text"|"mode":"html"|__field\.labels|__data\.fields|disableSanitize/);
  });
});

describe('metrics in rules and dashboards', () => {
  const metrics = Object.values(metricTable).flatMap((metric) => {
    const name = prometheusNameOf(metric);
    return metric.type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name];
  });
  const known = new Set([...metrics, ...rules.flatMap(({ record }) => record ?? []), 'up', 'ALERTS']);
  const asked = [...rules.map((rule) => ({ where: rule.alert ?? rule.record ?? '', expr: rule.expr })), ...listExpressions('default')];

  it.each(asked.map(({ where, expr }) => [where, expr]))('%s asks for what is told, and adds up no figure of the cluster', (_, expr) => {
    const names = withoutLabels(expr).match(/\b(?:[a-z_]+:)?(?:python3|http|process|nodejs|ALERTS|up)[a-zA-Z0-9_:]*/g) ?? [];
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    // Every replica tells them: what is added up must have been kept apart by replica, or be a maximum of them.
    const sums = [...withoutTexts(expr).matchAll(/\bsum(?: by \(([\w, ]+)\))? \(/g), ...withoutTexts(expr).matchAll(/\bsum\(/g)];
    for (const { index, 0: start, 1: by = '' } of sums) {
      const rest = withoutTexts(expr)
        .slice(index + start.length)
        .trimStart();
      const isOfCluster = /^(?:rate\()?(?:\{?python3_cluster_|\{__name__)/.test(rest);
      if (isOfCluster) expect([expr, by.split(', ')]).toEqual([expr, expect.arrayContaining(['instance'])]);
    }
  });

  const withoutTexts = (expr: string): string => expr.replace(/"[^"]*"/g, '""');
  const withoutLabels = (expr: string): string => withoutTexts(expr).replace(/\b(?:by|on) \([^)]*\)/g, '');
});

describe('alerts', () => {
  it('have a name of ours, a severity, and say what to do', () => {
    expect(alerts.length).toBeGreaterThan(10);
    expect(new Set(alertNames).size).toBe(alertNames.length);
    for (const { alert, labels, annotations } of alerts) {
      expect(alert).toMatch(/^Python3[A-Z][A-Za-z]+$/);
      expect(['warning', 'critical']).toContain(labels?.severity);
      for (const text of [annotations?.summary, annotations?.action]) expect(text?.length).toBeGreaterThan(10);
    }
  });

  it('each have a unit test in which they fire', () => {
    interface TestFile {
      readonly tests: readonly { readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[] }[];
    } // prettier-ignore
    const cases = testFiles.flatMap((file) =>
      load<TestFile>('prometheus', 'rules', file).tests.flatMap((test) => test.alert_rule_test ?? []),
    );
    const fired = cases.filter(({ exp_alerts: expected }) => expected.length > 0).map(({ alertname }) => alertname);
    expect([...new Set(fired)].sort()).toEqual([...alertNames].sort());
  });

  it('each are explained in docs/alerts-in-prometheus.md, and no others', () => {
    const page = readFileSync(join(repository, 'docs', 'alerts-in-prometheus.md'), 'utf8');
    expect([...page.matchAll(/^\| `(Python3\w+)` \|/gm)].map(([, name]) => name).sort()).toEqual([...alertNames].sort());
  });

  it('have the thresholds of the cluster’s own alerts, as these are by default', () => {
    const exprOf = (name: string): string => alerts.find(({ alert }) => alert === name)?.expr ?? '';
    const { alertQueueAgeSeconds, alertQueueDepthPercent, queueMaxJobs, alertFailurePercent, alertFailureJobs, alertPoolHighPercent, alertPoolCriticalPercent, alertP95Ms } = optionTable;
    expect(exprOf('Python3QueueAgeHigh')).toContain(`> ${alertQueueAgeSeconds.default}`);
    expect(exprOf('Python3QueueDepthHigh')).toContain(`> ${(alertQueueDepthPercent.default / 100) * queueMaxJobs.default}`);
    expect(exprOf('Python3FailureRateHigh')).toContain(`> ${alertFailurePercent.default / 100} `);
    expect(exprOf('Python3FailureRateHigh')).toContain(`>= ${alertFailureJobs.default}`);
    expect(exprOf('Python3PoolUtilizationHigh')).toContain(`> ${alertPoolHighPercent.default / 100} <= ${alertPoolCriticalPercent.default / 100}`);
    expect(exprOf('Python3PoolUtilizationCritical')).toContain(`> ${alertPoolCriticalPercent.default / 100}`);
    expect(exprOf('Python3RunTimeHigh')).toContain(`> ${alertP95Ms.default / 1_000}`);
  }); // prettier-ignore

  const promtool = (...args: string[]): string => execFileSync('promtool', args, { cwd: deploy('prometheus'), encoding: 'utf8' });
  const itReally = itIf(hasPrometheus(), 'no prometheus');

  itReally('rules and configurations are valid to promtool', () => {
    expect(promtool('check', 'rules', ...ruleFiles.map((file) => `rules/${file}`))).toContain('SUCCESS');
    for (const file of ['prometheus.yml', 'prometheus.compose.yml']) expect(promtool('check', 'config', '--syntax-only', file)).toContain('SUCCESS');
  }); // prettier-ignore

  itReally('the unit tests of the rules pass in promtool', () => {
    expect(promtool('test', 'rules', ...testFiles.map((file) => `rules/${file}`)).match(/SUCCESS/g)).toHaveLength(testFiles.length);
  });
});
