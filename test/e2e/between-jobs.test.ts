import { describe, expect, it } from '@jest/globals';
import { useStandardCluster } from '../support/standard-cluster';
import { assertOwnAnswers, exec, execAsAdmin } from '../support/call';

const cluster = useStandardCluster();

/** What one caller leaves, and how the next one looks for it. The second must find nothing, on any slot. */
const residues = [
  ['a variable', 'secret = 42', "result = 'secret' in dir()", false],
  ['an environment variable', "import os\nos.environ['SECRET'] = '42'", "import os\nresult = os.environ.get('SECRET')", null],
  ['a patched module', 'import math\nmath.sqrt = lambda x: 42', 'import math\nresult = math.sqrt(16)', 4],
  ['a working directory', "import os\nos.chdir('/tmp')", "import os\nresult = os.getcwd().endswith('scratch')", true],
  ['a file in its folder', "open('left.txt', 'w').write('42')", 'import os\nresult = os.listdir()', []],
  ['a hidden folder', "import os\nos.makedirs('.a/b', mode=0o500)", 'import os\nresult = os.listdir()', []],
  [
    'a module of its own',
    "import sys, types\nsys.modules['mine'] = types.ModuleType('mine')",
    "import sys\nresult = 'mine' in sys.modules",
    false,
  ],
  ['a builtin', "import sys\nvars(sys.modules['json'])['leak'] = 42", "import json\nresult = hasattr(json, 'leak')", false],
  [
    'a signal handler',
    'import signal\nsignal.signal(signal.SIGUSR1, lambda *a: None)',
    'import signal\nresult = signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL',
    true,
  ],
  ['the state of random', 'import random\nrandom.seed(1)', 'import random\nresult = random.random() == 0.13436424411240122', false],
] as const;

describe('the next caller', () => {
  it.each(residues)('does not see %s', async (_name, leave, look, expected) => {
    await Promise.all(Array.from({ length: 8 }, () => execAsAdmin(cluster, leave)));
    const answers = await Promise.all(Array.from({ length: 8 }, () => execAsAdmin(cluster, look)));
    for (const answer of answers) expect(answer.json).toMatchObject({ success: true, result: expected });
  });

  it('draws other random numbers', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => exec(cluster, 'import random\nresult = random.random()')));
    expect(new Set(answers.map((answer) => answer.json.result)).size).toBe(20);
  });

  it('gets its own answer after prints in eval-like places, megabytes on stderr and dead processes', async () => {
    const mischief = [
      "import sys\nsys.stderr.write('e' * 3_000_000)\nresult = 1",
      'import os\nos.write(1, b"\\x00\\x00\\x00\\x01{}")\nresult = 1',
      'import os\nos._exit(0)',
    ];
    await Promise.all(mischief.map((code) => execAsAdmin(cluster, code)));
    await assertOwnAnswers(cluster, 40);
  });
});

it('a hundred callers at once each get their own answer', async () => {
  await assertOwnAnswers(cluster, 100);
});
