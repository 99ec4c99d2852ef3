/**
 * The server behind `mdevfs run`. It is started in the namespaces of the command, but with the machine's own /sys. It
 * gets ready while the mount is made that it finds the descriptor of, waits to be told so by a line on standard input,
 * plans what /sys is to look like, and serves to the end.
 * @module
 */

import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { holdLifeline } from '../host/aborter.js';
import { compose, listedModel } from '../host/compose.js';
import { devAnnouncement, liveDev, liveSkeletons } from '../host/compose-live.js';
import { serveDevices } from '../host/device-mount.js';
import { answerHeldCalls } from '../host/held-devices.js';
import { FuseTransport } from '../host/mount.js';
import { mountAt } from '../host/mountinfo.js';
import { DEVICE_FUSE_FD, FUSE_FD, LISTENER_FD, places } from '../host/namespace-script.js';
import { RealTree } from '../host/real-tree.js';
import { UnionView } from '../host/real-tree-view.js';
import { UDEV_CONTROL } from '../host/udevd.js';
import { startUevents } from '../host/uevents.js';
import { reportFailure } from './error.js';
import { log, machineOf, outliveFaults } from './serve.js';

const SYS = '/sys';

interface ServeRunOptions {
  /** Whether the model's uevents go to the network namespace of the command, which is this process's too. */
  uevents: boolean | undefined;
  /** Why there is no seccomp listener; there is one when not given. */
  withoutListener: string | undefined;
}

/** Serves as the words of its command line say: a fixture, `--uevents`, `--without-listener REASON`. */
export async function main(args: string[]): Promise<never> {
  const { values, positionals } = parseArgs({
    args,
    options: { uevents: { type: 'boolean' }, 'without-listener': { type: 'string' } },
    allowPositionals: true,
  });
  const { uevents, 'without-listener': withoutListener } = values;
  process.exit(await serveRun(positionals[0]!, { uevents, withoutListener }).catch(reportFailure));
}

/** @returns the exit code, when nothing is mounted any more */
async function serveRun(fixture: string, { uevents, withoutListener }: ServeRunOptions): Promise<number> {
  // The terminal's signals are for the command. What ends this process is the end of its namespace.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM', 'SIGTSTP'] as const)
    process.on(signal, () => {});
  const transport = new FuseTransport();
  transport.prepare();
  const machine = machineOf(fixture);
  outliveFaults();
  let live: string[];
  const mounting = async (): Promise<UnionView> => {
    await once(process.stdin, 'data');
    const held = holdLifeline(places.lifeline);
    const real = new RealTree(SYS, machine.sysfs.root);
    const plan = compose(real, listedModel(machine.sysfs), { ...places, sys: SYS });
    live = plan.live;
    writeFileSync(places.plan, plan.script);
    if (withoutListener === undefined) writeFileSync(places.placeholders, '');
    await held;
    return new UnionView(real, new Set(plan.covered));
  };
  // The end of the namespace kills this process at any moment. One that has a file of its own mount open then, as backing
  // files are while they are made, waits for itself for ever, and the namespace with it.
  const options = { log, counts: machine.control, passthrough: false };
  const mounted = await transport.serveMounted(FUSE_FD, machine.sysfs, options, mounting);
  // Of a FIFO that is opened for both, the open waits for nobody.
  const channel = { request: openSync(places.request, 'r+'), answer: openSync(places.answer, 'r+') };
  machine.sysfs.root.observers.add(
    liveSkeletons(machine.sysfs, live!, channel, (announcement) => mounted.announce(announcement)),
  );
  const devices = await serveDevices(DEVICE_FUSE_FD, machine, log, mountAt(places.dev)!).catch(
    (error: Error) => {
      // Who looks there shall not wait for ever.
      closeSync(DEVICE_FUSE_FD);
      log(`mdevfs: there is no /dev/vfio: ${error.message}`);
    },
  );
  if (devices) {
    mounted.before?.(devices.catchUp);
    const { root } = machine.core.devtmpfs;
    root.root.observers.add(liveDev(root, channel, (announcement) => mounted.announce(announcement)));
    const announce = (path: string): void => mounted.announce(devAnnouncement(channel, 'null', path));
    if (withoutListener === undefined)
      answerHeldCalls(devices, places.dev, LISTENER_FD, places.nodes, announce, log);
    else devices.files.noDescriptors = withoutListener;
  }
  if (uevents)
    await startUevents(machine, { mounted, udev: true, udevControl: UDEV_CONTROL, log }).catch(
      (error: Error) => log(`mdevfs: ${error.message}; without them: --no-uevents`),
    );
  await mounted.done;
  return 0;
}
