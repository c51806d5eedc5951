import { describe, expect, it } from '@jest/globals';
import { loadConfig, sliceJsonObject } from '@python3-cluster/shared';
import { readJobRequest, type JobRequest } from './job-request';

const { config } = loadConfig({});
const read = (body: string | object): JobRequest =>
  readJobRequest(sliceJsonObject(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))), config);

const call = { module: 'math', function: 'sqrt' };

describe('a job request', () => {
  it.each<[string, object | string, string, RegExp]>([
    ['nothing to run', {}, 'REQUEST_INVALID', /'code', 'expression'/],
    ['a kind without its field', { kind: 'exec' }, 'CODE_EMPTY', /^Code cannot be empty$/],
    ['an unknown kind', { kind: 'shell', code: '1' }, 'REQUEST_INVALID', /'kind' must be 'exec', 'eval' or 'call'/],
    ['the kind of a syntax check', { kind: 'check', code: '1' }, 'REQUEST_INVALID', /'kind'/],
    ['a kind not built yet', { kind: 'script', code: '1' }, 'REQUEST_FIELD_NOT_SUPPORTED', /'script'/],
    ['code that is a number', { code: 1 }, 'REQUEST_INVALID', /'code' must be a string/],
    ['code that is null', { code: null }, 'REQUEST_INVALID', /'code' must be a string/],
    ['empty code', { code: '' }, 'CODE_EMPTY', /^Code cannot be empty$/],
    ['blank code', { code: ' \n\t' }, 'CODE_EMPTY', /^Code cannot be empty$/],
    [
      'oversize code',
      { code: 'x'.repeat(1_048_577) },
      'CODE_TOO_LARGE',
      /^Code size exceeds maximum limit of 1048576 bytes \(1MB\)\. Provided: 1048577 bytes$/,
    ],
    ['code over the limit in bytes only', { code: 'é'.repeat(524_289) }, 'CODE_TOO_LARGE', /Provided: 1048578 bytes$/],
    ['an oversize expression', { expression: 'x'.repeat(1_048_577) }, 'CODE_TOO_LARGE', /Provided/],
    ['a field of another kind', { code: '1', expression: '1' }, 'REQUEST_INVALID', /'expression' does not belong/],
    ['args for exec', { code: '1', args: [] }, 'REQUEST_INVALID', /'args' does not belong/],
    ['variables that are a list', { code: '1', variables: [] }, 'REQUEST_INVALID', /'variables' must be an object/],
    ['variables that are null', { code: '1', variables: null }, 'REQUEST_INVALID', /'variables' must be an object/],
    ['a variable named __builtins__', { code: '1', variables: { __builtins__: 1 } }, 'REQUEST_INVALID', /"__builtins__"/],
    ['a variable named __builtins__ in full width', { code: '1', variables: { __builtinｓ__: 1 } }, 'REQUEST_INVALID', /Python keeps/],
    ['a variable with an escaped name __name__', '{"code":"1","variables":{"\\u005f_name__":1}}', 'REQUEST_INVALID', /"__name__"/],
    [
      'a variable that is no identifier',
      { code: '1', variables: { 'a-b': 1 } },
      'REQUEST_INVALID',
      /"a-b", which is not a Python identifier/,
    ],
    ['a variable called like a keyword', { code: '1', variables: { class: 1 } }, 'REQUEST_INVALID', /"class".*keyword of Python/],
    ['a variable called like a keyword in full width', { code: '1', variables: { x: 1, ｉｆ: 1 } }, 'REQUEST_INVALID', /keyword of Python/],
    ['two spellings of one variable', { code: '1', variables: { fit: 1, ﬁt: 2 } }, 'REQUEST_INVALID', /the same to Python as "fit"/],
    [
      'two spellings of one argument',
      { module: 'm', function: 'f', kwargs: { µ: 1, μ: 2 }, kind: 'call' },
      'REQUEST_INVALID',
      /the same to Python/,
    ],
    ['a variable without a name', { code: '1', variables: { '': 1 } }, 'REQUEST_INVALID', /not a Python identifier/],
    ['a module that is a number', { ...call, module: 1 }, 'REQUEST_INVALID', /'module' must be a string/],
    ['no module', { kind: 'call', function: 'f' }, 'REQUEST_INVALID', /'module' is missing/],
    ['no function', { module: 'math' }, 'REQUEST_INVALID', /'function' is missing/],
    ['a long module name', { ...call, module: 'm'.repeat(256) }, 'REQUEST_INVALID', /'module' must have at most 255/],
    ['a control character in a name', { ...call, function: 'a\u0000' }, 'REQUEST_INVALID', /'function' must not contain control/],
    ['a DEL in a lane', { code: '1', lane: 'a\u007f' }, 'REQUEST_INVALID', /'lane' must not contain control/],
    ['args that are an object', { ...call, args: {} }, 'REQUEST_INVALID', /'args' must be an array/],
    ['kwargs that are a list', { ...call, kwargs: [] }, 'REQUEST_INVALID', /'kwargs' must be an object/],
    ['a keyword that is no identifier', { ...call, kwargs: { '1a': 1 } }, 'REQUEST_INVALID', /'kwargs' has the name "1a"/],
    ['a lane with capitals', { code: '1', lane: 'Line' }, 'REQUEST_INVALID', /'lane' must be a lane name/],
    ['an unknown mode', { code: '1', mode: 'ADMIN' }, 'REQUEST_INVALID', /'mode' must be 'restricted' or 'admin'/],
    ['an unknown delivery', { code: '1', delivery: 'once' }, 'REQUEST_INVALID', /'delivery'/],
    ['an isolation it cannot ask for', { code: '1', isolation: 'auto' }, 'REQUEST_INVALID', /'isolation'/],
    ['an unknown field', { code: '1', timeout: 5 }, 'REQUEST_UNKNOWN_FIELD', /'timeout'/],
    ['a time limit that is text', { code: '1', timeoutMs: '5' }, 'REQUEST_INVALID', /'timeoutMs' must be a whole number/],
    ['a time limit that is a fraction', { code: '1', timeoutMs: 10.5 }, 'REQUEST_INVALID', /'timeoutMs' must be a whole number/],
    ['a time limit beyond numbers', '{"code":"1","timeoutMs":1e400}', 'REQUEST_INVALID', /'timeoutMs' must be a whole number/],
    ['a time limit that is null', { code: '1', timeoutMs: null }, 'REQUEST_INVALID', /'timeoutMs' must be a whole number/],
    ['a time limit too short', { code: '1', timeoutMs: 9 }, 'REQUEST_INVALID', /at least 10/],
    ['too little memory', { code: '1', memoryMb: 31 }, 'REQUEST_INVALID', /at least 32/],
    ['no CPU time', { code: '1', cpuSeconds: 0 }, 'REQUEST_INVALID', /at least 1/],
    [
      'a time limit over the ceiling',
      { code: '1', timeoutMs: 3_600_001 },
      'LIMIT_ABOVE_CEILING',
      /3600000 \(PYTHON3_TIMEOUT_CEILING_SECONDS\)/,
    ],
    ['memory over the ceiling', { code: '1', memoryMb: 2_049 }, 'LIMIT_ABOVE_CEILING', /2048 \(PYTHON3_MEMORY_CEILING_MB\)/],
    ['CPU time over the ceiling', { code: '1', cpuSeconds: 601 }, 'LIMIT_ABOVE_CEILING', /600 \(PYTHON3_CPU_CEILING_SECONDS\)/],
    ['an outcome kept too briefly', { code: '1', resultTtlSeconds: 59 }, 'REQUEST_INVALID', /at least 60/],
    ['an expiry before it could start', { code: '1', expiresInMs: 99 }, 'REQUEST_INVALID', /at least 100/],
    [
      'an expiry after its validity',
      { code: '1', expiresInMs: 86_400_001 },
      'REQUEST_INVALID',
      /at most 86400000 \(PYTHON3_JOB_VALIDITY_SECONDS\)/,
    ],
    ['a delay below nothing', { code: '1', delayMs: -1 }, 'REQUEST_INVALID', /'delayMs' must be at least 0/],
    ['a delay over the ceiling', { code: '1', delayMs: 604_800_001 }, 'LIMIT_ABOVE_CEILING', /604800000 \(PYTHON3_DELAY_CEILING_SECONDS\)/],
    ['a priority before the first', { code: '1', priority: 0 }, 'REQUEST_INVALID', /'priority' must be at least 1/],
    ['a priority after the last', { code: '1', priority: 101 }, 'REQUEST_INVALID', /'priority' must be at most 100; 1 is the most urgent/],
    ['a priority in words', { code: '1', priority: 'high' }, 'REQUEST_INVALID', /'priority' must be a whole number/],
    ['no start', { code: '1', attempts: 0 }, 'REQUEST_INVALID', /'attempts' must be at least 1/],
    ['too many starts', { code: '1', attempts: 11 }, 'REQUEST_INVALID', /'attempts' must be at most 10/],
    [
      'two starts at most once',
      { code: '1', attempts: 2, delivery: 'at-most-once' },
      'REQUEST_INVALID',
      /'attempts' .* never started twice/,
    ],
    [
      'retries at most once',
      { code: '1', retryOn: ['failed'], delivery: 'at-most-once' },
      'REQUEST_INVALID',
      /'retryOn' .* never started twice/,
    ],
    ['retries of one start', { code: '1', retryOn: ['failed'], attempts: 1 }, 'REQUEST_INVALID', /'attempts' of at least 2/],
    ['retries on nothing', { code: '1', retryOn: [] }, 'REQUEST_INVALID', /'retryOn' must name/],
    ['retries on success', { code: '1', retryOn: ['succeeded'] }, 'REQUEST_INVALID', /'retryOn' must name/],
    ['retries on a loss', { code: '1', retryOn: ['failed', 'lost'] }, 'REQUEST_INVALID', /'retryOn' must name/],
    ['retries twice on one', { code: '1', retryOn: ['failed', 'failed'] }, 'REQUEST_INVALID', /each once/],
    ['retries on a number', { code: '1', retryOn: [1] }, 'REQUEST_INVALID', /'retryOn' must be an array of strings/],
    ['retries that are no array', { code: '1', retryOn: 'failed' }, 'REQUEST_INVALID', /'retryOn' must be an array/],
    ['a pause without retries', { code: '1', backoffMs: 1 }, 'REQUEST_INVALID', /say with 'retryOn'/],
    [
      'too long a pause',
      { code: '1', retryOn: ['failed'], backoffMs: 3_600_001 },
      'REQUEST_INVALID',
      /'backoffMs' must be at most 3600000/,
    ],
    ['labels that are no object', { code: '1', labels: ['a'] }, 'REQUEST_INVALID', /'labels' must be an object of strings/],
    ['a label that is no string', { code: '1', labels: { a: 1 } }, 'REQUEST_INVALID', /'labels' must be an object of strings/],
    ['a label without name', { code: '1', labels: { '': 'x' } }, 'REQUEST_INVALID', /'labels' has the name ""/],
    ['a label with a colon in its name', { code: '1', labels: { 'a:b': 'x' } }, 'REQUEST_INVALID', /'labels' has the name "a:b"/],
    ['a label that Python or JavaScript might know', { code: '1', labels: { __proto: 'x' } }, 'REQUEST_INVALID', /"__proto"/],
    ['a label with too long a name', { code: '1', labels: { ['a'.repeat(64)]: 'x' } }, 'REQUEST_INVALID', /1 to 63/],
    ['too long a label', { code: '1', labels: { a: 'x'.repeat(256) } }, 'REQUEST_INVALID', /at most 255/],
    ['a label of two lines', { code: '1', labels: { a: 'x\ny' } }, 'REQUEST_INVALID', /'labels' must be/],
    ['a label that is no Unicode', '{"code":"1","labels":{"a":"\\ud800"}}', 'REQUEST_INVALID', /'labels' must be/],
    ['a label twice', '{"code":"1","labels":{"a":"x","a":"y"}}', 'REQUEST_INVALID', /'labels': member 'a' stands twice/],
    [
      'too many labels',
      { code: '1', labels: Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`l${index}`, ''])) },
      'REQUEST_INVALID',
      /at most 16/,
    ],
    ['an outcome kept too long', { code: '1', resultTtlSeconds: 604_801 }, 'REQUEST_INVALID', /at most 604800/],
  ])('with %s is refused by name', (_words, body, code, message) => {
    expect(() => read(body)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  it.each(['script', 'version', 'webhook', 'environment'])('with %s, which is not built, is refused by name', (name) => {
    expect(() => read({ code: '1', [name]: 1 })).toThrow(
      expect.objectContaining({ code: 'REQUEST_FIELD_NOT_SUPPORTED', message: expect.stringContaining(`'${name}'`) }),
    );
  });

  it.each<[string, string, string]>([
    [
      'exec',
      '{"code":"a\\u0020","variables":{"x": 1.0, "é" : "\\ud800", "x":2}}',
      '{"code":"a\\u0020","variables":{"x": 1.0, "é" : "\\ud800", "x":2}}',
    ],
    ['exec', '{"code":"a"}', '{"code":"a","variables":{}}'],
    ['eval', '{"expression":"1","variables":{"n":1e400}}', '{"expression":"1","variables":{"n":1e400}}'],
    [
      'call',
      '{"kwargs":{"k":1.50},"function":"f","module":"m.n","args":[9007199254740993]}',
      '{"module":"m.n","function":"f","args":[9007199254740993],"kwargs":{"k":1.50}}',
    ],
    ['call', '{"kind":"call","function":"f","module":"m"}', '{"module":"m","function":"f","args":[],"kwargs":{}}'],
  ])('of kind %s passes its parts on as they were written: %s', (kind, body, payload) => {
    const request = read(body);
    expect([request.kind, request.payload.toString()]).toEqual([kind, payload]);
  });

  it('has defaults for what it does not say', () => {
    expect(read({ code: '1' })).toMatchObject({
      kind: 'exec', mode: undefined, isolation: 'fresh', lane: 'default', delivery: 'at-least-once', resultTtlMs: 3_600_000,
      limits: { timeoutMs: 30_000, memoryMb: 512, cpuSeconds: 60 },
    }); // prettier-ignore
  });

  it('may use every field', () => {
    const body = {
      kind: 'exec',
      code: '1',
      variables: {},
      mode: 'admin',
      isolation: 'fresh',
      timeoutMs: 10,
      memoryMb: 32,
      cpuSeconds: 1,
      lane: 'line-7',
      delivery: 'at-most-once',
      resultTtlSeconds: 60,
      expiresInMs: 100,
      delayMs: 604_800_000,
      priority: 100,
      attempts: 1,
      labels: { 'plant/line': 'Füllung 7', 'order.id_1-a': '' },
    };
    expect(read(body)).toMatchObject({
      delayMs: 604_800_000,
      priority: 100,
      attempts: 1,
      retry: undefined,
      labels: { 'plant/line': 'Füllung 7', 'order.id_1-a': '' },
      mode: 'admin',
      lane: 'line-7',
      delivery: 'at-most-once',
      limits: { timeoutMs: 10, memoryMb: 32, cpuSeconds: 1 },
      resultTtlMs: 60_000,
      expiresInMs: 100,
    });
  });

  it('may be retried, three times in all and with a second between, unless it says otherwise', () => {
    const retryOn = ['timed_out', 'failed', 'out_of_memory', 'cpu_exceeded', 'crashed'];
    expect(read({ code: '1', retryOn: ['crashed'] })).toMatchObject({ attempts: undefined, retry: { on: ['crashed'], backoffMs: 1_000 } });
    const all = read({ code: '1', retryOn, attempts: 10, backoffMs: 0 });
    expect([all.attempts, all.retry?.backoffMs, [...(all.retry?.on ?? [])].sort()]).toEqual([10, 0, retryOn.sort()]);
  });

  it('without delay or labels is as one that does not name them', () => {
    expect(read({ code: '1', delayMs: 0, labels: {} })).toMatchObject({ delayMs: undefined, labels: undefined });
  });

  it('may have code of exactly the limit', () => {
    expect(read({ code: 'x'.repeat(1_048_576) }).payload.length).toBeGreaterThan(1_048_576);
  });
});
