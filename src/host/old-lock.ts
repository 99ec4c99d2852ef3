/**
 * Locks as mdevfs had them once: abstract sockets by name. They were for anybody to take, and ended at the network namespace.
 * A daemon of that time may still run, so for one release the name is looked up; only a process of root's or of this user
 * counts. To go after 0.1.0.
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isOurs } from './path-walk.js';

/** Whether a process of ours, in this network namespace, has the lock of a name in the old way. */
export function isLockedTheOldWay(name: string): boolean {
  const sockets = inodesOf(`@mdevfs:${name}`);
  return sockets.length > 0 && pids().some((pid) => isOurProcess(pid) && hasOpen(pid, sockets));
}

/** The sockets of a name (proc_net_unix: seven fields, then the name). Older libuv fills names up with zeros, shown as `@`. */
function inodesOf(name: string): string[] {
  const bare = (text: string) => text.replace(/@+$/, '');
  return read('/proc/self/net/unix')
    .split('\n')
    .flatMap((line) => {
      const [, inode, path] = /^(?:\S+ +){6}(\d+) (.*)$/.exec(line) ?? [];
      return path !== undefined && bare(path) === bare(name) ? [`socket:[${inode}]`] : [];
    });
}

const pids = (): string[] => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

/** By its user numbers, the saved one too: those of a program that is setuid are not all ours. */
function isOurProcess(pid: string): boolean {
  const uids = /^Uid:\s+(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return uids?.split(/\s+/).every((uid) => isOurs(Number(uid))) ?? false;
}

function hasOpen(pid: string, files: readonly string[]): boolean {
  try {
    const dir = `/proc/${pid}/fd`;
    return readdirSync(dir).some((fd) => files.includes(readlinkSync(`${dir}/${fd}`)));
  } catch {
    // It ended, or is not for us to look into.
    return false;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
