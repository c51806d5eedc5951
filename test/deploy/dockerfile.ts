export interface Instruction {
  /** `COPY`, `RUN`, … */
  readonly word: string;
  /** `--from=build` → `{ from: 'build' }` */
  readonly flags: Readonly<Record<string, string>>;
  /** What follows word and flags, continued lines joined. */
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  readonly image: string;
  readonly instructions: readonly Instruction[];
}

/** Reads what our Dockerfile uses of the language: no heredocs, no parser directives. */
export function parseDockerfile(text: string): Stage[] {
  const stages: { name: string; image: string; instructions: Instruction[] }[] = [];
  const args: Record<string, string> = {};
  for (const instruction of parseInstructions(text)) {
    if (instruction.word === 'FROM') {
      const [image = '', , name = ''] = instruction.text.split(/\s+/);
      stages.push({ name, image: image.replace(/\$\{(\w+)\}/g, (_, arg: string) => args[arg] ?? ''), instructions: [] });
    } else if (stages.length === 0) {
      const [name = '', value = ''] = instruction.text.split('=');
      args[name] = value;
    } else {
      stages.at(-1)?.instructions.push(instruction);
    }
  }
  return stages;
}

export function instructionsOf(stage: Stage, word: string): Instruction[] {
  return stage.instructions.filter((instruction) => instruction.word === word);
}

/** The words of an exec-form instruction, which starts no shell. @throws where it is in shell form */
export function execForm(stage: Stage, word: 'ENTRYPOINT' | 'CMD' | 'HEALTHCHECK'): string[] {
  const [only, ...others] = instructionsOf(stage, word);
  if (only === undefined || others.length > 0) throw new Error(`stage ${stage.name} has not exactly one ${word}`);
  return JSON.parse(only.text.replace(/^CMD\s+/, '')) as string[];
}

export function copySources(instruction: Instruction): { sources: string[]; target: string } {
  const words = instruction.text.split(/\s+/);
  return { sources: words.slice(0, -1), target: words.at(-1) ?? '' };
}

export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = instructionsOf(stage, 'ENV').flatMap(({ text }) => text.split(/\s+/).map((pair) => pair.split('=') as [string, string]));
  return Object.fromEntries(pairs);
}

function parseInstructions(text: string): Instruction[] {
  return text
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => {
      const match = /^([A-Z]+)\s+((?:--[a-z-]+=\S+\s+)*)(.*)$/.exec(line);
      if (match === null) throw new Error(`not an instruction: ${line}`);
      const [, word = '', flagText = '', rest = ''] = match;
      const flags = Object.fromEntries(
        [...flagText.matchAll(/--([a-z-]+)=(\S+)/g)].map(([, name, value]) => [name, value] as [string, string]),
      );
      return { word, flags, text: rest.trim() };
    });
}
