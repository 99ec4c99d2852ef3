/**
 * What mdevctl must do on a host with a parent of every kind, wherever its /sys comes from.
 * @module
 */

import type { Test } from 'tap';
import { GPU, UUID, UUID2 } from './client.js';
import { mdevctlCalls } from './mdevctl-callouts.js';
import { mdevctlPrints, mdevctlStartsAndStops } from './mdevctl-table.js';
import type { Session } from './session.js';

/** Place of mdevctl's definitions and scripts. */
const place = '/etc/mdevctl.d';
const devices = '/sys/bus/mdev/devices';

/** Gives a session an empty place for definitions. Without the folders for scripts mdevctl runs none, and complains. */
export async function ownDefinitions(sh: Session): Promise<void> {
  const script = `
    mkdir -p ${place} && mount -t tmpfs none ${place} &&
    mkdir -p ${place}/scripts.d/callouts ${place}/scripts.d/notifiers`;
  const { status, stderr } = await sh.run(script);
  if (status !== 0) throw new Error(stderr);
}

/** @param sh a session in a mount namespace of its own, with the host at /sys */
export async function mdevctlWorks(t: Test, sh: Session): Promise<void> {
  await ownDefinitions(sh);
  await mdevctlPrints(t, sh);
  await mdevctlStartsAndStops(t, sh);
  await mdevctlCalls(t, sh);

  await t.test('a device takes an instance of its type, and is gone when it is stopped', async (t) => {
    const available = 'cat /sys/class/mdev_bus/$P/mdev_supported_types/nvidia-36/available_instances';
    await sh.run('mdevctl start -u $U -p $P -t nvidia-36');
    t.equal(await sh.output(available), '1\n');
    await sh.run('mdevctl stop -u $U');
    t.equal((await sh.run(`test -e ${devices}/$U`)).status, 1);
    t.equal(await sh.output(available), '2\n');
  });

  await t.test('define, modify, start: attributes are written', async (t) => {
    const script = `
      mdevctl define -u $U -p $P -t nvidia-36 &&
      mdevctl modify -u $U --addattr nvidia_vgpu_params --value x=1 &&
      mdevctl start -u $U && mdevctl list -d -v && cat ${devices}/$U/nvidia_vgpu_params; mdevctl stop -u $U; mdevctl undefine -u $U`;
    t.equal(
      await sh.output(script),
      `${UUID} ${GPU} nvidia-36 manual (active)\n  Attrs:\n    @{0}: {"nvidia_vgpu_params":"x=1"}\n\nx=1`,
    );
  });

  await t.test('an attribute that is refused takes the device back', async (t) => {
    const script = `
      mdevctl define -u $U -p $P -t nvidia-36 && mdevctl modify -u $U --addattr nvidia_vgpu_params --value bad &&
      mdevctl start -u $U; echo $?; mdevctl list; mdevctl undefine -u $U`;
    const why = 'Failed to write bad to attribute nvidia_vgpu_params';
    t.equal(
      await sh.output(script),
      `Error: ${why}\n\nCaused by:\n    Invalid argument (os error 22)\n1\n\n`,
    );
    t.equal((await sh.run(`test -e ${devices}/$U`)).status, 1);
  });

  const apFile = `${place}/scripts.d/callouts/ap.json`;

  /** Starts a device of the AP matrix with attributes, each `NAME=VALUE`. */
  const startAp = (...attrs: string[]) => {
    const config = {
      mdev_type: 'vfio_ap-passthrough',
      start: 'manual',
      attrs: attrs.map((attr) => Object.fromEntries([attr.split('=')])),
    };
    return sh.run(
      `echo '${JSON.stringify(config)}' > ${apFile}; mdevctl start -u $U2 -p matrix --jsonfile ${apFile}`,
    );
  };
  const quiet = { status: 0, stdout: '', stderr: '' };

  await t.test('an AP matrix gets its attributes in the order of the definition', async (t) => {
    const matrix = `cat ${devices}/$U2/matrix; cat ${devices}/$U2/control_domains; mdevctl stop -u $U2`;
    t.strictSame(
      await startAp(
        'assign_adapter=5',
        'assign_domain=4',
        'assign_domain=0xab',
        'assign_control_domain=0xab',
      ),
      quiet,
    );
    t.equal(await sh.output('mdevctl list'), `${UUID2} matrix vfio_ap-passthrough manual\n\n`);
    t.equal(await sh.output(matrix), '05.0004\n05.00ab\n00ab\n');
    // In any other order the domain would stay.
    t.strictSame(
      await startAp('assign_domain=4', 'unassign_domain=4', 'assign_domain=0xab', 'assign_adapter=5'),
      quiet,
    );
    t.equal(await sh.output(matrix), '05.00ab\n');
  });

  await t.test('a queue that another device has takes the AP device back', async (t) => {
    const queue = ['assign_adapter=5', 'assign_domain=4'];
    t.strictSame(await startAp(...queue), quiet);
    await sh.run(`mdevctl define -u $U -p matrix --jsonfile ${apFile}`);
    t.strictSame(await sh.run('mdevctl start -u $U'), {
      status: 1,
      stdout: '',
      stderr:
        'Error: Failed to write 4 to attribute assign_domain\n\nCaused by:\n    Address already in use (os error 98)\n',
    });
    t.equal(await sh.output(`ls ${devices}; mdevctl undefine -u $U; mdevctl stop -u $U2`), `${UUID2}\n`);
  });

  await t.test('a subchannel has one device', async (t) => {
    t.equal((await sh.run('mdevctl start -u $U -p 0.0.0313 -t vfio_ccw-io')).status, 0);
    t.match(await sh.run('mdevctl start -u $U2 -p 0.0.0313 -t vfio_ccw-io'), {
      status: 1,
      stderr: 'Error: No available instances of vfio_ccw-io on 0.0.0313\n',
    });
    t.equal((await sh.run('mdevctl stop -u $U')).status, 0);
  });
}
