import { FrameError, type FrameHeader } from './frames';

/** How a member of a message must look. */
export type MemberCheck = (value: unknown) => boolean;

export const isText: MemberCheck = (value) => typeof value === 'string';
export const isInteger: MemberCheck = (value) => Number.isSafeInteger(value);
export const isNumber: MemberCheck = (value) => typeof value === 'number' && Number.isFinite(value);
export const isBoolean: MemberCheck = (value) => typeof value === 'boolean';
export const isTextList: MemberCheck = (value) => Array.isArray(value) && value.every(isText);
export const nullOr =
  (check: MemberCheck): MemberCheck =>
  (value) =>
    value === null || check(value);
export const isOneOf =
  (...choices: readonly string[]): MemberCheck =>
  (value) =>
    choices.includes(value as string);
export const isShape =
  (shape: Readonly<Record<string, MemberCheck>>): MemberCheck =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(shape).every(([name, check]) => check((value as Record<string, unknown>)[name]));

/** Message type → members and their checks. */
export type MessageShapes = Readonly<Record<string, Readonly<Record<string, MemberCheck>>>>;

/** @throws FrameError where the header is not one of the messages that side may send */
export function assertMessage(shapes: MessageShapes, header: FrameHeader): void {
  const shape = Object.hasOwn(shapes, header.type) ? shapes[header.type] : undefined;
  if (shape === undefined) throw new FrameError(`unknown message type '${header.type.slice(0, 40)}'`);
  for (const [member, check] of Object.entries(shape)) {
    if (!check(header[member])) throw new FrameError(`member '${member}' of '${header.type}' is missing or of the wrong kind`);
  }
}
