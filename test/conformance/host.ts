/**
 * What a recording does to the machine outside the file system, and what it hears from it.
 * @module
 */

import type { Sleeps } from '../../src/lib/sleep.js';

export interface Host {
  /** modprobe NAME PARAM=VALUE...: the exit status. */
  loadModule(name: string, parameters: readonly string[]): Sleeps<number>;
  /** rmmod NAME: the exit status. */
  unloadModule(name: string): Sleeps<number>;
  /** The uevents since the last call, each a header and its variables, or undefined where none can be heard. */
  takeUevents(): string[][] | undefined;
  /** The lines of the kernel log since the last call, or undefined where there is no log to read. */
  takeLog(): string[] | undefined;
}

/** In process, mounted as usual, mounted without passthrough, mounted by way of libfuse, under `mdevfs run`. */
export const transports = ['process', 'mount', 'direct', 'fuse-native', 'run'] as const;
export type Transport = (typeof transports)[number];
export type MountTransport = Exclude<Transport, 'process' | 'run'>;
