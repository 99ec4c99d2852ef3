/**
 * A process that mounts the sample tree: `node daemon.js DIR [fuse|fuse-native] [pipe|read]`. It says `ready` on
 * standard output, unmounts on SIGTERM or when standard input ends (as it does when the test dies), and ends
 * when it is unmounted.
 * @module
 */

import type { Loop } from '../../src/fuse/device.js';
import { FuseNativeTransport } from '../../src/fuse/fuse-native.js';
import { FuseTransport, umountAt } from '../../src/host/mount.js';
import { sampleTree } from './sample-tree.js';

const [dir, name, loop] = process.argv.slice(2);
const transport =
  name === 'fuse-native' ? new FuseNativeTransport(umountAt) : new FuseTransport(loop as Loop | undefined);
const mounted = await transport.mount(sampleTree(), dir!);
process.on('SIGTERM', () => void mounted.unmount());
process.stdin.on('end', () => void mounted.unmount()).resume();
process.stdout.write('ready\n');
await mounted.done;
process.stdout.write('unmounted\n');
process.exit(0);
