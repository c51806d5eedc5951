/** Fields of a /proc/<pid>/status file, as proc(5) has them: name → text. A process' own name has its line breaks escaped. */
export function parseProcStatus(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
}
