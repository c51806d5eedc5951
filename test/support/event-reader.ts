import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Reached } from './call';
import { DEVELOPER_KEY } from './test-cluster';
import { waitFor } from './wait-for';

export interface ReadEvent {
  readonly name: string;
  readonly id: string;
  readonly data: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
}

export interface EventReaderOptions {
  readonly key?: string;
  readonly replica?: number;
  readonly lastEventId?: string | undefined;
}

/** Reads a job's event stream as a browser's EventSource does, line by line as the standard says, but never comes again by itself. */
export class EventReader {
  readonly events: ReadEvent[] = [];
  readonly comments: string[] = [];
  /** When each event came, on `performance.now()`. */
  readonly times: number[] = [];
  status = 0;
  headers: IncomingMessage['headers'] = {};
  hasEnded = false;
  wasCut = false;
  private readonly sent: ClientRequest;
  private response: IncomingMessage | undefined;
  private rest: string[] = [];
  private fields: { event?: string; id?: string; data: string[] } = { data: [] };

  constructor(cluster: Reached, jobId: string, { key = DEVELOPER_KEY, replica = 0, lastEventId }: EventReaderOptions = {}) {
    const headers = { authorization: `Bearer ${key}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
    this.sent = request(cluster.url(`/api/v1/jobs/${jobId}/events`, replica), { headers, agent: false }, (response) => {
      this.response = response;
      this.status = response.statusCode ?? 0;
      this.headers = response.headers;
      response.setEncoding('utf8');
      response.on('data', (text: string) => this.read(text));
      response.on('end', () => (this.hasEnded = true));
      response.on('error', () => (this.wasCut = true));
    });
    this.sent.on('error', () => (this.wasCut = true));
    this.sent.end();
  }

  of(name: string): ReadEvent[] {
    return this.events.filter((event) => event.name === name);
  }

  /** The text of one stream, put together from its events; fails where a byte is missing, repeated or out of place. */
  text(name: 'stdout' | 'stderr', attempt = 1, from = 0): string {
    let text = '';
    let at = from;
    for (const { data } of this.of(name)) {
      if (data.attempt !== attempt) continue;
      if (data.offset !== at) throw new Error(`${name} at ${data.offset} where ${at} was to come`);
      text += data.text as string;
      at += Buffer.byteLength(data.text as string);
    }
    return text;
  }

  get lastId(): string | undefined {
    return this.events.at(-1)?.id;
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  get outcome(): any {
    return this.of('outcome')[0]?.data;
  }

  waitFor(words: string, condition: () => boolean, timeoutMs?: number): Promise<boolean> {
    return waitFor(
      `${words}; had ${this.events.length} events, the last ${JSON.stringify(this.events.at(-1))?.slice(0, 200)}`,
      condition,
      timeoutMs,
    );
  }

  async toItsEnd(timeoutMs?: number): Promise<this> {
    await this.waitFor('the end of the stream', () => this.hasEnded || this.wasCut, timeoutMs);
    return this;
  }

  pause(): void {
    this.response?.pause();
  }

  resume(): void {
    this.response?.resume();
  }

  close(): void {
    this.sent.destroy();
  }

  private read(text: string): void {
    // Put together where a line ends: an event can be one of many megabytes.
    this.rest.push(text);
    if (!text.includes('\n')) return;
    const lines = this.rest.join('').split('\n');
    this.rest = [lines.pop() ?? ''];
    for (const line of lines) this.readLine(line);
  }

  private readLine(line: string): void {
    if (line === '') return this.dispatch();
    if (line.startsWith(':')) return void this.comments.push(line.slice(1).trim());
    const [, name, value] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
    if (name === 'data') this.fields.data.push(value ?? '');
    else if (name === 'event' || name === 'id') this.fields[name] = value ?? '';
    else if (name !== 'retry') throw new Error(`a line that belongs to no event: ${line.slice(0, 200)}`);
  }

  private dispatch(): void {
    const { event, id, data } = this.fields;
    this.fields = { data: [] };
    if (data.length === 0) return;
    this.events.push({ name: event ?? 'message', id: id ?? '', data: JSON.parse(data.join('\n')) });
    this.times.push(performance.now());
  }
}
