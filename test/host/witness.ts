/**
 * A process that looks at the tree whenever it hears of a device on netlink: `node witness.js DIR COUNT`. It says
 * `listening`, and of each device that came, `found` or `missing`.
 * @module
 */

import { lstatSync, readdirSync } from 'node:fs';
import { NativeCalls } from '../../src/host/native.js';
import { listenUevents } from '../../src/host/uevent-socket.js';
import { decodeUevent, UeventGroup } from '../../src/uapi/netlink.js';

const [dir, count] = process.argv.slice(2) as [string, string];
const devices = `${dir}/bus/mdev/devices`;
const listener = listenUevents(await NativeCalls.load(), UeventGroup.KERNEL);
process.stdout.write('listening\n');

for (let heard = 0; heard < Number(count); ) {
  const { header = '', env = [] } = decodeUevent(listener.receive().message) ?? {};
  if (!header.startsWith('add@') || !env.includes('SUBSYSTEM=mdev')) continue;
  heard++;
  const name = header.slice(header.lastIndexOf('/') + 1);
  const known = lstatSync(`${devices}/${name}`, { throwIfNoEntry: false }) !== undefined;
  process.stdout.write(known && readdirSync(devices).includes(name) ? 'found\n' : 'missing\n');
}
