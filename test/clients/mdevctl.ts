/**
 * What mdevctl must do on a host with a parent of every kind, wherever its /sys comes from.
 * @module
 */

import type { Test } from 'tap';
import { UUID, UUID2 } from './client.js';
import type { Session } from './session.js';

const devices = '/sys/bus/mdev/devices';

/** @param sh a session in a mount namespace of its own, with the host at /sys */
export async function mdevctlWorks(t: Test, sh: Session): Promise<void> {
  // An empty place for definitions; without the folders for scripts it runs none, and complains.
  const place = '/etc/mdevctl.d';
  await sh.run(
    `mkdir -p ${place} && mount -t tmpfs none ${place} && mkdir -p ${place}/scripts.d/callouts ${place}/scripts.d/notifiers`,
  );

  await t.test('types: every parent with what it offers', async (t) => {
    const { status, stdout } = await sh.run('mdevctl types --dumpjson');
    t.equal(status, 0);
    const parents = Object.assign({}, ...(JSON.parse(stdout) as object[])) as Record<string, unknown>;
    t.strictSame(Object.keys(parents).sort(), ['0.0.0313', '0000:c0:02.0', '0000:c0:03.0', 'matrix', 'mtty']);
    t.strictSame(parents.mtty, [
      { 'mtty-1': { available_instances: 24, device_api: 'vfio-pci', name: 'Single port serial' } },
      { 'mtty-2': { available_instances: 12, device_api: 'vfio-pci', name: 'Dual port serial' } },
    ]);
  });

  await t.test('start, and list it', async (t) => {
    const started = await sh.run('mdevctl start -u $U -p $P -t nvidia-36');
    t.strictSame(started, { status: 0, stdout: '', stderr: '' });
    t.equal((await sh.output('mdevctl list')).trimEnd(), `${UUID} 0000:c0:03.0 nvidia-36 manual`);
    t.equal(
      await sh.output('cat /sys/class/mdev_bus/$P/mdev_supported_types/nvidia-36/available_instances'),
      '1\n',
    );
  });

  await t.test('refusals: a device that exists, no instance left, a parent in the wrong case', async (t) => {
    t.strictSame(await sh.run('mdevctl start -u $U -p $P -t nvidia-36'), {
      status: 1,
      stdout: '',
      stderr: 'Error: Device already exists\n',
    });
    t.match(await sh.run('mdevctl start -p $P -t nvidia-36'), { status: 0, stdout: /^[0-9a-f-]{36}\n$/ });
    t.match(await sh.run('mdevctl start -p $P -t nvidia-36'), {
      status: 1,
      stderr: 'Error: No available instances of nvidia-36 on 0000:c0:03.0\n',
    });
    t.match(await sh.run('mdevctl start -u $U2 -p 0000:C0:03.0 -t nvidia-36'), {
      status: 1,
      stderr: "Error: Unable to find parent device '0000:C0:03.0'. Did you mean '0000:c0:03.0'?\n",
    });
  });

  await t.test('stop, and stop what is gone', async (t) => {
    for (const uuid of (await sh.output(`ls ${devices}`)).trim().split('\n')) {
      t.equal((await sh.run(`mdevctl stop -u ${uuid}`)).status, 0);
      t.equal((await sh.run(`test -e ${devices}/${uuid}`)).status, 1);
    }
    t.match(await sh.run('mdevctl stop -u $U'), { status: 1, stderr: /\(os error 2\)/ });
    t.equal((await sh.output('mdevctl list')).trim(), '');
  });

  await t.test('define, modify, start: attributes are written', async (t) => {
    const script = `
      mdevctl define -u $U -p $P -t nvidia-36 &&
      mdevctl modify -u $U --addattr nvidia_vgpu_params --value x=1 &&
      mdevctl start -u $U && mdevctl list -d -v && cat ${devices}/$U/nvidia_vgpu_params; mdevctl stop -u $U; mdevctl undefine -u $U`;
    t.equal(
      (await sh.output(script)).trimEnd(),
      `${UUID} 0000:c0:03.0 nvidia-36 manual (active)\n  Attrs:\n    @{0}: {"nvidia_vgpu_params":"x=1"}\n\nx=1`,
    );
  });

  await t.test('an attribute that is refused takes the device back', async (t) => {
    const script = `
      mdevctl define -u $U -p $P -t nvidia-36 && mdevctl modify -u $U --addattr nvidia_vgpu_params --value bad &&
      mdevctl start -u $U; echo $?; mdevctl list; mdevctl undefine -u $U`;
    t.match(
      await sh.output(script),
      /Failed to write bad to attribute nvidia_vgpu_params[\s\S]*Invalid argument \(os error 22\)\n1\n\n?$/,
    );
    t.equal((await sh.run(`test -e ${devices}/$U`)).status, 1);
  });

  await t.test('an AP matrix gets its attributes in the order of the definition', async (t) => {
    const attrs = [
      'assign_adapter=5',
      'assign_domain=4',
      'assign_domain=0xab',
      'assign_control_domain=0xab',
    ].map((attr) => Object.fromEntries([attr.split('=')]));
    const config = JSON.stringify({ mdev_type: 'vfio_ap-passthrough', start: 'manual', attrs });
    const script = `
      echo '${config}' > ${place}/scripts.d/ap.json; mdevctl start -u $U2 -p matrix --jsonfile ${place}/scripts.d/ap.json
      cat ${devices}/$U2/matrix ${devices}/$U2/control_domains`;
    t.equal(await sh.output(script), '05.0004\n05.00ab\n00ab\n');
    t.match(await sh.output('mdevctl list'), `${UUID2} matrix vfio_ap-passthrough manual`);
    t.equal((await sh.run('mdevctl stop -u $U2')).status, 0);
  });

  await t.test('a subchannel has one device', async (t) => {
    t.equal((await sh.run('mdevctl start -u $U -p 0.0.0313 -t vfio_ccw-io')).status, 0);
    t.match(await sh.run('mdevctl start -u $U2 -p 0.0.0313 -t vfio_ccw-io'), {
      status: 1,
      stderr: /No available instances/,
    });
    t.equal((await sh.run('mdevctl stop -u $U')).status, 0);
  });
}
