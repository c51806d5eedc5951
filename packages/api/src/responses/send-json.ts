import type { Response } from 'express';
import { asksForPretty, END_OF_LINE, toPretty } from './pretty-json';
import { toJsonBuffer, type JsonValue } from './raw-json';

/** Answers with JSON and a line feed, indented for `?pretty`. No cache keeps it: answers belong to one caller. */
export function sendJson(response: Response, status: number, body: JsonValue): void {
  const json = toJsonBuffer(body);
  const bytes = Buffer.concat([asksForPretty(response.req.originalUrl) ? toPretty(json) : json, END_OF_LINE]);
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', bytes.length);
  response.setHeader('Cache-Control', 'no-store');
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
