/**
 * A process that mounts a tree in which it can be made to get stuck: `node stuck-daemon.js DIR FLAG [FIFO]`. A write to
 * `add` waits, and everybody with it, until there is a file FLAG, and then makes `dir/new`; one to `freeze` never comes back. With a FIFO it is
 * served as by the server of `mdevfs run`. It says `ready` on standard output.
 * @module
 */

import { constants, existsSync, openSync } from 'node:fs';
import { plainView } from '../../src/fuse/view.js';
import { holdLifeline } from '../../src/host/aborter.js';
import { FuseTransport, mountFuse } from '../../src/host/mount.js';
import { kernfsCreateRoot } from '../../src/kernfs/root.js';
import { type Attribute, attributeFile } from '../../src/sysfs/attribute.js';

const [dir, flag, fifo] = process.argv.slice(2) as [string, string, string | undefined];
const root = kernfsCreateRoot(Date.now);
const parent = root.addDir('dir');
const memory = new Int32Array(new SharedArrayBuffer(4));

const addFile = (name: string, store: () => void): void => {
  root.add(attributeFile(root.root, { name, mode: 0o200, store } as Attribute<object>, {}));
};
addFile('add', () => {
  while (!existsSync(flag)) Atomics.wait(memory, 0, 0, 10);
  parent.addDir('new');
});
addFile('freeze', () => void Atomics.wait(memory, 0, 0));

const transport = new FuseTransport();
if (fifo === undefined) await transport.mount(root, dir);
else {
  const { O_RDWR, O_NONBLOCK } = constants;
  const fd = openSync('/dev/fuse', O_RDWR | O_NONBLOCK);
  await transport.serveMounted(fd, root, {}, async () => {
    await mountFuse(fd, dir);
    await holdLifeline(fifo);
    return plainView;
  });
}
process.stdout.write('ready\n');
