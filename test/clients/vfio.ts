/**
 * Clients of VFIO devices that make the plain system calls (test/clients/vfio/*.py), and a session to run them in.
 * @module
 */

import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { inRun, Session } from './session.js';

const scripts = fileURLToPath(new URL('../../../test/clients/vfio', import.meta.url));

/** Of the parent that vGPUs are made of in {@link vfioSession}; there can be 16. */
export const VGPU_TYPE = '/sys/class/mdev_bus/0000:3b:00.0/mdev_supported_types/nvidia-222';

/** What the clients import, and what keeps them from leaving files beside it. */
export const python = { PYTHONPATH: scripts, PYTHONDONTWRITEBYTECODE: '1' };

/** UUIDs of vGPUs, as many as are asked for. */
export const vgpuIds = (count: number) =>
  Array.from({ length: count }, (_, n) => `83b8f4f2-509f-382f-3c1e-e6bfe0fa100${n + 1}`);

/** A command that runs a client; one that hangs is ended. @param prefix command that runs the command that follows it */
export const client = (name: string, args: readonly string[], prefix = '') =>
  `timeout 60 ${prefix} python3 ${scripts}/${name}.py ${args.join(' ')} 2>&1`;

/**
 * A session under `mdevfs run`, with vGPUs.
 * @param prefix command and arguments that run the command that follows them, `mdevfs run`
 */
export async function vfioSession(
  t: Test,
  options: readonly string[] = [],
  prefix: readonly string[] = [],
): Promise<{ session: Session; uuids: readonly [string, string, ...string[]] }> {
  const session = Session.start(t, [...prefix, ...inRun('--host', 'default', ...options)], python);
  const uuids = vgpuIds(8) as [string, string, ...string[]];
  const made = await session.run(
    uuids.map((uuid) => `echo ${uuid} > ${VGPU_TYPE}/create || exit`).join('\n'),
  );
  if (made.status !== 0) throw new Error(made.stderr);
  return { session, uuids };
}

/** Why VMs of a real KVM cannot be made here; false when they can. */
export function noKvm(): string | false {
  try {
    closeSync(openSync('/dev/kvm', 'r+'));
    return false;
  } catch (error) {
    return `this machine has no KVM: ${(error as Error).message}`;
  }
}
