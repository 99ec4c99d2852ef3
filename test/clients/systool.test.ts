import t from 'tap';
import { lacking, mountClients, Shell, scratch, UUID } from './client.js';

const skip = lacking('systool', 'unshare');

t.test('systool, at the path of a sysfs that a mount is bound over', { skip }, async (t) => {
  // It looks for a line of type sysfs in /proc/mounts.
  const place = scratch(t);
  const over = 'mount -t sysfs none "$0" && mount --bind "$D" "$0" && exec "$@"';
  const dir = mountClients(t);
  const sh = new Shell(dir, ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', over, place]);
  const script = `echo $U > ${place}/class/mdev_bus/$P/mdev_supported_types/nvidia-36/create; SYSFS_PATH=${place} systool -b mdev`;
  t.equal(sh.output(script), `Bus = "mdev"\n\n  Device = "${UUID}"\n\n`);
  t.match(new Shell(dir).output('SYSFS_PATH=$D systool -b mdev'), 'Unable to find sysfs mount point!');
});

t.test('systool, with a mount over /sys', { skip }, async (t) => {
  const sh = Shell.overSys(mountClients(t));
  t.equal(
    sh.output('systool -c mdev_bus').replaceAll(/\n+/g, '\n'),
    'Class = "mdev_bus"\n' +
      ['0.0.0313', 'c0:02.0', 'c0:03.0', 'matrix', 'mtty']
        .map((name) => `  Class Device = "${name}"\n`)
        .join(''),
  );
  const attributes = sh.output('systool -b css -v');
  t.match(attributes, /driver_override\s+= "vfio_ccw"/);
  t.match(attributes, /pimpampom\s+= "c0 c0 ff"/);
});
