/**
 * The thread that tells the kernel to forget names. It may have to wait for a lock that somebody holds who waits for
 * this process's main thread, which therefore never does it itself (fuse/cache.ts). If the process is killed while it
 * waits, it cannot end, since the connection to the kernel only ends with the last of its threads; then somebody else ends
 * the connection (aborter.ts).
 * @module
 */

import { once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { Notifier } from '../fuse/cache.js';
import { NotifierClock } from './notifier-clock.js';

const threadFile = new URL('./notifier-thread.js', import.meta.url);

/** What the thread begins with. */
export interface NotifierData {
  clock: SharedArrayBuffer;
  /** Where the posts come in. */
  port: MessagePort;
}

/** What is to be written to a descriptor. */
export interface Post {
  fd: number;
  bytes: Uint8Array;
  /** Whether the bytes are one message. Otherwise each message in it begins with its length. */
  whole: boolean;
  /** Descriptor that something is read from afterwards. */
  answer?: number | undefined;
}

/** Descriptors of /dev/fuse. */
export interface NotifierTargets {
  /** Of the tree's mount. */
  tree: number;
  /** Of the mount of the backing files, if there is one. */
  backings?: number | undefined;
}

export interface NotifierThread extends Notifier {
  /** Says where posts go; before the first one. */
  serve(targets: NotifierTargets): void;
  /** Ends the thread when everything posted has been sent. */
  close(): Promise<void>;
}

/**
 * Starts the thread for a mount, and comes back when it runs. The descriptors must stay open until it is closed,
 * and those of announcements until it has sent them.
 */
export async function startNotifier(): Promise<NotifierThread> {
  let to: NotifierTargets;
  const { port1, port2 } = new MessageChannel();
  const clock = new NotifierClock();
  const workerData: NotifierData = { clock: clock.memory, port: port2 };
  const worker = new Worker(threadFile, { workerData, transferList: [port2], execArgv: [], stdin: false });
  const ended = once(worker, 'exit');
  await once(port1, 'message');
  // Neither keeps the process alive.
  worker.unref();
  port1.unref();
  const send = (fd: number, messages: readonly Buffer[], whole: boolean, answer?: number): void => {
    // Memory of its own, that can change hands.
    const bytes = Uint8Array.from(Buffer.concat(messages));
    const post: Post = { fd, bytes, whole, answer };
    port1.postMessage(post, [bytes.buffer]);
    clock.posted();
  };
  return {
    serve(targets) {
      to = targets;
    },
    post(messages, mount = 'tree') {
      send(to[mount]!, messages, false);
    },
    announce({ fd, message, answer }) {
      send(fd, [message], true, answer);
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
