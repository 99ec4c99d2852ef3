/**
 * One request as the kernel sent it, and the shape of its answer.
 * @module
 */

import {
  decodeInHeader,
  FUSE_IN_HEADER_SIZE,
  FUSE_OUT_HEADER_SIZE,
  type FuseInHeader,
} from '../uapi/fuse.js';

export interface Request extends FuseInHeader {
  /** What follows the header. It is the device's memory, and good only until the operation returns. */
  body: Buffer;
}

/** @returns undefined when the message is shorter than it says */
export function parseRequest(message: Buffer): Request | undefined {
  if (message.length < FUSE_IN_HEADER_SIZE) return undefined;
  const header = decodeInHeader(message);
  if (header.length < FUSE_IN_HEADER_SIZE || header.length > message.length) return undefined;
  return { ...header, body: message.subarray(FUSE_IN_HEADER_SIZE, header.length) };
}

/** A reply under construction: room for the header, then {@link REPLY_BODY} onwards what the operation says. */
export type Reply = Buffer;

export const REPLY_BODY = FUSE_OUT_HEADER_SIZE;

/** The request has no answer at all, not even an empty one. */
export const NO_REPLY = undefined;

export function newReply(bodySize: number): Reply {
  return Buffer.allocUnsafe(REPLY_BODY + bodySize);
}

/** A reply whose body is these bytes. */
export function replyWith(body: Uint8Array): Reply {
  const reply = newReply(body.length);
  reply.set(body, REPLY_BODY);
  return reply;
}
