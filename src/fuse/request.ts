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
  /** The whole of it. It is the device's memory, and good only until the operation returns. */
  message: Buffer;
}

/** @returns undefined when the message is shorter than it says */
export function parseRequest(message: Buffer): Request | undefined {
  if (message.length < FUSE_IN_HEADER_SIZE) return undefined;
  const request = decodeInHeader(message) as Request;
  if (request.length < FUSE_IN_HEADER_SIZE || request.length > message.length) return undefined;
  request.message = message;
  return request;
}

/** A reply under construction: room for the header, then {@link REPLY_BODY} onwards what the operation says. */
export type Reply = Buffer;

export const REPLY_BODY = FUSE_OUT_HEADER_SIZE;

/** The request has no answer at all, not even an empty one. */
export const NO_REPLY = undefined;

/** Replies up to this size are made in memory that the next one of the same size is made in. */
const REUSED_SIZE = 256;
const reused: Reply[] = Array.from({ length: REUSED_SIZE + 1 }, (_, size) =>
  Buffer.allocUnsafeSlow(REPLY_BODY + size),
);

/** A reply that is sent before the next request is taken. What is sent later is made with {@link lateReply}. */
export function newReply(bodySize: number): Reply {
  return bodySize <= REUSED_SIZE ? reused[bodySize]! : lateReply(bodySize);
}

/** A reply in memory of its own. */
export function lateReply(bodySize: number): Reply {
  return Buffer.allocUnsafe(REPLY_BODY + bodySize);
}

/** A reply whose body is these bytes, to be sent at once. */
export function replyWith(body: Uint8Array): Reply {
  const reply = newReply(body.length);
  reply.set(body, REPLY_BODY);
  return reply;
}

/** The same, to be sent later. */
export function lateReplyWith(body: Uint8Array): Reply {
  const reply = lateReply(body.length);
  reply.set(body, REPLY_BODY);
  return reply;
}
