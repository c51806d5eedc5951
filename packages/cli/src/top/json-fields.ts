/**
 * Fields of an answer, as far as they are what they should be. The API may be of another version than this program, and
 * what listens at the address may be something else altogether.
 */
export class JsonFields {
  private readonly fields: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    this.fields = isObject(value) ? value : {};
  }

  number(name: string): number | undefined {
    const value = this.fields[name];
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  }

  text(name: string): string | undefined {
    const value = this.fields[name];
    return typeof value === 'string' ? value : undefined;
  }

  flag(name: string): boolean {
    return this.fields[name] === true;
  }

  object(name: string): JsonFields {
    return new JsonFields(this.fields[name]);
  }

  /** Objects of a list; others are left out. */
  list(name: string): JsonFields[] {
    const value = this.fields[name];
    return Array.isArray(value) ? value.filter(isObject).map((entry) => new JsonFields(entry)) : [];
  }

  texts(name: string): string[] {
    const value = this.fields[name];
    return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
