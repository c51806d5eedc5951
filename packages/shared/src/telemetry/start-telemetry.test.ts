import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';

const SHARED = join(__dirname, '..', '..', 'dist', 'index.js');
const PROGRAM = `
const { startTelemetry, loadConfig, createLogger } = require(process.argv[1]);
startTelemetry('api', loadConfig(process.env).config, createLogger('api', 'silent')).then(async (telemetry) => {
  const loaded = Object.keys(require.cache).some((file) => file.includes('@opentelemetry/sdk-'));
  await telemetry.stop();
  console.log(JSON.stringify({ records: telemetry.tracing !== undefined, loaded }));
});`;

const start = (settings: Record<string, string>): unknown =>
  JSON.parse(
    execFileSync(process.execPath, ['-e', PROGRAM, SHARED], { env: { PATH: process.env['PATH'], ...settings }, encoding: 'utf8' }),
  );

const ENDPOINT = 'http://127.0.0.1:9';

it.each([
  ['without an endpoint', {}],
  ['with OTEL_SDK_DISABLED', { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_SDK_DISABLED: 'true' }],
  ['with OTEL_TRACES_EXPORTER=none', { OTEL_EXPORTER_OTLP_ENDPOINT: ENDPOINT, OTEL_TRACES_EXPORTER: 'none' }],
])('%s nothing is recorded, and the SDK is not even loaded', (_words, settings) => {
  expect(start(settings)).toEqual({ records: false, loaded: false });
});

it('with an endpoint for traces alone they are recorded', () => {
  expect(start({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${ENDPOINT}/v1/traces` })).toEqual({ records: true, loaded: true });
});
