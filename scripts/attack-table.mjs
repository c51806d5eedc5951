// docs/attacks.md, from the comments of the programs in test/security/attacks.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../test/security/attacks/', import.meta.url));

export function formatAttacks(note) {
  const groups = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.py.txt'))
    .map((name) => parse(name, readFileSync(FOLDER + name, 'utf8')));
  const count = groups.reduce((sum, { rows }) => sum + rows.length, 0);
  return `# Attacks

${note}

${count} programs that try to get out, in \`test/security/attacks/\`, with what stops each. Every row is a test: where nothing stops it the program
reaches its mark (it reads a key file it was not given, a listener hears it, another job, the template or a file is changed); behind each
layer that is named, alone, it does not; and at levels A, B and C it does not either, for root and a plain user, in both modes, with the policy
in Python and without. (Those that walk through Python all end alike once it is out of the way: the kernel meets them at A and C. Those that
take their time run at A, and where only ADMIN can do it at C.) The layers are those of the [security model](security-model.md#layers); besides:

| name | what it is |
|---|---|
| policy | the one in Python, see [restricted mode](restricted-mode.md) |
| privileges | no capabilities, no new ones, a template that its children may not look into |
| limits | time, memory, processes, files, output |
| frames | what a child says is checked: type, nonce, order, size |
| fresh | a process per job, a workspace that is empty, nothing left running |

"(R)": in RESTRICTED only. Layers are left out by the tests, which start the runner from a changed copy; nothing that a worker node reads can do it.

${groups.map(formatGroup).join('\n')}
## What is not one program

These attacks take a cluster, a socket or Redis. Each has a test of its own.

| class | attack | test |
|---|---|---|
| a live process and what is given to others | a kept process answers for the runner, says that it waits, and writes into its old pipe | \`test/security/live-hostile-process.deep.test.ts\` |
| | it changes the files of whoever has its old folder | the same |
| | it swaps folders for links while its folder is emptied | the same; \`run-directory/empty-folder.test.ts\` |
| | it never stops writing, so that whoever reads its output to the end never ends | \`workspaces/output-capture.test.ts\` |
| one user for several jobs | two jobs at once, of one mode or two, compare their users | \`test/security/levels.deep.test.ts\`, \`create-slots.test.ts\` |
| limits | files by the thousand, unlinked, mapped, on their way through a socket; more than there is room for | \`create-slots.test.ts\`, \`runner/scratch-usage.test.ts\` |
| | memory that two processes share, or whose first thread has ended | \`runner/process-usage.test.ts\` |
| requests read in two ways | a header behind more fields than the parser keeps, given twice, after the body; another transfer coding | \`test/e2e/raw-requests.deep.test.ts\` |
| requests that hold up the loop | names by the million, text where a word is due | \`requests/body-shapes.deep.test.ts\`, \`test/e2e/event-loop.deep.test.ts\` |
| requests that fill memory | large bodies at once, an answer that nobody reads | \`requests/body-budget.test.ts\`, \`stalled-answers.test.ts\` |
| links that are looked at | HEAD, and a browser that fetches ahead, on what works once | \`sign-in/sign-in-operations.test.ts\` |
| Redis without the key | entries, records, counters and indexes of the wrong type or shape; a bare cancel message | \`test/e2e/foreign-writes.deep.test.ts\`, \`foreign-keys.test.ts\` |
| | losses of the cluster as evidence against a program | \`quarantine/quarantine.test.ts\`, \`jobs/run-company.test.ts\` |

## What gets through

| attack | where | what follows |
|---|---|---|
| the folder of another job closed | ADMIN, level B by namespaces and level C | ADMIN jobs of a node share a user there, so one can close or date another's folder and files by their path; it cannot read or write them |
| the mode of a file, and its times | ADMIN, level C | modes and times of all that the worker node's user owns; not to make a program run as its owner |
| signals, abstract sockets | ADMIN, Landlock before ABI 6 | see the [security model](security-model.md#what-is-promised-today) |
`;
}

function parse(file, text) {
  const [head, ...blocks] = text.split('\n### ');
  const rows = blocks.map((block) => {
    const fields = Object.fromEntries([...block.matchAll(/^#- (.+?): (.+)$/gm)].map(([, key, value]) => [key, value]));
    const restricted = (fields['and in restricted'] ?? '').split(', ').filter(Boolean);
    const stoppedBy = [...fields['stopped by'].split(', '), ...restricted.map((layer) => `${layer} (R)`)].join(', ');
    return { name: block.slice(0, block.indexOf('\n')), modes: fields.modes ?? 'both', stoppedBy, how: fields.how, source: fields.source };
  });
  return { file, title: /^# (.+?)\.?$/m.exec(head)[1], rows };
}

const cell = (text) => text.replaceAll('|', '\\|');

const formatGroup = ({ file, title, rows }) => `## ${title}

\`${file}\`

| attack | how | published | mode | stopped by |
|---|---|---|---|---|
${rows.map(({ name, how, source, modes, stoppedBy }) => `| ${[name, how, source, modes.toUpperCase().replace('BOTH', 'both'), stoppedBy].map(cell).join(' | ')} |`).join('\n')}
`;
