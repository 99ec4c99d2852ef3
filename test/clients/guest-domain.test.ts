import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lacking, scratch } from './client.js';
import { guestFiles, noGuest } from './guest.js';
import { domainXml } from './guest-domain.js';
import { GuestShell } from './guest-shell.js';
import { Libvirt } from './libvirt.js';
import { Session, underRun } from './session.js';

const skip = lacking('virsh', 'libvirtd', 'udevadm', 'mdevctl', 'unshare') || noGuest();

t.test('libvirt starts a guest under mdevfs run, and ends it', { skip }, async (t) => {
  const dir = scratch(t);
  const shell = await GuestShell.listen(join(dir, 'shell'));
  t.teardown(() => shell.close());
  const libvirt = await Libvirt.start(Session.start(t, underRun()));
  const console = join(dir, 'console');
  const domain = join(dir, 'domain.xml');
  writeFileSync(domain, domainXml({ name: 'guest', shell, console, ...guestFiles(t) }));
  const virsh = (command: string) => libvirt.virsh(`-c qemu:///system ${command}`);
  const created = await virsh(`create ${domain}`);
  if (!t.strictSame(created, { status: 0, stdout: `Domain 'guest' created from ${domain}\n`, stderr: '' }))
    return;
  t.equal((await virsh('domstate guest')).stdout, 'running\n');
  await shell.booted().catch((error) => t.fail(`${error.message}\n${readFileSync(console, 'latin1')}`));
  t.equal(await shell.output('pci_find 1b36:000c | wc -l'), '2\n', 'its root ports');
  t.equal((await virsh('destroy guest')).status, 0);
  t.equal((await virsh('list --all --name')).stdout, '');
});
