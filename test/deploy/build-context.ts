import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What `docker build` would see of a folder: `.dockerignore`, where the last matching line decides. */
export class BuildContext {
  private readonly rules: readonly { readonly negated: boolean; readonly pattern: string; readonly regex: RegExp }[];

  constructor(ignoreFile: string) {
    this.rules = ignoreFile
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const pattern = line.replace(/^!/, '');
        return { negated: line.startsWith('!'), pattern, regex: toRegex(pattern) };
      });
  }

  /** A pattern also matches everything below what it matches. */
  includes(path: string): boolean {
    const parts = path.split('/');
    const ancestry = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    return this.rules.reduce((included, { negated, regex }) => (ancestry.some((part) => regex.test(part)) ? negated : included), true);
  }

  /** Relative paths of the files of a folder that the build sees. */
  list(root: string, folder = ''): string[] {
    return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return this.mayHold(path) ? this.list(root, path) : [];
      return this.includes(path) ? [path] : [];
    });
  }

  copy(root: string, target: string): void {
    for (const path of this.list(root)) {
      mkdirSync(dirname(join(target, path)), { recursive: true });
      cpSync(join(root, path), join(target, path));
    }
  }

  private mayHold(folder: string): boolean {
    return this.includes(folder) || this.rules.some(({ negated, pattern }) => negated && pattern.startsWith(`${folder}/`));
  }
}

function toRegex(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*\*|\*|\?/g, (glob) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[glob] ?? glob);
  return new RegExp(`^${source}$`);
}
