import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { lacking, scratch, UUID, UUID2 } from './client.js';
import { guestFiles, noGuest } from './guest.js';
import { domainXml, mediatedDevice } from './guest-domain.js';
import { serialPortsWork } from './guest-serial.js';
import { GuestShell } from './guest-shell.js';
import { Libvirt } from './libvirt.js';
import { Session, underRun } from './session.js';

const skip = lacking('virsh', 'libvirtd', 'udevadm', 'mdevctl', 'unshare') || noGuest();

/** Where the guest has them: each is alone behind its root port. */
const CARD = '0000:01:00.0';
const GPU_OF_GUEST = '0000:02:00.0';

/** What is left of a type that one device was made of. */
const FREE = `
  cat /sys/class/mdev_bus/mtty/mdev_supported_types/mtty-2/available_instances \\
    /sys/class/mdev_bus/$P/mdev_supported_types/nvidia-36/available_instances`;

/** Waits until a command prints nothing more. */
const untilSilent = (command: string) =>
  `for try in $(seq 300); do [ "$(${command})" ] || break; sleep 0.1; done; ${command}`;

/** Starts to remove a device; the result comes to be in a file. */
const remove = (uuid: string, result: string) =>
  `{ echo 1 > /sys/bus/mdev/devices/${uuid}/remove; echo $? > ${result}; } 2>&1 &`;
const resultOf = (file: string) =>
  `for try in $(seq 300); do [ -s ${file} ] && break; sleep 0.1; done; cat ${file}`;

async function create(t: Test, libvirt: Libvirt): Promise<GuestShell> {
  const dir = scratch(t);
  const shell = await GuestShell.listen(join(dir, 'shell'));
  t.teardown(() => shell.close());
  const console = join(dir, 'console');
  const domain = join(dir, 'domain.xml');
  const devices = mediatedDevice(UUID, 1) + mediatedDevice(UUID2, 2);
  writeFileSync(domain, domainXml({ name: 'guest', shell, console, devices, ...guestFiles(t) }));
  const created = await libvirt.virsh(`-c qemu:///system create ${domain}`);
  const done = { status: 0, stdout: `Domain 'guest' created from ${domain}\n`, stderr: '' };
  t.strictSame(created, done);
  if (created.status !== 0) throw new Error(created.stderr);
  await shell.booted().catch((error) => {
    throw new Error(`${error.message}\n${readFileSync(console, 'latin1')}`);
  });
  return shell;
}

t.test('libvirt starts a guest with mediated devices, and ends it', { skip }, async (t) => {
  const session = Session.start(t, underRun());
  const libvirt = await Libvirt.start(session);
  const virsh = (command: string) => libvirt.virsh(`-c qemu:///system ${command}`);
  await session.run('mdevctl start -u $U -p mtty -t mtty-2; mdevctl start -u $U2 -p $P -t nvidia-36');
  t.equal(await session.output(FREE), '11\n1\n');

  const guest = await create(t, libvirt);
  t.equal((await virsh('domstate guest')).stdout, 'running\n');
  t.equal(await guest.output('pci_find 4348:3253; pci_find 10de:13bd'), `${CARD}\n${GPU_OF_GUEST}\n`);
  await serialPortsWork(t, guest, CARD, 2);

  await t.test('what removes a vGPU waits until the guest has let it go, as it is asked to', async (t) => {
    await session.run(remove(UUID2, '/run/gpu-removed'));
    t.equal(await guest.output(untilSilent('pci_find 10de:13bd')), '');
    t.equal(await session.output(resultOf('/run/gpu-removed')), '0\n');
    t.equal(await session.output(FREE), '11\n2\n');
    const known = `virsh -c qemu:///system dumpxml guest | grep ${UUID2}`;
    t.equal(await session.output(untilSilent(known)), '', 'libvirt has heard of it');
  });

  await t.test(
    'what removes the mtty card, which nobody is asked for, waits until the guest ends',
    async (t) => {
      await session.run(remove(UUID, '/run/card-removed'));
      await session.run('sleep 1');
      t.equal(await guest.output('pci_find 4348:3253'), `${CARD}\n`);
      t.equal((await session.run('test -e /run/card-removed')).status, 1);
      t.equal((await virsh('destroy guest')).status, 0);
      t.equal(await session.output(resultOf('/run/card-removed')), '0\n');
      t.equal(await session.output(FREE), '12\n2\n');
    },
  );

  t.equal((await virsh('list --all --name')).stdout, '');
});
