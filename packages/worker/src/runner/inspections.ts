/** What a process has open, by number. */
export interface OpenDescriptors {
  readonly descriptors: readonly string[];
  /** Whether a named or unnamed pipe is among them. */
  readonly pipes: boolean;
}

/** Questions about children that only their template may look into; one answer may serve several. */
export class Inspections {
  private readonly waiting = new Map<string, ((answer: OpenDescriptors | undefined) => void)[]>();

  /** undefined where the child ends before it was looked at. */
  ask(childId: string, send: () => void): Promise<OpenDescriptors | undefined> {
    return new Promise((resolve) => {
      this.waiting.set(childId, [...(this.waiting.get(childId) ?? []), resolve]);
      send();
    });
  }

  settle(childId: string, answer: OpenDescriptors | undefined): void {
    const asked = this.waiting.get(childId) ?? [];
    this.waiting.delete(childId);
    for (const resolve of asked) resolve(answer);
  }
}
