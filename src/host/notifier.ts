/**
 * The thread that tells the kernel to forget names. It may have to wait for a lock that somebody holds who waits for
 * this process's main thread, which therefore never does it itself (fuse/cache.ts).
 * @module
 */

import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Notifier } from '../fuse/cache.js';
import { NotifierClock } from './notifier-clock.js';

const threadFile = new URL('./notifier-thread.js', import.meta.url);

/** What the thread begins with. */
export interface NotifierData {
  /** The descriptor of /dev/fuse. */
  fd: number;
  clock: SharedArrayBuffer;
  /** Where the messages come in. */
  port: import('node:worker_threads').MessagePort;
}

export interface NotifierThread extends Notifier {
  /** Ends the thread when everything posted has been sent. */
  close(): Promise<void>;
}

/**
 * Starts the thread for a mount, and comes back when it runs.
 * @param fd descriptor of /dev/fuse; it must stay open until the notifier is closed
 */
export async function startNotifier(fd: number): Promise<NotifierThread> {
  const { port1, port2 } = new MessageChannel();
  const clock = new NotifierClock();
  const workerData: NotifierData = { fd, clock: clock.memory, port: port2 };
  const worker = new Worker(threadFile, { workerData, transferList: [port2], execArgv: [], stdin: false });
  const ended = once(worker, 'exit');
  await once(port1, 'message');
  // Neither keeps the process alive.
  worker.unref();
  port1.unref();
  return {
    post(messages) {
      // One piece of memory of its own that can change hands; each message begins with its length.
      const bytes = Uint8Array.from(Buffer.concat(messages));
      port1.postMessage(bytes, [bytes.buffer]);
      clock.posted();
    },
    get idle() {
      return clock.idle;
    },
    async close() {
      worker.ref();
      port1.postMessage(null);
      clock.posted();
      await ended;
    },
  };
}
