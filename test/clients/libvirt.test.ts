import t from 'tap';
import { fileURLToPath } from 'node:url';
import { main } from '../mount/command.js';
import { scratchDir } from '../mount/mounted.js';
import { lacking } from './client.js';
import { libvirtWorks, startLibvirt } from './libvirt.js';
import { Session } from './session.js';

const skip = lacking('virsh', 'libvirtd', 'udevadm', 'mdevctl', 'unshare', 'python3');
const control = fileURLToPath(new URL('../../../test/clients/udev-control.py', import.meta.url));

/** A mount whose events reach the network namespace, then /sys in yet another mount namespace, without the daemon. */
const host = `
  mount -t tmpfs none /run && ${process.execPath} ${main} mount --uevents udev -f clients "$D" >&2 &&
  exec unshare --mount --propagation private sh -c 'mount --bind "$D" /sys && exec "$@"' sh "$@"`;

t.test('libvirt, with a mount over /sys and its events', { skip }, async (t) => {
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const prefix = ['unshare', ...namespaces, '--propagation', 'private', 'sh', '-c', host, 'sh'];
  const session = Session.start(t, prefix, { D: scratchDir(t) });
  await session.run(
    `mkdir -p /run/udev; python3 ${control} & until [ -e /run/udev/control ]; do sleep 0.1; done`,
  );
  await startLibvirt(session, 'kept');
  await libvirtWorks(t, session);
});
