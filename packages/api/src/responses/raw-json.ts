/**
 * JSON text that is sent as it is. Values come from Python as text and must reach the caller byte for byte; Node's own
 * number type would change 9007199254740993 and 1.0 on the way.
 */
export class RawJson {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

export type JsonValue =
  string | number | boolean | null | RawJson | readonly JsonValue[] | { readonly [member: string]: JsonValue | undefined };

/** `value` as JSON; `RawJson` parts are copied unread, members that are undefined are left out. */
export function toJsonBuffer(value: JsonValue): Buffer {
  const writer = new Writer();
  writer.write(value);
  return writer.finish();
}

/** Text is gathered and becomes a buffer only where a raw part interrupts it. */
class Writer {
  private readonly chunks: Buffer[] = [];
  private text = '';

  write(value: JsonValue): void {
    if (typeof value !== 'object' || value === null) this.text += JSON.stringify(value);
    else if (value instanceof RawJson) this.writeRaw(value);
    else if (isList(value)) this.writeList(value);
    else this.writeObject(value);
  }

  finish(): Buffer {
    this.flush();
    return this.chunks.length === 1 && this.chunks[0] !== undefined ? this.chunks[0] : Buffer.concat(this.chunks);
  }

  private writeRaw(value: RawJson): void {
    this.flush();
    this.chunks.push(value.bytes);
  }

  private writeList(list: readonly JsonValue[]): void {
    this.text += '[';
    for (const [index, item] of list.entries()) {
      if (index > 0) this.text += ',';
      this.write(item);
    }
    this.text += ']';
  }

  private writeObject(object: { readonly [member: string]: JsonValue | undefined }): void {
    let separator = '{';
    // A loop over the names: an array of pairs for each object is most of what a short answer costs.
    for (const name of Object.keys(object)) {
      const member = object[name];
      if (member === undefined) continue;
      this.text += `${separator}"${PLAIN_NAME.test(name) ? name : JSON.stringify(name).slice(1, -1)}":`;
      this.write(member);
      separator = ',';
    }
    this.text += separator === '{' ? '{}' : '}';
  }

  private flush(): void {
    if (this.text === '') return;
    this.chunks.push(Buffer.from(this.text));
    this.text = '';
  }
}

/** Needs no escape. */
const PLAIN_NAME = /^[A-Za-z0-9_]*$/;

const isList = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);
