import { toJsonBuffer, type JsonValue } from '../responses/raw-json';

/** What a stream tells; `id` names the place after it, from which a later request can go on. */
export type EventName = 'state' | 'stdout' | 'stderr' | 'outcome' | 'gone';

/** One server-sent event. The data is one JSON value, whose line breaks (a value is sent as Python wrote it) become `data` lines. */
export function formatEvent(name: EventName, id: string, data: JsonValue): Buffer {
  return Buffer.concat([Buffer.from(`event: ${name}\nid: ${id}\ndata: `), toDataLines(toJsonBuffer(data)), Buffer.from('\n\n')]);
}

export const formatComment = (text: string): string => `: ${text}\n\n`;

/** A line break that went out as it is would end the field, and what follows it would be read as others. */
function toDataLines(json: Buffer): Buffer {
  if (!json.includes(0x0a) && !json.includes(0x0d)) return json;
  return Buffer.from(json.toString('latin1').replaceAll(/\r\n|\r|\n/g, '\ndata: '), 'latin1');
}
