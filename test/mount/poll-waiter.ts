/**
 * Waits in poll(2) for an exceptional event on a file that it has read: `node poll-waiter.js FILE`. Says
 * `waiting`, then the result of poll and the events.
 * @module
 */

import { openSync, readSync, writeSync } from 'node:fs';
import { native } from '../conformance/libc/bindings.js';

const POLLPRI = 2;
const TIMEOUT_MS = 20_000;

const fd = openSync(process.argv[2]!, 'r');
readSync(fd, Buffer.alloc(100));
const pollfd = Buffer.alloc(8);
pollfd.writeInt32LE(fd, 0);
pollfd.writeInt16LE(POLLPRI, 4);
writeSync(1, 'waiting\n');
const ready = native('int poll(void *fds, unsigned long count, int timeout)')(pollfd, 1, TIMEOUT_MS);
writeSync(1, `${ready} ${pollfd.readInt16LE(6)}\n`);
process.exit(0);
