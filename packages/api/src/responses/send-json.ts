import type { Response } from 'express';
import { asksForPretty, END_OF_LINE, toPretty } from './pretty-json';
import { toJsonBuffer, type JsonValue } from './raw-json';

const MOST_COPIED_BYTES = 65_536;

/** Answers with JSON and a line feed, indented for `?pretty`. No cache keeps it: answers belong to one caller. */
export function sendJson(response: Response, status: number, body: JsonValue): void {
  const json = toJsonBuffer(body);
  const bytes = asksForPretty(response.req.originalUrl) ? toPretty(json) : json;
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', bytes.length + END_OF_LINE.length);
  response.setHeader('Cache-Control', 'no-store');
  if (response.req.method === 'HEAD') return void response.end();
  // A large answer is not copied for the sake of one byte.
  if (bytes.length <= MOST_COPIED_BYTES) return void response.end(Buffer.concat([bytes, END_OF_LINE]));
  response.write(bytes);
  response.end(END_OF_LINE);
}
