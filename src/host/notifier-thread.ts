/**
 * The notifier's thread: takes posts in order and writes their messages to /dev/fuse, or to the socket of
 * an announcement.
 * @module
 */

import { readSync, writeSync } from 'node:fs';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { NotifierData, Post } from './notifier.js';
import { NotifierClock } from './notifier-clock.js';

// An error is an answer here, and nobody reads its stack.
Error.stackTraceLimit = 0;

const { clock: memory, port } = workerData as NotifierData;
const clock = new NotifierClock(memory);

const answered = new Uint8Array(64);

function send({ fd, bytes, whole, answer }: Post): void {
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; ) {
    const length = whole ? bytes.length : view.getUint32(at, true);
    try {
      writeSync(fd, bytes, at, length);
    } catch {
      // ENOENT: the kernel has forgotten the name already, or nobody waits for the answer any more. Otherwise the
      // mount is gone, and the main thread hears of that. Nobody hears an announcement that is not taken.
    }
    at += length;
  }
  if (answer !== undefined) readSync(answer, answered);
}

port.postMessage('runs');
for (;;) {
  clock.wait();
  const post = receiveMessageOnPort(port)?.message as Post | null | undefined;
  if (post === null) break;
  if (post === undefined) continue;
  send(post);
  clock.done();
}
port.close();
