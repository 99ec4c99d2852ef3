/**
 * The parts that answer for emulated devices of a command: the mount of its /dev, and the listener for system calls that
 * FUSE cannot answer.
 * @module
 */

import type { Log } from '../fuse/transport.js';
import type { DeviceMount } from './device-mount.js';
import { FileOpener } from './file-opener.js';
import { ForeignVms } from './foreign-vms.js';
import { LockedMemory } from './locked-memory.js';
import { receiveFd } from './pass-fd.js';
import { Placeholders } from './placeholders.js';
import { SeccompListener } from './seccomp-listener.js';
import { SpareFiles } from './spare-files.js';

/**
 * @param dir where the devices are mounted, as another process of this namespace finds them
 * @param socket with the descriptor of the seccomp listener (pass-fd.ts). Nobody else has that, so when this program ends,
 * calls that it would have answered fail with ENOSYS.
 * @param nodes where placeholders are made
 * @param announce has a placeholder mounted on a node, given by its path below /dev
 */
export function answerHeldCalls(
  { files, native }: DeviceMount,
  dir: string,
  socket: number,
  nodes: string,
  announce: (path: string) => void,
  log: Log,
): SeccompListener {
  const spares = new SpareFiles(files, new FileOpener(native, { dir, write: true }));
  files.nameless = spares;
  const placeholders = new Placeholders(files, spares, nodes, announce);
  files.placeholders = placeholders;
  const vms = new ForeignVms(files.machine, placeholders, native);
  files.vms = vms;
  const asked = { files, spares, vms, placeholders, locked: new LockedMemory(native) };
  const answering = new SeccompListener(native, receiveFd(native, socket), asked, log);
  void answering.serve();
  return answering;
}
