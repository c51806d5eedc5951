import type { Response } from 'express';
import { toJsonBuffer, type JsonValue } from './raw-json';

/** Answers with JSON that no cache keeps: answers belong to one caller. */
export function sendJson(response: Response, status: number, body: JsonValue): void {
  const bytes = toJsonBuffer(body);
  response.statusCode = status;
  response.setHeader('Content-Type', 'application/json; charset=utf-8');
  response.setHeader('Content-Length', bytes.length);
  response.setHeader('Cache-Control', 'no-store');
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
